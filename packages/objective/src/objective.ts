/**
 * An objective is a value: `prepare` on the host, `loss` on the graph. It says what part of a model it requires and
 * never imports one, so that a stranger's package is no different from ours.
 *
 * Losses are sums with weights: the trainer adds both over the whole global batch and divides once, so that
 * micro-batches, padding and ranks cannot change the value. A loss of several terms divides each by its own weight
 * (`total-loss.ts`).
 */
import type { HostTensors, Tensor, TensorType } from "@cloze/graph";
import type { ModelPart, ModelParts, Scope } from "@cloze/nn";
import type { Progress } from "@cloze/schedule";
import type { SpecialIds, TokenBatch } from "@cloze/tokenizer";

/** What an objective needs to know of the tokens. */
export interface TokenSet {
  readonly special: SpecialIds;
  /** Ids that are never corrupted and never predicted. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids a random replacement may draw. */
  readonly regularIds: readonly number[];
  readonly vocabulary: readonly string[];
  /**
   * True of a token that goes on with the word of the token before it. Default: its text begins with `##`, as in
   * WordPiece.
   */
  readonly continuesWord?: (id: number) => boolean;
}

/** The counter a preparation draws from: same moment, same example, same corruption, on any number of workers. */
export interface Moment {
  readonly seed: number;
  /** Optimizer step, from 0. Micro-batches of one step share it. */
  readonly step: number;
  /** Evaluation always draws the same: neither `seed` nor `step` may matter. */
  readonly evaluation: boolean;
  /**
   * How far the run has come, for what changes over it (a rate of masks). Left out: of the run only `step` is known.
   */
  readonly progress?: Progress;
}

export interface Prepared {
  /** Typed arrays of declared shape, by feed name. */
  readonly feeds: HostTensors;
  /**
   * Weight of each term of the loss in this batch, by name: `loss`, and those of `LossTerms.further`. Needed where
   * there are such, and by `composeObjectives`.
   */
  readonly weights?: Readonly<Record<string, number>>;
}

/** A weighted sum and its weight, both scalars []. */
export interface WeightedSum {
  readonly sum: Tensor<"f32">;
  readonly weight: Tensor<"f32">;
}

/** Predicted tokens side by side with what they should be: what token metrics are computed from. */
export interface TokenPredictions {
  /** i32 [n]. */
  readonly predictions: Tensor<"i32">;
  /** i32 [n]. */
  readonly targets: Tensor<"i32">;
  /** f32 [n]: 0 where a slot holds nothing. */
  readonly weights: Tensor<"f32">;
}

/** One more term of a loss: divided by its own weight over the global batch, it counts `factor` times. */
export interface LossTerm extends WeightedSum {
  readonly factor: number;
}

export interface LossTerms {
  /** The loss, or the first of its terms: what evaluation and perplexity are of. */
  readonly loss: WeightedSum;
  /** Terms that are added to it, by name, each a mean of its own: BERT's loss is mean over tokens + mean over pairs. */
  readonly further?: Readonly<Record<string, LossTerm>>;
  readonly metrics: Readonly<Record<string, WeightedSum>>;
  readonly tokens?: TokenPredictions;
}

/**
 * What the rows of a batch must hold: sequences, each alone, or pairs of texts whose second one is, in half of the
 * pairs, not what followed: a `random` text of another document, or the two `swapped`.
 */
export type Rows = "sequences" | { readonly kind: "sentence-pairs"; readonly second: "random" | "swapped" };

export interface Objective<P extends ModelPart = ModelPart> {
  readonly name: string;
  readonly requires: P;
  /** Default "sequences". */
  readonly rows?: Rows;
  /** Options it was made with, as plain data: they go into the saved configuration. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * True where evaluation's `loss` is the cross entropy over `evaluationMask`, by which runs are compared; the kit
   * holds it to that. Default false.
   */
  readonly comparable?: boolean;
  /**
   * Corrupts a batch into feeds. A pure function of the batch's examples and the moment: it may not depend on which
   * other examples share the batch, nor change the batch.
   */
  prepare(batch: TokenBatch, moment: Moment): Prepared;
  /** Loss and metrics from the feeds that `prepare` made, declared as graph inputs of the same names and types. */
  loss(scope: Scope, model: ModelParts[P], feeds: Readonly<Record<string, Tensor>>): LossTerms;
}

/** What an objective package exports as `objective`, and what `--objective NAME` looks for. */
export interface ObjectiveMaker<P extends ModelPart = ModelPart> {
  (tokens: TokenSet, options?: Readonly<Record<string, unknown>>): Objective<P>;
}

/** Types of the feeds, by name: programs are compiled once for each different answer. */
export function feedTypes(prepared: Prepared): Readonly<Record<string, TensorType>> {
  return Object.fromEntries(Object.entries(prepared.feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
