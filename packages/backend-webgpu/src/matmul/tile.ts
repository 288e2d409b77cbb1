/**
 * The tiles of a matmul: the ways to divide a product among workgroups. A tile is plain data, so that the backend can
 * measure, store and name it. Every tile is correct for every size. `choose.ts` chooses a fast one.
 */

/** Each invocation computes `rows` x `columns` results directly from the loaders: no workgroup memory, no barrier. */
export interface RegisterTile {
  readonly kind: "register";
  /** Rows of a workgroup's tile; a multiple of `lanes`. */
  readonly rows: number;
  /** Columns of one invocation, a multiple of 4. */
  readonly columns: number;
  /**
   * Subgroup size: each lane loads its share of A and gives it to the others (`subgroupBroadcast`). With 1, every
   * invocation loads all its operands itself.
   */
  readonly lanes: number;
  readonly splits: number;
}

/** A workgroup stages slices of both operands in workgroup memory. */
export interface SharedTile {
  readonly kind: "shared";
  /** Rows and columns of the workgroup's tile, and the staged slice of k (a multiple of 4). */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Results of one invocation, multiples of 4. */
  readonly rows: number;
  readonly columns: number;
  /** Fetch the next slice into registers while this one is multiplied. */
  readonly prefetch: boolean;
  readonly splits: number;
}

/** A subgroup multiplies whole matrices. f16 operands are staged in workgroup memory; results are f32. */
export interface SubgroupMatrixTile {
  readonly kind: "subgroup-matrix";
  /** One matrix product of the device: [m, k] x [k, n]. */
  readonly matrix: readonly [m: number, n: number, k: number];
  /** Matrices of one subgroup, and subgroups of a workgroup, along m and n. */
  readonly matrices: readonly [m: number, n: number];
  readonly subgroups: readonly [m: number, n: number];
  /** The staged slice of k, a multiple of the matrix's k. */
  readonly k: number;
  /** Invocations of a subgroup. */
  readonly lanes: number;
  readonly splits: number;
}

/** `splits` is the number of parts of the sum over k. Each part is stored separately. */
export type Tile = RegisterTile | SharedTile | SubgroupMatrixTile;

/** Invocations of a register tile's workgroup without lanes. */
export const registerInvocations = 8;

/** The work of a workgroup: m x n of the result, its step along k, and its invocations. */
export function extent(tile: Tile): {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly invocations: number;
} {
  switch (tile.kind) {
    case "register": {
      const invocations = tile.lanes > 1 ? tile.lanes : registerInvocations;
      return { m: tile.rows, n: tile.columns * invocations, k: 4, invocations };
    }
    case "shared":
      return { m: tile.m, n: tile.n, k: tile.k, invocations: (tile.m / tile.rows) * (tile.n / tile.columns) };
    case "subgroup-matrix": {
      const [m, n] = [
        tile.matrix[0] * tile.matrices[0] * tile.subgroups[0],
        tile.matrix[1] * tile.matrices[1] * tile.subgroups[1],
      ];
      return { m, n, k: tile.k, invocations: tile.subgroups[0] * tile.subgroups[1] * tile.lanes };
    }
  }
}

/** The tile in names of kernels and reports: `register 16x32x4`, `shared 64x64x16 split 4`. */
export function tileName(tile: Tile): string {
  const { m, n, k } = extent(tile);
  return `${tile.kind} ${m}x${n}x${k}${tile.splits > 1 ? ` split ${tile.splits}` : ""}`;
}
