/**
 * The division of a run into several submits. Drivers reset a GPU whose commands take seconds, and the display freezes
 * during long commands. A kernel's time is guessed from its flops and its bound bytes, at rates that are low for the
 * family. Measured times of runs correct the guess.
 */
import type { Family } from "../profile.ts";

/** Multiplications and additions (flops) and bytes in a millisecond. */
interface Rates {
  readonly flops: number;
  readonly bytes: number;
}

const RATES: { readonly [F in Family]: Rates } = {
  nvidia: { flops: 2e9, bytes: 1e8 },
  amd: { flops: 1e9, bytes: 5e7 },
  apple: { flops: 5e8, bytes: 4e7 },
  intel: { flops: 1e8, bytes: 1e7 },
  mobile: { flops: 3e7, bytes: 5e6 },
  software: { flops: 2e6, bytes: 1e6 },
  unknown: { flops: 3e7, bytes: 5e6 },
};

export const guessMs = (family: Family, { flops, bytes }: { readonly flops: number; readonly bytes: number }): number =>
  flops / RATES[family].flops + bytes / RATES[family].bytes;

/** Indices of the kernels that begin a new submit, without 0. A kernel that is longer than `sliceMs` stays whole. */
export function cutsOf(guessesMs: readonly number[], sliceMs: number): readonly number[] {
  const cuts: number[] = [];
  let sum = 0;
  guessesMs.forEach((ms, i) => {
    if (sum > 0 && sum + ms > sliceMs) {
      cuts.push(i);
      sum = 0;
    }
    sum += ms;
  });
  return cuts;
}
