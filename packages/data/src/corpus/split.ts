/**
 * Which part of the data an example belongs to, from its content alone: a 64-bit hash of its bytes and a seed, compared
 * with the fractions. Re-ordering the input, adding to it or preparing it on other machines moves nothing, and equal
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
 * The part that the sequence `bytes[start, end)` belongs to. Letters' case does not matter.
 *
 * @example
 * splitOf(new TextEncoder().encode("MKTAYIAKQR"), { seed: 0, valid: 0, test: 0 })  // => "train"
 */
export function splitOf(bytes: Uint8Array, rule: SplitRule, start: number = 0, end: number = bytes.length): SplitName {
  const { high, low } = contentHash(bytes, rule.seed, start, end);
  // 53 of the 64 bits: all that a double holds.
  const point = (high * 2 ** 21 + (low >>> 11)) * 2 ** -53;
  if (point < rule.valid) return "valid";
  return point < rule.valid + (rule.test ?? 0) ? "test" : "train";
}

/** Throws when the fractions are not fractions. */
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
