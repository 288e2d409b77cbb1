/**
 * The definition of `randomBits`: uniform integers below 2^bits, by the key of the row they stand in.
 *
 * `keys` is u32 [n, 2], a key for each row of the tensor [n, ..., L]. The element at row r, middle indices a, b, …
 * (with sizes A, B, …) and last index j is word j % 2 of
 *
 *   threefry2x32([keys[r][0] ^ stream, keys[r][1]], [floor(j / 2), a + A (b + B (…))])
 *
 * shifted right to its highest `bits` bits. The stream is a number of the layer. So a draw depends neither on the other
 * rows nor on the sizes of the last middle axis and of the last axis, which are what padding changes.
 *
 * The older form has one key u32 [2] for the whole tensor of n elements: with h = ceil(n / 2), block i < h is
 * threefry2x32(key, [i, stream]); element i is its first word, element h + i its second.
 */
import { threefry2x32 } from "@cloze/random";
import { sizeOf, type Shape } from "./dtype.ts";

type Key = readonly [number, number];

/** Bits by row: `keys` holds two words for each entry of the first axis of `shape`. */
export function rowBits(keys: ArrayLike<number>, stream: number, shape: Shape, bits: number): Uint32Array {
  const out = new Uint32Array(sizeOf(shape));
  const [rows = 1] = shape;
  const length = shape.length > 1 ? (shape.at(-1) as number) : 1;
  const numbers = middleNumbers(shape);
  const shift = 32 - bits;
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const key: Key = [((keys[2 * row] as number) ^ stream) >>> 0, keys[2 * row + 1] as number];
    for (const number of numbers)
      for (let j = 0; j < length; j += 2) {
        const [a, b] = threefry2x32(key, [j >> 1, number]);
        out[at++] = a >>> shift;
        if (j + 1 < length) out[at++] = b >>> shift;
      }
  }
  return out;
}

/** The numbers of the middle indices of a shape, in row-major order: the first middle axis counts fastest. */
export function middleNumbers(shape: Shape): readonly number[] {
  let numbers = [0];
  let weight = 1;
  for (const size of shape.slice(1, -1)) {
    const step = weight;
    numbers = numbers.flatMap((n) => Array.from({ length: size }, (_, i) => n + i * step));
    weight *= size;
  }
  return numbers;
}

/** Bits by one key for the whole tensor. */
export function randomBits(key: Key, stream: number, count: number, bits: number): Uint32Array {
  const out = new Uint32Array(count);
  const half = Math.ceil(count / 2);
  const shift = 32 - bits;
  for (let i = 0; i < half; i++) {
    const [a, b] = threefry2x32(key, [i, stream]);
    out[i] = a >>> shift;
    if (half + i < count) out[half + i] = b >>> shift;
  }
  return out;
}
