/**
 * Entries of `numpy.random.default_rng(seed).permutation(size)`, found without an array of that size. `shuffle` and
 * `train_test_split` of Hugging Face `datasets` draw the same permutation.
 *
 *   seed -> SeedSequence -> PCG64 (XSL-RR, 128 bits)
 *   for i = size-1 … 1: swap(i, j), j in [0, i]: masked bits, drawn again while above i
 *
 * Undoing the swaps from the last to the first finds the entries at the wanted places. The draws are made twice: once
 * to keep the generator's state every 2^20 swaps, and once more block by block.
 *
 * Price: 0.1 to 0.3 us for each of the `size` entries. Memory is size / 8 bytes, 4 MiB, and the wanted places.
 * Source: O'Neill 2014, PCG; NumPy's SeedSequence and Generator, NEP 19. Checked against numpy 2.4.6
 * (tooling/golden/data-splits.py).
 */
import { ConfigError } from "@cloze/errors";

/** The multiplier of PCG64, 0x2360ed051fc65da44385df649fccf645, in pieces of 16 bits from the lowest. */
const MULTIPLIER: readonly number[] = [0xf645, 0x9fcc, 0xdf64, 0x4385, 0x5da4, 0x1fc6, 0xed05, 0x2360];
const BLOCK = 1 << 20;

/** The first words of NumPy's SeedSequence, for a seed below 2^32. */
function seedWords(seed: number, count: number): readonly number[] {
  let mixing = 0x43b0d7e5;
  const hashed = (value: number): number => {
    const before = value ^ mixing;
    mixing = Math.imul(mixing, 0x931e8875);
    const product = Math.imul(before, mixing);
    return product ^ (product >>> 16);
  };
  const pool = [hashed(seed), hashed(0), hashed(0), hashed(0)];
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) {
      if (from === to) continue;
      const mixed =
        (Math.imul(0xca01f9dd, pool[to] as number) - Math.imul(0x4973f715, hashed(pool[from] as number))) | 0;
      pool[to] = mixed ^ (mixed >>> 16);
    }
  }
  let drawing = 0x8b51f9dd;
  return Array.from({ length: count }, (_, i) => {
    const before = (pool[i % 4] as number) ^ drawing;
    drawing = Math.imul(drawing, 0x58f38ded);
    const product = Math.imul(before, drawing);
    return (product ^ (product >>> 16)) >>> 0;
  });
}

/**
 * 128 bits of state as four words from the lowest, and the upper half of a 64-bit draw if only its lower half was used.
 */
interface PcgState {
  readonly words: readonly [number, number, number, number];
  readonly half: number | undefined;
}

class Pcg64 {
  #s0 = 0;
  #s1 = 0;
  #s2 = 0;
  #s3 = 0;
  #half: number | undefined;
  readonly #increment: Float64Array = new Float64Array(8);

  constructor(seed: number) {
    const [a, b, c, d, ...sequence] = seedWords(seed, 8) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    // Each 64-bit word is a pair (low, high). The upper 64 of 128 bits come first. The increment is 2 * sequence + 1.
    const [high0, high1, low0, low1] = sequence;
    const words = [low0, low1, high0, high1];
    for (let i = 0; i < 4; i++) {
      const word = ((words[i] as number) * 2 + (i === 0 ? 1 : (words[i - 1] as number) >>> 31)) % 2 ** 32;
      this.#increment[2 * i] = word % 65_536;
      this.#increment[2 * i + 1] = Math.floor(word / 65_536);
    }
    this.#step();
    const state = [this.#s0, this.#s1, this.#s2, this.#s3];
    const initial = [c, d, a, b];
    let carry = 0;
    const sum = state.map((word, i) => {
      const total = word + (initial[i] as number) + carry;
      carry = total >= 2 ** 32 ? 1 : 0;
      return total >>> 0;
    });
    [this.#s0, this.#s1, this.#s2, this.#s3] = sum as [number, number, number, number];
    this.#step();
  }

  save(): PcgState {
    return { words: [this.#s0, this.#s1, this.#s2, this.#s3], half: this.#half };
  }

  restore({ words, half }: PcgState): void {
    [this.#s0, this.#s1, this.#s2, this.#s3] = words;
    this.#half = half;
  }

  /** The next 32 bits: the lower half of a 64-bit draw, then the upper half of the same draw. */
  next(): number {
    if (this.#half !== undefined) {
      const half = this.#half;
      this.#half = undefined;
      return half;
    }
    this.#step();
    const low = this.#s0 ^ this.#s2;
    const high = this.#s1 ^ this.#s3;
    const turn = this.#s3 >>> 26;
    const by = turn & 31;
    const [from, other] = turn < 32 ? [low, high] : [high, low];
    this.#half = (by === 0 ? other : (other >>> by) | (from << (32 - by))) >>> 0;
    return (by === 0 ? from : (from >>> by) | (other << (32 - by))) >>> 0;
  }

  /** An integer in [0, most]: takes as many bits as `most` has, and draws again until the integer is in the range. */
  below(most: number): number {
    const mask = 0xffffffff >>> Math.clz32(most);
    for (;;) {
      const word = (this.next() & mask) >>> 0;
      if (word <= most) return word;
    }
  }

  /**
   * state = state * MULTIPLIER + increment, modulo 2^128. Words of 32 bits are multiplied by pieces of 16 bits, so that
   * every sum is exact in a double.
   */
  #step(): void {
    const a = this.#s0;
    const b = this.#s1;
    const c = this.#s2;
    const d = this.#s3;
    const [m0, m1, m2, m3, m4, m5, m6, m7] = MULTIPLIER as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const n = this.#increment;
    const p0 = a * m0 + (n[0] as number);
    const c0 = Math.floor(p0 / 65_536);
    const p1 = a * m1 + (n[1] as number) + c0;
    const c1 = Math.floor(p1 / 65_536);
    const p2 = a * m2 + b * m0 + (n[2] as number) + c1;
    const c2 = Math.floor(p2 / 65_536);
    const p3 = a * m3 + b * m1 + (n[3] as number) + c2;
    const c3 = Math.floor(p3 / 65_536);
    const p4 = a * m4 + b * m2 + c * m0 + (n[4] as number) + c3;
    const c4 = Math.floor(p4 / 65_536);
    const p5 = a * m5 + b * m3 + c * m1 + (n[5] as number) + c4;
    const c5 = Math.floor(p5 / 65_536);
    const p6 = a * m6 + b * m4 + c * m2 + d * m0 + (n[6] as number) + c5;
    const c6 = Math.floor(p6 / 65_536);
    const p7 = a * m7 + b * m5 + c * m3 + d * m1 + (n[7] as number) + c6;
    const c7 = Math.floor(p7 / 65_536);
    this.#s0 = p0 - c0 * 65_536 + (p1 - c1 * 65_536) * 65_536;
    this.#s1 = p2 - c2 * 65_536 + (p3 - c3 * 65_536) * 65_536;
    this.#s2 = p4 - c4 * 65_536 + (p5 - c5 * 65_536) * 65_536;
    this.#s3 = p6 - c6 * 65_536 + (p7 - c7 * 65_536) * 65_536;
  }
}

/**
 * The entries at `places` (distinct) of the permutation of [0, size) that NumPy draws for this seed.
 *
 * @example
 * numpyPermutation(11, 5, [0, 1, 2, 3, 4])  // => Uint32Array [1, 4, 2, 3, 0]
 */
export function numpyPermutation(seed: number, size: number, places: ArrayLike<number>): Uint32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new ConfigError(`numpyPermutation: expected a seed from 0 to 2^32 - 1, got ${seed}.`);
  if (!Number.isInteger(size) || size < 0 || size >= 2 ** 32)
    throw new ConfigError(`numpyPermutation: expected a size from 0 to 2^32 - 1, got ${size}.`);
  const marked = new Uint8Array(Math.ceil(size / 8));
  const followed = new Map<number, number>();
  const put = (place: number, which: number | undefined): void => {
    const byte = place >>> 3;
    const bit = 1 << (place & 7);
    const before = marked[byte] as number;
    marked[byte] = which === undefined ? before & ~bit : before | bit;
    if (which === undefined) followed.delete(place);
    else followed.set(place, which);
  };
  for (let which = 0; which < places.length; which++) put(places[which] as number, which);

  const generator = new Pcg64(seed);
  const starts: PcgState[] = [];
  const swaps = Math.max(0, size - 1);
  for (let done = 0; done < swaps; done++) {
    if (done % BLOCK === 0) starts.push(generator.save());
    generator.below(size - 1 - done);
  }
  const drawn = new Uint32Array(Math.min(BLOCK, swaps));
  for (let block = starts.length - 1; block >= 0; block--) {
    const from = block * BLOCK;
    const count = Math.min(BLOCK, swaps - from);
    generator.restore(starts[block] as PcgState);
    for (let k = 0; k < count; k++) drawn[k] = generator.below(size - 1 - from - k);
    for (let k = count - 1; k >= 0; k--) {
      const i = size - 1 - from - k;
      const j = drawn[k] as number;
      if (
        i === j ||
        (((marked[i >>> 3] as number) >> (i & 7)) & 1) + (((marked[j >>> 3] as number) >> (j & 7)) & 1) === 0
      )
        continue;
      const atI = followed.get(i);
      const atJ = followed.get(j);
      put(i, atJ);
      put(j, atI);
    }
  }
  const entries = new Uint32Array(places.length);
  for (const [place, which] of followed) entries[which] = place;
  return entries;
}
