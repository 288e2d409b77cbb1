/**
 * The choice of an attention kernel's tile, from its sizes and the device's profile alone. A workgroup holds a block of
 * each side in workgroup memory, and an invocation computes a small block of scores. With f16 and matrix units a
 * subgroup multiplies whole matrices instead.
 */
import type { Profile } from "../profile.ts";

export type FlashKernel = "flashForward" | "flashGradQ" | "flashGradKV" | "flashGradBias";

export interface Tile {
  /** Rows of the block that a workgroup owns: queries, or keys in flashGradKV. */
  readonly own: number;
  /** Rows of a block that the workgroup walks. */
  readonly other: number;
  /** Invocations along the owned rows and along the other rows. */
  readonly ty: number;
  readonly tx: number;
  /**
   * May the driver unroll loops? On software adapters unrolled loops take many times as long to compile and run no
   * faster.
   */
  readonly unroll: boolean;
}

/**
 * Sizes of tiles: own, other, ty, tx. `tileOf` takes the first one that fits. The last one fits 16 KiB with heads of
 * 128 in f32.
 */
const SIZES = [
  [64, 32, 16, 8],
  [32, 32, 8, 8],
  [32, 16, 8, 8],
  [16, 16, 8, 8],
  [16, 8, 8, 8],
  [8, 8, 8, 8],
  [8, 4, 8, 4],
] as const;

/** 4-vectors in a head. */
export const vectors = (headDim: number): number => Math.ceil(headDim / 4);

/** Distance of two rows in workgroup memory, in 4-vectors. It is odd, so that neighbouring rows use different banks. */
export const pitch = (headDim: number): number => vectors(headDim) | 1;

/** Bytes of workgroup memory: the owned and walked blocks, the scores, their row maxima, and the flags of blocks. */
export const sharedBytes = (
  kernel: FlashKernel,
  { own, other, tx }: Omit<Tile, "unroll">,
  headDim: number,
  element: "f32" | "f16",
): number =>
  (kernel === "flashForward" ? 1 : 2) * (own + other) * pitch(headDim) * (element === "f16" ? 8 : 16) +
  own * (other + 1) * 4 +
  own * tx * 4 +
  256;

/** A tile whose products run on matrix units. Each subgroup computes m of the owned rows. */
export interface MatrixTile extends Tile {
  readonly matrix: readonly [m: number, n: number, k: number];
  /** Invocations of a subgroup. */
  readonly lanes: number;
}

export const isMatrixTile = (tile: Tile): tile is MatrixTile => "matrix" in tile;

/** Channels of a head, rounded up to whole matrices both as columns (n) and as depth (k). */
export function matrixHead(headDim: number, { matrix: [, n, k] }: MatrixTile): number {
  const unit = Math.max(n, k);
  return Math.ceil(headDim / unit) * unit;
}

/**
 * Distances of two rows in workgroup memory, in elements: `stagePitch` for f16 operands and weights, `scorePitch` for
 * f32 scores. Each adds 16 bytes to the row, against bank conflicts.
 */
export const stagePitch = (width: number): number => width + 8;
export const scorePitch = (width: number): number => width + 4;

function matrixBytes(kernel: FlashKernel, tile: MatrixTile, headDim: number): number {
  const { own, other } = tile;
  const head = matrixHead(headDim, tile);
  const weights = own * stagePitch(other) * 2;
  const scores = own * scorePitch(other) * 4;
  const wide = own * scorePitch(Math.max(other, head)) * 4;
  return kernel === "flashForward"
    ? (own + other) * stagePitch(head) * 2 + weights + wide + 256
    : 2 * (own + other) * stagePitch(head) * 2 + 2 * scores + (kernel === "flashGradKV" ? 2 : 1) * weights + 256;
}

/** Sizes of matrix tiles: own, other. `matrixTileOf` takes the first one that fits. */
const MATRIX_SIZES = [
  [64, 64],
  [64, 32],
  [32, 32],
  [32, 16],
  [16, 16],
] as const;

/**
 * A matrix tile, or undefined. It needs subgroups of one known size, matrices with f16 operands and f32 sums, and
 * matrix sizes that divide the sizes above.
 */
function matrixTileOf(
  kernel: FlashKernel,
  headDim: number,
  { limits, subgroups, subgroupMatrix, f16 }: Profile,
): MatrixTile | undefined {
  const lanes = subgroups?.max ?? 0;
  if (!f16 || subgroups?.min !== lanes || kernel === "flashGradBias") return undefined;
  for (const [own, other] of MATRIX_SIZES)
    for (const { component, result, m, n, k } of subgroupMatrix) {
      const tx = 8;
      const mr = (m * tx) / lanes;
      const invocations = (own / m) * lanes;
      const tile: MatrixTile = { own, other, tx, ty: own / mr, unroll: true, matrix: [m, n, k], lanes };
      const whole = [
        mr,
        own / m,
        other / n,
        other / k,
        other / tx,
        n / 4,
        Math.max(n, k) / Math.min(n, k),
        Math.max(n, k) / tx,
      ].every((x) => Number.isInteger(x) && x > 0);
      if (component !== "f16" || result !== "f32" || !whole || invocations < 32 || invocations > limits.invocations)
        continue;
      if (matrixBytes(kernel, tile, headDim) <= limits.sharedBytes) return tile;
    }
  return undefined;
}

export function tileOf(
  kernel: FlashKernel,
  headDim: number,
  element: "f32" | "f16",
  profile: Profile,
): Tile | undefined {
  const { limits, family } = profile;
  const matrix = element === "f16" ? matrixTileOf(kernel, headDim, profile) : undefined;
  if (matrix !== undefined) return matrix;
  for (const [own, other, ty, tx] of SIZES) {
    // Gradient kernels hold more sums in registers, so larger tiles would spill.
    if (own > 32 && (kernel !== "flashForward" || family === "software")) continue;
    const tile: Tile = { own, other, ty, tx, unroll: family !== "software" };
    if (ty * tx <= limits.invocations && sharedBytes(kernel, tile, headDim, element) <= limits.sharedBytes) return tile;
  }
  return undefined;
}
