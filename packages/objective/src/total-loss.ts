/**
 * A loss of several terms: the sum of their means, each over the whole global batch.
 *
 *     total = sum_t factor_t * (sum_t / weight_t)
 *
 * One division at the end does not do here: terms have weights of their own (tokens, pairs). But the weights of a
 * global batch are known on the host before the step, so every part of it is given `1 / weight_t` as a feed, and
 * gradients of parts add up as ever.
 */
import type { HostTensors, Tensor } from "@cloze/graph";
import type { LossTerms, Prepared } from "./objective.ts";

/** Name of the feed, f32 [], that holds 1 / (weight of the term over the global batch), or 0 where there is none. */
export const shareFeed = (term: string): string => `loss.share.${term}`;

/**
 * The feeds of all parts of a global batch: a share for each term. None where `loss` is the only one: it is divided in
 * the end.
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
  /** What is differentiated, f32 []; over all parts of a global batch, divided by their weight. */
  readonly sum: Tensor<"f32">;
  /** f32 []; undefined where the shares have divided already. */
  readonly weight?: Tensor<"f32">;
}

/** The loss of one part. Throws RangeError if a further term has no share among the feeds. */
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
