/**
 * The total of a loss with several terms: the sum of the terms' means, each over the whole global batch.
 *
 *     total = sum_t factor_t * (sum_t / weight_t)
 *
 * A single division at the end does not work here, because each term has its own weight (tokens, pairs). But the host
 * knows the weights of the global batch before the step. So every part of the batch gets `1 / weight_t` as a feed, and
 * the gradients of the parts still add up.
 */
import type { HostTensors, Tensor } from "@cloze/graph";
import type { LossTerms, Prepared } from "./objective.ts";

/** Name of the feed, f32 [], that holds 1 / (weight of the term over the global batch), or 0 if that weight is 0. */
export const shareFeed = (term: string): string => `loss.share.${term}`;

/**
 * The feeds for all parts of a global batch: a share for each term. Empty if `loss` is the only term, because that term
 * is divided at the end.
 */
export function shareFeeds(parts: readonly Prepared[]): HostTensors {
  const totals: Record<string, number> = {};
  for (const { weights = {} } of parts)
    for (const [term, weight] of Object.entries(weights)) totals[term] = (totals[term] ?? 0) + weight;
  if (Object.keys(totals).every((term) => term === "loss")) return {};
  return Object.fromEntries(
    Object.entries(totals).map(([term, total]) => [
      shareFeed(term),
      { dtype: "f32", shape: [], data: Float32Array.of(total > 0 ? 1 / total : 0) },
    ]),
  );
}

export interface TotalLoss {
  /** The value to differentiate, f32 []. With shares, the sum over all parts of a global batch is the total. */
  readonly sum: Tensor<"f32">;
  /** f32 []: the weight by which `sum` must be divided. Undefined if the shares have already divided it. */
  readonly weight?: Tensor<"f32">;
}

/** The loss of one part. Throws RangeError if a term has no share among the feeds. */
export function totalLoss({ loss, further = {} }: LossTerms, feeds: Readonly<Record<string, Tensor>>): TotalLoss {
  const terms = Object.entries(further);
  if (terms.length === 0) return loss;
  const shareOf = (term: string): Tensor<"f32"> => {
    const share = feeds[shareFeed(term)];
    if (share === undefined)
      throw new RangeError(
        `the loss has a term "${term}": expected prepare to give its weight, got ` +
          `${Object.keys(feeds).join(", ")}. Add it to Prepared.weights.`,
      );
    return share as Tensor<"f32">;
  };
  return {
    sum: terms.reduce(
      (total, [term, { sum, factor }]) => total.add(sum.mul(shareOf(term)).mul(factor)),
      loss.sum.mul(shareOf("loss")),
    ),
  };
}
