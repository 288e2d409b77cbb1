/**
 * Spearman's rank correlation: Pearson's correlation of the ranks, where equal values share the mean of their ranks. It
 * measures whether two scores have the same order, whatever their units. It is the usual measure for variant effects.
 */
import { ConfigError } from "@cloze/errors";

/**
 * Rank correlation of two lists of equal length, in [-1, 1].
 *
 * Cost:   two sorts.
 * Returns NaN for a constant list, which has no order (as scipy does).
 * Throws: ConfigError on different lengths, fewer than 2 values, or a NaN.
 * Checked against: scipy 1.17 `spearmanr`, packages/eval/test/goldens/metrics.json.
 *
 * @example
 * spearman([1, 2, 3, 4], [10, 20, 40, 30])  // => 0.8
 */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length || x.length < 2) {
    throw new ConfigError(
      `spearman: expected two lists of one length >= 2, got ${x.length} and ${y.length}. Pair each score with ` +
        "its measurement.",
    );
  }
  const rx = averageRanks(x);
  const ry = averageRanks(y);
  const mean = (x.length + 1) / 2;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = rx[i]! - mean;
    const dy = ry[i]! - mean;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}

/** Ranks from 1; equal values share the mean of their ranks. Throws ConfigError on a NaN. */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i);
  const nan = order.find((i) => Number.isNaN(values[i]));
  if (nan !== undefined)
    throw new ConfigError(
      `spearman: expected numbers that can be ordered, got NaN at position ${nan}. Drop that pair from both lists.`,
    );
  order.sort((a, b) => (values[a]! < values[b]! ? -1 : values[a]! > values[b]! ? 1 : 0));
  const ranks = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2;
  }
  return ranks;
}
