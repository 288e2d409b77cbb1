/**
 * The definition of `randomBits`: n uniform integers below 2^bits.
 *
 * With h = ceil(n / 2), block i < h is threefry2x32(key, [i, stream]); element i is its first word, element h + i its
 * second, each shifted right to its highest `bits` bits. The key is (seed, step), and the stream is a number of the
 * layer. The draw does not depend on the backend, on the world size or on earlier draws.
 */
import { threefry2x32 } from "@cloze/random";

export function randomBits(key: readonly [number, number], stream: number, count: number, bits: number): Uint32Array {
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
