/** The programs of inference: one for each shape and each set of outputs. A program computes only its own outputs. */
import { UnsupportedError } from "@cloze/errors";
import { Graph, type Program, type Tensor, type TensorType } from "@cloze/graph";
import {
  encoderInputs,
  encoderInputsOf,
  openTrace,
  programOf,
  rootScope,
  type EncoderInputs,
  type MaskedLm,
  type Scope,
} from "@cloze/nn";

/**
 * A masked language model, with optional access to its internals. Models of `@cloze/models` give access to all
 * internals that they have.
 */
export interface InferenceModel extends MaskedLm {
  /** Longest sequence that the model accepts; absent: any length. */
  readonly maxPositions?: number;
  /** Number of token types (texts in a sequence) that the model distinguishes; absent: the model has no token types. */
  readonly tokenTypes?: number;
  /**
   * One vector for each sequence, `[n, hidden]`, from the last hidden states `[n, hidden]` of the first tokens: BERT's
   * pooler.
   */
  pool?(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
  outputs?(
    scope: Scope,
    inputs: EncoderInputs,
  ): {
    /**
     * layers + 1 tensors `[batch, seq, hidden]`: the embeddings, then the output of each layer. The last one is taken
     * after the final norm.
     */
    readonly hiddenStates: readonly Tensor<"f32">[];
    /** Probabilities `[batch, heads, seq, seq]` of each layer. */
    readonly attentions: readonly Tensor<"f32">[];
  };
  /** Contact probabilities `[batch, seq - 2, seq - 2]`. */
  contacts?(scope: Scope, inputs: EncoderInputs, attentions: readonly Tensor<"f32">[]): Tensor<"f32">;
}

/** The outputs of one program, as plain data. Its JSON text is the key of the program in the cache. */
export interface ProgramSpec {
  readonly rows: number;
  readonly seq: number;
  /** `logits` `[rows, seq, vocab]`. */
  readonly logits?: boolean;
  /** `states.N` `[rows, seq, hidden]` for each layer N. */
  readonly states?: readonly number[];
  /** `attentions.N` `[rows, heads, seq, seq]` for every layer. */
  readonly attentions?: boolean;
  /** `contacts` `[rows, seq - 2, seq - 2]`. */
  readonly contacts?: boolean;
  /**
   * `pooled.N` `[rows, hidden]` for each layer N: its states, summed with the weights of the feed `weights` f32 `[rows,
   * seq]`.
   */
  readonly pooled?: readonly number[];
  /** Applies the model's own pooler to what is pooled. */
  readonly pooler?: boolean;
  /** Takes the feed `types` i32 `[rows, seq]`. */
  readonly types?: boolean;
  /**
   * `predictions` `[n, vocab]`: logits at the positions of the feed `at` i32 `[n]`, flat indices into `[rows, seq]`.
   */
  readonly predictions?: number;
}

/** Builds the program of `spec`. Throws UnsupportedError if the model does not give access to an output. */
export function inferenceProgram(model: InferenceModel, spec: ProgramSpec): Program {
  const { rows, seq } = spec;
  const ofTokens: TensorType = { dtype: "i32", shape: [rows, seq] };
  const opened = openTrace({
    ids: ofTokens,
    segments: ofTokens,
    positions: ofTokens,
    ...(spec.types && { types: ofTokens }),
    ...(spec.pooled !== undefined && { weights: { dtype: "f32", shape: [rows, seq] } }),
    ...(spec.predictions !== undefined && { at: { dtype: "i32", shape: [spec.predictions] } }),
  });
  const { scope, feeds } = opened;
  const inputs = encoderInputsOf(feeds);
  const { hiddenStates, attentions } = trace(model, scope, inputs, spec);
  const last = hiddenStates.at(-1) as Tensor<"f32">;
  const outputs: Record<string, Tensor> = {};
  const flat = (): Tensor<"f32"> => last.reshape([rows * seq, model.hidden]);
  if (spec.logits) outputs["logits"] = model.predict(scope, flat()).reshape([rows, seq, model.vocab]);
  for (const layer of spec.states ?? []) outputs[`states.${layer}`] = hiddenStates[layer] as Tensor<"f32">;
  if (spec.attentions)
    attentions.forEach((each, i) => {
      outputs[`attentions.${i}`] = each;
    });
  if (spec.contacts) outputs["contacts"] = contactsOf(model)(scope, inputs, attentions);
  if (spec.pooled !== undefined) {
    const column = (feeds["weights"] as Tensor<"f32">).reshape([rows, seq, 1]);
    for (const layer of spec.pooled) {
      // Values at padding can be anything, even NaN. So a select removes them; a product with 0 would not.
      const pooled = column
        .greater(0)
        .select(hiddenStates[layer] as Tensor<"f32">, 0)
        .mul(column)
        .sum(1);
      outputs[`pooled.${layer}`] = spec.pooler ? poolerOf(model)(scope, pooled) : pooled;
    }
  }
  if (spec.predictions !== undefined)
    outputs["predictions"] = model.predict(scope, flat().gather(feeds["at"] as Tensor<"i32">));
  return programOf(opened, { outputs });
}

/** The internals that `spec` needs. If the model gives only its last hidden states, layer 0 is the last one. */
function trace(
  model: InferenceModel,
  scope: Scope,
  inputs: EncoderInputs,
  spec: ProgramSpec,
): ReturnType<NonNullable<InferenceModel["outputs"]>> {
  if (model.outputs) return model.outputs(scope, inputs);
  if (spec.attentions || spec.contacts)
    throw new UnsupportedError(
      "this model does not show its attention maps: logits and embeddings of the last layer are what it gives.",
    );
  return { hiddenStates: [model.encode(scope, inputs)], attentions: [] };
}

function contactsOf(model: InferenceModel): NonNullable<InferenceModel["contacts"]> {
  if (!model.contacts) throw new UnsupportedError("this model has no contact head. ESM-2 has one.");
  return model.contacts.bind(model);
}

function poolerOf(model: InferenceModel): NonNullable<InferenceModel["pool"]> {
  if (!model.pool) throw new UnsupportedError('pooling "pooler": this model has no pooler. Use "mean" or "cls".');
  return model.pool.bind(model);
}

/** The numbers of internals that a model gives access to. */
export interface Inside {
  /** layers + 1, or 1 if the model gives only its last hidden states. */
  readonly hiddenStates: number;
  readonly attentions: number;
  readonly heads: number;
}

export function insideOf(model: InferenceModel): Inside {
  if (!model.outputs) return { hiddenStates: 1, attentions: 0, heads: 0 };
  const graph = new Graph();
  const { hiddenStates, attentions } = model.outputs(rootScope(graph), encoderInputs(graph, 1, 2));
  return { hiddenStates: hiddenStates.length, attentions: attentions.length, heads: attentions[0]?.shape[1] ?? 0 };
}
