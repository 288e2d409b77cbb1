/**
 * The contract between models and objectives. An objective asks for one of these and never for a model by name; a model
 * is a function of a scope and its inputs, and tracing it declares its parameters.
 *
 * Rows are packed or padded, and both are said in the same way: by segments.
 */
import { Graph, type Tensor } from "@cloze/graph";
import { rootScope, type Parameter, type Scope } from "./scope.ts";

export interface EncoderInputs {
  /** `[batch, seq]`, in [0, vocab). */
  readonly ids: Tensor<"i32">;
  /**
   * `[batch, seq]`: 0 is padding, 1, 2, … up to seq are the sequences packed into a row. Tokens see their own segment
   * only.
   */
  readonly segments: Tensor<"i32">;
  /** `[batch, seq]`: place inside the own sequence, from 0. */
  readonly positions: Tensor<"i32">;
  /**
   * `[batch, seq]`: 0 for the first text of a pair, 1 for the second (`token_type_ids`). Absent: all 0. Models without
   * such embeddings take no notice.
   */
  readonly types?: Tensor<"i32">;
}

export interface Encoder {
  readonly hidden: number;
  readonly vocab: number;
  /** Hidden states `[batch, seq, hidden]` after the last layer and its norm. What stands at padding is not defined. */
  encode(scope: Scope, inputs: EncoderInputs): Tensor<"f32">;
}

export interface MaskedLm extends Encoder {
  /** Logits `[n, vocab]` of hidden states `[n, hidden]`: the rows to be predicted, gathered, and no others. */
  predict(scope: Scope, hidden: Tensor<"f32">): Tensor<"f32">;
}

/** Says of a pair of texts in one sequence how they belong together: next-sentence and sentence-order prediction. */
export interface SentencePairModel extends Encoder {
  /**
   * Logits `[n, 2]` of the hidden states `[n, hidden]` of first tokens; column 0 stands for "belongs" (next, in order),
   * as in BERT.
   */
  relate(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
}

/**
 * Puts a sequence into one of `labels` classes, or gives it numbers or independent labels: what the logits mean is the
 * task's.
 */
export interface SequenceClassifier extends Encoder {
  /**
   * What stands for a sequence before its heads: the state of its first token (default), or the mean over all of its
   * tokens.
   */
  readonly pooling?: "first" | "mean";
  /** Logits `[n, labels]` of hidden states `[n, hidden]`, pooled as `pooling` says. */
  classifySequence(scope: Scope, first: Tensor<"f32">, labels: number): Tensor<"f32">;
}

export interface TokenClassifier extends Encoder {
  /** Logits `[n, labels]` of hidden states `[n, hidden]`. */
  classifyTokens(scope: Scope, states: Tensor<"f32">, labels: number): Tensor<"f32">;
}

/** Marks the answer in a text by its first and last token. */
export interface SpanModel extends Encoder {
  /** Logits `[n, 2]` (start, end) of hidden states `[n, hidden]`. */
  markSpan(scope: Scope, states: Tensor<"f32">): Tensor<"f32">;
}

/** Scores each of several choices; the best of a question is its answer. */
export interface ChoiceModel extends Encoder {
  /** As for a sequence classifier. */
  readonly pooling?: "first" | "mean";
  /** Scores `[n, 1]` of hidden states `[n, hidden]`, pooled as `pooling` says. */
  scoreChoice(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
}

/** Everything there is to see of an encoder, for inference. A program pays only for what it puts out. */
export interface EncoderOutputs {
  /** `[batch, seq, hidden]`, after the last norm: what `encode` gives. */
  readonly last: Tensor<"f32">;
  /** layers + 1 of them, as transformers counts: the embeddings, then each layer; the last one after the last norm. */
  readonly hiddenStates: readonly Tensor<"f32">[];
  /** Probabilities `[batch, heads, seq, seq]` of each layer. Rows of padding see padding. */
  readonly attentions: readonly Tensor<"f32">[];
}

/**
 * The inputs of an encoder as feeds named `ids`, `segments` and `positions`, and `types` on demand, all `[batch, seq]`.
 */
export function encoderInputs(
  graph: Graph,
  batch: number,
  seq: number,
  { types = false }: { readonly types?: boolean } = {},
): EncoderInputs {
  const input = (name: string): Tensor<"i32"> => graph.input(name, "i32", [batch, seq]);
  return {
    ids: input("ids"),
    segments: input("segments"),
    positions: input("positions"),
    ...(types && { types: input("types") }),
  };
}

/** The parameters that `build` declares, from a trace on a graph that is thrown away: names and shapes, no values. */
export function parametersOf(build: (scope: Scope) => unknown): ReadonlyMap<string, Parameter> {
  const scope = rootScope(new Graph());
  build(scope);
  return scope.parameters;
}

/** The parameters of a masked language model: encoder and head. */
export function maskedLmParameters(model: MaskedLm): ReadonlyMap<string, Parameter> {
  return parametersOf((scope) => {
    const states = model.encode(scope, encoderInputs(scope.graph, 1, 2));
    model.predict(scope, states.reshape([-1, model.hidden]));
  });
}
