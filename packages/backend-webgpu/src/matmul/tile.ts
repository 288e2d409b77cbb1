/**
 * How a product is cut: plain data, so that it can be measured, stored and named. Any tile is right for any size; which
 * is fast is another matter (`choose.ts`).
 */

/** Each invocation computes `rows` x `columns` results straight from the loaders: no workgroup memory, no barrier. */
export interface RegisterTile {
  readonly kind: "register";
  /** Rows of a workgroup's tile; with `lanes` > 1 a multiple of it. */
  readonly rows: number;
  /** Columns of one invocation, a multiple of 4. */
  readonly columns: number;
  /**
   * Subgroup size: each lane loads its share of A and hands it round (`subgroupBroadcast`). 1: every invocation loads
   * all it needs.
   */
  readonly lanes: number;
  readonly splits: number;
}

/** Workgroup tiles staged in workgroup memory. */
export interface SharedTile {
  readonly kind: "shared";
  /** The workgroup's tile and the slice of k that is staged at once (a multiple of 4). */
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

/** Products of whole matrices by a subgroup; f16 operands staged in workgroup memory, f32 results. */
export interface SubgroupMatrixTile {
  readonly kind: "subgroup-matrix";
  /** One matrix product of the device: [m, k] x [k, n]. */
  readonly matrix: readonly [m: number, n: number, k: number];
  /** Matrices of one subgroup, and subgroups of a workgroup, along m and n. */
  readonly matrices: readonly [m: number, n: number];
  readonly subgroups: readonly [m: number, n: number];
  /** Slice of k that is staged at once, a multiple of the matrix's k. */
  readonly k: number;
  /** Invocations of a subgroup. */
  readonly lanes: number;
  readonly splits: number;
}

/** `splits`: into how many parts the sum over k is cut; each part is stored by itself. */
export type Tile = RegisterTile | SharedTile | SubgroupMatrixTile;

/** A workgroup of a register tile without lanes. */
export const registerInvocations = 8;

/** What a workgroup does: its piece of the result, the step along k, its invocations. */
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

/** In names of kernels and reports: `register 16x32`, `shared 64x64x16 split 4`. */
export function tileName(tile: Tile): string {
  const { m, n, k } = extent(tile);
  return `${tile.kind} ${m}x${n}x${k}${tile.splits > 1 ? ` split ${tile.splits}` : ""}`;
}
