/**
 * The entropy of token frequencies: the loss of a model that knows how common each token is and nothing of its context.
 * Every loss curve should be compared with this entropy: a masked language model has learnt from context only if its
 * loss is below it.
 */
import { ConfigError } from "@cloze/errors";

/**
 * -Σ p ln p of the counts' frequencies, in nats.
 *
 * Shapes: counts `[classes]`, finite and >= 0. A class that never occurs adds nothing.
 * Throws: ConfigError on a negative or non-finite count, or when all are 0.
 *
 * @example
 * unigramEntropy([5, 5])  // => 0.6931471805599453
 */
export function unigramEntropy(counts: ArrayLike<number>): number {
  let total = 0;
  for (let k = 0; k < counts.length; k++) {
    const count = counts[k]!;
    if (!(count >= 0 && count < Infinity))
      throw new ConfigError(
        `unigramEntropy: expected finite counts >= 0, got ${count} for class ${k}. Pass raw token counts.`,
      );
    total += count;
  }
  if (total === 0)
    throw new ConfigError(
      `unigramEntropy: expected at least one token, got ${counts.length} classes that are all 0. Count the ` +
        "training tokens first.",
    );
  let entropy = 0;
  for (let k = 0; k < counts.length; k++) {
    const p = counts[k]! / total;
    if (p > 0) entropy -= p * Math.log(p);
  }
  return entropy;
}
