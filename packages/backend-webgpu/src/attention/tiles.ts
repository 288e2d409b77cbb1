/**
 * Which tile of a kernel, from sizes and profile alone: a workgroup holds a block of each side in workgroup memory, an
 * invocation computes a small block of scores. With f16 and matrix units a subgroup multiplies whole matrices instead.
 */
import type { Profile } from "../profile.ts";

export type FlashKernel = "flashForward" | "flashGradQ" | "flashGradKV" | "flashGradBias";

export interface Tile {
  /** Rows of the side a workgroup owns: queries, but keys in flashGradKV. */
  readonly own: number;
  /** Rows of the side it walks. */
  readonly other: number;
  /** Invocations along the owned rows and along the others. */
  readonly ty: number;
  readonly tx: number;
  /**
   * May the driver unroll loops? Software adapters take many times as long to compile what they unroll, and run it no
   * faster.
   */
  readonly unroll: boolean;
}

/** Own x other on ty x tx invocations; the first that fits is taken. The last fits 16 KiB with heads of 128 in f32. */
const SIZES = [
  [64, 32, 16, 8],
  [32, 32, 8, 8],
  [32, 16, 8, 8],
  [16, 16, 8, 8],
  [16, 8, 8, 8],
  [8, 8, 8, 8],
  [8, 4, 8, 4],
] as const;

/** 4-vectors of a head. */
export const vectors = (headDim: number): number => Math.ceil(headDim / 4);

/** Distance of two rows in workgroup memory, in 4-vectors: odd, so that neighbouring rows fall on different banks. */
export const pitch = (headDim: number): number => vectors(headDim) | 1;

/** Bytes of workgroup memory: owned and walked blocks, the scores, their row maxima, flags of blocks. */
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

/** A tile whose products are made by matrix units: each subgroup has the m rows it owns. */
export interface MatrixTile extends Tile {
  readonly matrix: readonly [m: number, n: number, k: number];
  /** Invocations of a subgroup. */
  readonly lanes: number;
}

export const isMatrixTile = (tile: Tile): tile is MatrixTile => "matrix" in tile;

/** Channels of a head to whole matrices, as columns and as depth. */
export function matrixHead(headDim: number, { matrix: [, n, k] }: MatrixTile): number {
  const unit = Math.max(n, k);
  return Math.ceil(headDim / unit) * unit;
}

/**
 * Distances of rows in workgroup memory in elements, of f16 operands and weights and of f32 scores: 16 bytes past the
 * power of two, against bank conflicts.
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

/** Own x other rows, the first that fits is taken. */
const MATRIX_SIZES = [
  [64, 64],
  [64, 32],
  [32, 32],
  [32, 16],
  [16, 16],
] as const;

/** Needs subgroups of one known size, f16 products with f32 sums, and matrices that halve into the sizes above. */
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
    // Gradients hold two more rows of registers an invocation: larger tiles would spill.
    if (own > 32 && (kernel !== "flashForward" || family === "software")) continue;
    const tile: Tile = { own, other, ty, tx, unroll: family !== "software" };
    if (ty * tx <= limits.invocations && sharedBytes(kernel, tile, headDim, element) <= limits.sharedBytes) return tile;
  }
  return undefined;
}
