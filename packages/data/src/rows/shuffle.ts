/**
 * The order of examples in an epoch: a permutation that is a function of (seed, epoch, index), without an array of its
 * size.
 *
 * The permutation is `permute` of @cloze/random, a four-round Feistel network, with the round functions in tables. A
 * round function depends on only half of the index, so four tables of about sqrt(size) words are enough. Each draw is
 * then four look-ups instead of four or more hashes.
 */
import { RandomStream } from "@cloze/random";

/** The number of the example at a place of the order. */
export type Order = (place: number) => number;

/**
 * The shuffled order of `size` examples in an epoch: a bijection on [0, size).
 *
 * @example
 * const order = shuffledOrder(5, { seed: 1, epoch: 0 });
 * [0, 1, 2, 3, 4].map(order).toSorted()  // => [0, 1, 2, 3, 4]
 */
export function shuffledOrder(size: number, key: { readonly seed: number; readonly epoch: number }): Order {
  return permutation(new RandomStream(key.seed).split("shuffle").split(key.epoch), size);
}

/** The same bijection as `permute(stream, size, index)`, prepared for many indexes. */
export function permutation(stream: RandomStream, size: number): Order {
  if (size <= 2) return size === 2 ? (index) => index ^ (stream.bits(0) & 1) : (index) => index;
  const half = Math.ceil(Math.log2(size) / 2);
  const base = 2 ** half;
  const mask = base - 1;
  const tables = Array.from({ length: 4 }, (_, round) => {
    const table = new Uint32Array(base);
    for (let right = 0; right < base; right++) table[right] = stream.bits(round * 2 ** 40 + right) % base;
    return table;
  });
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  return (index) => {
    let at = index;
    do {
      // Two rounds at a time, so that the halves keep their names: (l, r) -> (r, l + f(r)).
      let left = Math.floor(at / base);
      let right = at % base;
      left = (left + (t0[right] as number)) & mask;
      right = (right + (t1[left] as number)) & mask;
      left = (left + (t2[right] as number)) & mask;
      right = (right + (t3[left] as number)) & mask;
      at = left * base + right;
    } while (at >= size);
    return at;
  };
}
