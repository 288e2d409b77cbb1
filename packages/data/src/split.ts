/**
 * Which part of the data an example belongs to, from its content alone: a 64-bit hash of its bytes and a seed, compared with the
 * fractions. Re-ordering the input, adding to it or preparing it on other machines moves nothing, and equal sequences stay together.
 */

export type SplitName = "train" | "valid" | "test";

export interface SplitRule {
  readonly seed: number;
  /** Fraction of distinct sequences held out for validation, 0 to 1. */
  readonly valid: number;
  /** Fraction held out for testing. Default 0. */
  readonly test?: number;
}
