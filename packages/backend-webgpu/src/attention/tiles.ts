/**
 * Which tile of a kernel, from sizes and profile alone: a workgroup holds a block of each side in workgroup memory, an
 * invocation computes a small block of scores.
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
  /** May the driver unroll loops? Software adapters take many times as long to compile what they unroll, and run it no faster. */
  readonly unroll: boolean;
}

/** Own x other on ty x tx invocations; the first that fits is taken. The last fits 16 KiB with heads of 128 in f32. */
const SIZES = [[64, 32, 16, 8], [32, 32, 8, 8], [32, 16, 8, 8], [16, 16, 8, 8], [16, 8, 8, 8], [8, 8, 8, 8], [8, 4, 8, 4]] as const;

/** 4-vectors of a head. */
export const vectors = (headDim: number): number => Math.ceil(headDim / 4);

/** Distance of two rows in workgroup memory, in 4-vectors: odd, so that neighbouring rows fall on different banks. */
export const pitch = (headDim: number): number => vectors(headDim) | 1;

/** Bytes of workgroup memory: owned and walked blocks, the scores, their row maxima, flags of blocks. */
export const sharedBytes = (kernel: FlashKernel, { own, other, tx }: Omit<Tile, "unroll">, headDim: number, element: "f32" | "f16"): number =>
  (kernel === "flashForward" ? 1 : 2) * (own + other) * pitch(headDim) * (element === "f16" ? 8 : 16) + own * (other + 1) * 4 + own * tx * 4 + 256;

export function tileOf(kernel: FlashKernel, headDim: number, element: "f32" | "f16", { limits, family }: Profile): Tile | undefined {
  for (const [own, other, ty, tx] of SIZES) {
    // Gradients hold two more rows of registers an invocation: larger tiles would spill.
    if (own > 32 && (kernel !== "flashForward" || family === "software")) continue;
    const tile: Tile = { own, other, ty, tx, unroll: family !== "software" };
    if (ty * tx <= limits.invocations && sharedBytes(kernel, tile, headDim, element) <= limits.sharedBytes) return tile;
  }
  return undefined;
}
