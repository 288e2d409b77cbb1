/**
 * The contract between models and objectives. An objective requires one of these interfaces and never a model by name.
 * A model is a function of a scope and its inputs. Tracing the model declares its parameters.
 *
 * Rows are packed or padded. In both cases segments describe the row.
 */
import { Graph, type Tensor } from "@cloze/graph";
import { rootScope, type Parameter, type Scope } from "./scope.ts";

export interface EncoderInputs {
  /** `[batch, seq]`, in [0, vocab). */
  readonly ids: Tensor<"i32">;
  /**
   * `[batch, seq]`: 0 is padding; 1, 2, … up to seq are the sequences packed into a row. A token sees only its own
   * segment.
   */
  readonly segments: Tensor<"i32">;
  /** `[batch, seq]`: place inside the token's own sequence, from 0. */
  readonly positions: Tensor<"i32">;
  /**
   * `[batch, seq]`: 0 for the first text of a pair, 1 for the second (`token_type_ids`). Absent: all 0. Models without
   * type embeddings ignore this input.
   */
  readonly types?: Tensor<"i32">;
}

export interface Encoder {
  readonly hidden: number;
  readonly vocab: number;
  /** Hidden states `[batch, seq, hidden]` after the last layer and its norm. The states at padding are undefined. */
  encode(scope: Scope, inputs: EncoderInputs): Tensor<"f32">;
}

export interface MaskedLm extends Encoder {
  /** Logits `[n, vocab]` of hidden states `[n, hidden]`: only the rows to predict, already gathered. */
  predict(scope: Scope, hidden: Tensor<"f32">): Tensor<"f32">;
}

/** Predicts how the two texts of a pair belong together: next-sentence and sentence-order prediction. */
export interface SentencePairModel extends Encoder {
  /**
   * Logits `[n, 2]` of the hidden states `[n, hidden]` of first tokens; column 0 stands for "belongs" (next, in order),
   * as in BERT.
   */
  relate(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
}

/**
 * Gives a sequence one of `labels` classes, or numbers, or independent labels: the task decides the meaning of the
 * logits.
 */
export interface SequenceClassifier extends Encoder {
  /**
   * The vector of a sequence before the classifier: the state of its first token (default), or the mean over all its
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

/** Marks the answer in a text by the answer's first and last token. */
export interface SpanModel extends Encoder {
  /** Logits `[n, 2]` (start, end) of hidden states `[n, hidden]`. */
  markSpan(scope: Scope, states: Tensor<"f32">): Tensor<"f32">;
}

/** Scores each of several choices. The choice with the best score is the answer to a question. */
export interface ChoiceModel extends Encoder {
  /** As in `SequenceClassifier`. */
  readonly pooling?: "first" | "mean";
  /** Scores `[n, 1]` of hidden states `[n, hidden]`, pooled as `pooling` says. */
  scoreChoice(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
}

/** All states of an encoder, for inference. A program pays only for the states that it puts out. */
export interface EncoderOutputs {
  /** `[batch, seq, hidden]`, after the last norm: the result of `encode`. */
  readonly last: Tensor<"f32">;
  /**
   * layers + 1 tensors, as transformers counts them: the embeddings, then each layer. The last tensor is after the last
   * norm.
   */
  readonly hiddenStates: readonly Tensor<"f32">[];
  /** Probabilities `[batch, heads, seq, seq]` of each layer. Rows of padding see padding. */
  readonly attentions: readonly Tensor<"f32">[];
}

/**
 * The inputs of an encoder as feeds `[batch, seq]` named `ids`, `segments` and `positions`; with `types: true` also
 * `types`.
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

/** The inputs of an encoder from feeds of the same names; `types` may be absent. */
export function encoderInputsOf(feeds: Readonly<Record<string, Tensor>>): EncoderInputs {
  const { ids, segments, positions, types } = feeds as Readonly<
    Record<"ids" | "segments" | "positions", Tensor<"i32">>
  > & { readonly types?: Tensor<"i32"> };
  return { ids, segments, positions, ...(types && { types }) };
}

/**
 * The parameters that `build` declares: names and shapes, no values. The trace is on a graph that is then discarded.
 */
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
