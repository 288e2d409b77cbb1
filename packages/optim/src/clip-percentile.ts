/**
 * Clipping by a percentile of the earlier norms: the run itself decides what a large gradient is. It wraps any
 * optimizer.
 *
 *   history  <- norm, put first; the oldest norm leaves          (norms of updates that ran, with this update's norm)
 *   limit     = the percentile of the history, linear between two norms
 *   scale     = min(1, limit / (norm + 1e-6))
 *
 * The history is state of the step, so a resumed run clips like an uninterrupted run, and no number returns to the
 * host. There is no sorting: the rank of a norm is the number of smaller norms, history^2 comparisons. A history as
 * long as the run holds all norms.
 *
 * State: `clip.norms` [history], newest first; `clip.count` [], the number of norms.
 * Source: Seetharaman et al. 2020, arXiv:2007.14469 (AutoClip), the 10th percentile of all norms. Checked against a
 * plain loop in f64.
 */
import { ConfigError } from "@cloze/errors";
import type { Tensor } from "@cloze/graph";
import { globalNorm } from "./clip.ts";
import type { Optimizer } from "./optimizer.ts";

export interface ClipPercentileOptions {
  /** From 0 to 100. Default 10. */
  readonly percentile?: number;
  /** Number of norms to remember, at most 4096. Default 1000. */
  readonly history?: number;
}

const LONGEST = 4096;

/** Above every norm, and still finite: the largest f32. */
const HUGE = 3.4028234663852886e38;

/** `optimizer` with clipped gradients. Throws ConfigError for a percentile or a history out of bounds. */
export function clipByPercentile(
  optimizer: Optimizer,
  { percentile = 10, history = 1000 }: ClipPercentileOptions = {},
): Optimizer {
  if (!(percentile >= 0 && percentile <= 100))
    throw new ConfigError(`clipByPercentile: expected a percentile from 0 to 100, got ${percentile}.`);
  if (!(Number.isSafeInteger(history) && history >= 1 && history <= LONGEST))
    throw new ConfigError(`clipByPercentile: expected a history of 1 to ${LONGEST} norms, got ${history}.`);
  return {
    ...optimizer,
    name: `${optimizer.name}, clipped at percentile ${percentile} of ${history}`,
    stateNames: (parameters) => [...optimizer.stateNames(parameters), "clip.norms", "clip.count"],
    update(inputs) {
      const { graph, gradients, gradScale } = inputs;
      const norms = graph.input("clip.norms", "f32", [history]);
      const count = graph.input("clip.count", "f32", []);
      const { limited, next } = graph.within("clip", () => {
        const norm = globalNorm(gradients).mul(gradScale);
        const known = history === 1 ? norm.reshape([1]) : norm.reshape([1]).concat([norms.slice(0, 0, history - 1)], 0);
        const filled = count.add(1).min(history);
        const limit = percentileOf(known, filled, percentile);
        // A batch without predictions has no gradient. Its norm of 0 does not enter the history.
        const counts = norm.greater(0);
        return {
          limited: limit.div(norm.add(1e-6)).min(1).mul(gradScale),
          next: { norms: counts.select(known, norms), count: counts.select(filled, count) },
        };
      });
      const { state, updates } = optimizer.update({ ...inputs, gradScale: limited });
      return {
        state: [...state, norms, count],
        updates: { ...updates, "clip.norms": next.norms, "clip.count": next.count },
      };
    },
  };
}

/**
 * The percentile of the first `count` (f32 `[]`, 1 or more) of `values` f32 `[n]`, by numpy's "linear" method. f32
 * `[]`.
 */
export function percentileOf(values: Tensor<"f32">, count: Tensor<"f32">, percentile: number): Tensor<"f32"> {
  const { graph } = values;
  const n = values.shape[0] as number;
  const at = graph.iota([n], 0);
  const known = at.cast("f32").less(count).select(values, HUGE);
  const row = known.reshape([1, n]);
  const column = known.reshape([n, 1]);
  // Equal values rank in the order of their places, so that each rank has one value.
  const before = row.less(column).or(row.equal(column).and(at.reshape([1, n]).less(at.reshape([n, 1]))));
  const ranks = before.cast("f32").sum(1);
  const valueAt = (rank: Tensor<"f32">): Tensor<"f32"> => ranks.equal(rank).select(known, 0).sum();
  const position = count.sub(1).mul(percentile / 100);
  const low = position.floor();
  const high = low.add(1).min(count.sub(1));
  const share = position.sub(low);
  return valueAt(low).mul(share.neg().add(1)).add(valueAt(high).mul(share));
}
