/** Threefry-2x32: 20 rounds of add, rotate, xor over two 32-bit words. See the package header for the source. */

export type Word2 = readonly [number, number];

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/**
 * Two 32-bit words from a 64-bit key and a 64-bit counter.
 *
 * @example
 * threefry2x32([0, 0], [0, 0])  // => [0x6b200159, 0x99ba4efe]
 */
export function threefry2x32(key: Word2, counter: Word2): [number, number] {
  const k0 = key[0] | 0;
  const k1 = key[1] | 0;
  const schedule = [k0, k1, k0 ^ k1 ^ PARITY] as const;
  let x0 = (counter[0] + k0) | 0;
  let x1 = (counter[1] + k1) | 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round & 7] as number;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    if ((round & 3) === 3) {
      const inject = (round >> 2) + 1;
      x0 = (x0 + (schedule[inject % 3] as number)) | 0;
      x1 = (x1 + (schedule[(inject + 1) % 3] as number) + inject) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}
