/** Numbers for inputs. The input's name is the only seed, so a case is the same on every machine. */
import { fromNumbers, sizeOf, type DType, type HostTensor, type Shape } from "@cloze/graph";
import type { Draw } from "./case.ts";

/** Uniform in [0, 1): a 32-bit integer hash of (seed, i). */
export function uniform(seed: number, i: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(i + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

const seedOf = (name: string): number =>
  [...name].reduce((seed, c) => (Math.imul(seed, 31) + (c.codePointAt(0) as number)) | 0, 7);

const defaults: { readonly [D in DType]: (u: number) => number } = {
  f32: (u) => 4 * u - 2,
  f16: (u) => 4 * u - 2,
  bf16: (u) => 4 * u - 2,
  i32: (u) => Math.floor(11 * u) - 5,
  u32: (u) => Math.floor(10 * u),
  bool: (u) => Number(u < 0.5),
};

export function drawInput(name: string, dtype: DType, shape: Shape, how?: Draw): HostTensor {
  const seed = seedOf(name);
  const one = (i: number): number => {
    if (how === undefined) return defaults[dtype](uniform(seed, i));
    if ("values" in how) return how.values[i % how.values.length] as number;
    if ("below" in how) return Math.floor(how.below * uniform(seed, i));
    return how.uniform[0] + (how.uniform[1] - how.uniform[0]) * uniform(seed, i);
  };
  return fromNumbers(
    dtype,
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => one(i)),
  );
}
