/**
 * The contract of an objective, a value with two functions: `prepare` on the host and `loss` on the graph. An objective
 * names the model part that it requires and never imports a model, so objectives of other packages work exactly like
 * ours.
 *
 * Losses are sums with weights. The trainer adds both over the whole global batch and divides once, so micro-batches,
 * padding and ranks do not change the value. A loss of several terms divides each term by its own weight
 * (`total-loss.ts`).
 */
import type { HostTensors, Tensor } from "@cloze/graph";
import type { FeedTypes, ModelPart, ModelParts, Scope } from "@cloze/nn";
import type { Progress } from "@cloze/schedule";
import type { SpecialIds, TokenBatch } from "@cloze/tokenizer";

/** The facts about the tokens that an objective needs. */
export interface TokenSet {
  readonly special: SpecialIds;
  /** Ids that are never corrupted and never predicted. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids that a random replacement may draw. */
  readonly regularIds: readonly number[];
  readonly vocabulary: readonly string[];
  /**
   * True for a token that continues the word of the previous token. Default: the token's text begins with `##`, as in
   * WordPiece.
   */
  readonly continuesWord?: (id: number) => boolean;
}

/**
 * The moment of a preparation, from which all draws follow. The same moment and example give the same corruption, on
 * any number of workers.
 */
export interface Moment {
  readonly seed: number;
  /** Optimizer step, from 0. Micro-batches of one step share it. */
  readonly step: number;
  /** True for an evaluation. An evaluation always draws the same numbers: `seed` and `step` must not matter. */
  readonly evaluation: boolean;
  /** The progress of the run, for settings that change during the run (a mask rate). Default: only `step` is known. */
  readonly progress?: Progress;
}

export interface Prepared {
  /** Typed arrays of declared shape, by feed name. */
  readonly feeds: HostTensors;
  /**
   * Weight of each term of the loss in this batch, by name: `loss`, and the terms of `LossTerms.further`. Required with
   * further terms, and for `composeObjectives`.
   */
  readonly weights?: Readonly<Record<string, number>>;
}

/** A weighted sum and the sum of the weights, both scalars []. */
export interface WeightedSum {
  readonly sum: Tensor<"f32">;
  readonly weight: Tensor<"f32">;
}

/** The predicted tokens and their targets, from which the token metrics are computed. */
export interface TokenPredictions {
  /** i32 [n]. */
  readonly predictions: Tensor<"i32">;
  /** i32 [n]. */
  readonly targets: Tensor<"i32">;
  /** f32 [n]: 0 for an empty slot. */
  readonly weights: Tensor<"f32">;
}

/** A further term of a loss. Its mean over the global batch, with its own weight, is multiplied by `factor`. */
export interface LossTerm extends WeightedSum {
  readonly factor: number;
}

export interface LossTerms {
  /** The loss, or its first term. Evaluation and perplexity use this term only. */
  readonly loss: WeightedSum;
  /** Further terms of the loss, by name, each with its own mean: BERT's loss is mean over tokens + mean over pairs. */
  readonly further?: Readonly<Record<string, LossTerm>>;
  readonly metrics: Readonly<Record<string, WeightedSum>>;
  readonly tokens?: TokenPredictions;
}

/**
 * The required contents of a batch's rows. Either single sequences, or pairs of texts. In half of the pairs the second
 * text is not the one that followed: it is a `random` text of another document, or the two texts are `swapped`.
 */
export type Rows = "sequences" | { readonly kind: "sentence-pairs"; readonly second: "random" | "swapped" };

export interface Objective<P extends ModelPart = ModelPart> {
  readonly name: string;
  readonly requires: P;
  /** Default "sequences". */
  readonly rows?: Rows;
  /** The objective's options as plain data, for the saved configuration. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * True if the evaluation's `loss` is the cross entropy over `evaluationMask`, so that runs can be compared. The kit
   * checks this. Default false.
   */
  readonly comparable?: boolean;
  /**
   * Makes the feeds of a batch, with its corruptions. A pure function of the batch's examples and the moment: the
   * result for an example must not depend on the other examples in the batch, and the batch itself must not change.
   */
  prepare(batch: TokenBatch, moment: Moment): Prepared;
  /** Loss and metrics from the feeds of `prepare`, which are graph inputs with the same names and types. */
  loss(scope: Scope, model: ModelParts[P], feeds: Readonly<Record<string, Tensor>>): LossTerms;
}

/** The function that an objective package exports as `objective`, and that `--objective NAME` looks for. */
export interface ObjectiveMaker<P extends ModelPart = ModelPart> {
  (tokens: TokenSet, options?: Readonly<Record<string, unknown>>): Objective<P>;
}

/** The types of the feeds, by name. Each different set of types needs its own compiled program. */
export function feedTypes(prepared: Prepared): FeedTypes {
  return Object.fromEntries(Object.entries(prepared.feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
