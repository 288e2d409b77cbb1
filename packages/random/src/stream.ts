/** Streams of random words by seed and name, and random permutations by index. */
import { invariant } from "@cloze/errors";
import { threefry2x32 } from "./threefry.ts";

/** 32-bit FNV-1a of a string's UTF-16 units: gives each named use (a layer path, "mask") its own stream. */
export function hashString(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash >>> 0;
}

/**
 * An addressable sequence of random words: `at(i)` is a pure function of (seed, names…, i).
 *
 * `split` derives an independent stream for a name or a number. So the code says the purpose of a draw:
 * `new RandomStream(seed).split("mask").split(epoch).split(sequence)`.
 */
export class RandomStream {
  readonly #k0: number;
  readonly #k1: number;

  /** `seed` is an integer, 0 to 2^53 - 1. */
  constructor(seed: number) {
    invariant(Number.isSafeInteger(seed) && seed >= 0, `a seed is an integer from 0 to 2^53 - 1, got ${seed}`);
    this.#k0 = seed >>> 0;
    this.#k1 = Math.floor(seed / 2 ** 32) >>> 0;
  }

  static #of(k0: number, k1: number): RandomStream {
    return new RandomStream(k0 + (k1 & 0x1fffff) * 2 ** 32);
  }

  /** An independent stream for a named or numbered use. */
  split(use: string | number): RandomStream {
    const [c0, c1] = typeof use === "string" ? [hashString(use), 0x5eed] : [use >>> 0, Math.floor(use / 2 ** 32) >>> 0];
    const [k0, k1] = threefry2x32([this.#k0, this.#k1], [c0, c1 ^ 0x80000000]);
    return RandomStream.#of(k0, k1);
  }

  /** 32 uniform bits at `index` (an integer below 2^53). */
  bits(index: number): number {
    return threefry2x32([this.#k0, this.#k1], [index >>> 0, Math.floor(index / 2 ** 32) & 0x7fffffff])[0];
  }

  /** Uniform in [0, 1), with 53 random bits. */
  uniform(index: number): number {
    const [a, b] = threefry2x32([this.#k0, this.#k1], [index >>> 0, Math.floor(index / 2 ** 32) & 0x7fffffff]);
    return ((a >>> 5) * 2 ** 26 + (b >>> 6)) * 2 ** -53;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number, index: number): number {
    return Math.floor(this.uniform(index) * bound);
  }
}

/**
 * The place of `index` in a random permutation of [0, size). The permutation is a bijection computed by index, so
 * shuffling a billion records needs no memory. Method: a four-round Feistel network over the next power of four,
 * repeated until the place is below `size`.
 */
export function permute(stream: RandomStream, size: number, index: number): number {
  invariant(
    Number.isSafeInteger(index) && index >= 0 && index < size,
    `permute: index ${index} is outside [0, ${size})`,
  );
  if (size <= 2) return size === 2 ? index ^ (stream.bits(0) & 1) : index;
  const half = Math.ceil(Math.log2(size) / 2);
  const base = 2 ** half;
  let at = index;
  do {
    let left = Math.floor(at / base);
    let right = at % base;
    for (let round = 0; round < 4; round++) {
      const mixed = stream.bits(round * 2 ** 40 + right) % base;
      [left, right] = [right, (left + mixed) % base];
    }
    at = left * base + right;
  } while (at >= size);
  return at;
}
