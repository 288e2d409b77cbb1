/**
 * The split of an example, from its content alone: a 64-bit hash of the bytes and a seed is compared with the
 * fractions. An example stays in its split if the input is reordered, extended, or prepared on other machines. Equal
 * sequences stay together.
 */
import { ConfigError } from "@cloze/errors";
import { contentHash } from "./content-hash.ts";

export type SplitName = "train" | "valid" | "test";

export interface SplitRule {
  readonly seed: number;
  /** Fraction of distinct sequences held out for validation, 0 to 1. */
  readonly valid: number;
  /** Fraction held out for testing. Default 0. */
  readonly test?: number;
}

/**
 * The split of the sequence `bytes[start, end)`. The case of letters does not matter.
 *
 * @example
 * splitOf(new TextEncoder().encode("MKTAYIAKQR"), { seed: 0, valid: 0, test: 0 })  // => "train"
 */
export function splitOf(bytes: Uint8Array, rule: SplitRule, start: number = 0, end: number = bytes.length): SplitName {
  const { high, low } = contentHash(bytes, rule.seed, start, end);
  // 53 of the 64 bits: a double holds no more.
  const point = (high * 2 ** 21 + (low >>> 11)) * 2 ** -53;
  if (point < rule.valid) return "valid";
  return point < rule.valid + (rule.test ?? 0) ? "test" : "train";
}

/** Throws ConfigError if the fractions or the seed are out of range. */
export function checkSplitRule(rule: SplitRule): void {
  const test = rule.test ?? 0;
  const sum = rule.valid + test;
  if (!(rule.valid >= 0) || !(test >= 0) || !(sum <= 1)) {
    throw new ConfigError(
      `split: expected valid and test to be fractions with a sum of at most 1, got valid ${rule.valid}, test ` +
        `${test}. Try { valid: 0.01, test: 0.01 }.`,
    );
  }
  if (!Number.isInteger(rule.seed) || rule.seed < 0 || rule.seed >= 2 ** 32) {
    throw new ConfigError(`split: expected seed to be an integer from 0 to 2^32 - 1, got ${rule.seed}.`);
  }
}
