/** The programs of inference: one for each shape and for what it puts out. A program pays only for its outputs. */
import { UnsupportedError } from "@cloze/errors";
import { Graph, program, type Program, type Tensor } from "@cloze/graph";
import { encoderInputs, rootScope, type EncoderInputs, type MaskedLm, type Scope } from "@cloze/nn";

/**
 * A masked language model, and what it may show of its inside. Models of `@cloze/models` show all of it that they have.
 */
export interface InferenceModel extends MaskedLm {
  /** Longest sequence that it can take; absent: any. */
  readonly maxPositions?: number;
  /** Token types (texts in a sequence) that it tells apart; absent: it has none. */
  readonly tokenTypes?: number;
  /**
   * A sequence's own vector `[n, hidden]`, from the last hidden states `[n, hidden]` of first tokens: BERT's pooler.
   */
  pool?(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
  outputs?(
    scope: Scope,
    inputs: EncoderInputs,
  ): {
    /** layers + 1, each `[batch, seq, hidden]`: the embeddings, then each layer; the last one after the final norm. */
    readonly hiddenStates: readonly Tensor<"f32">[];
    /** Probabilities `[batch, heads, seq, seq]` of each layer. */
    readonly attentions: readonly Tensor<"f32">[];
  };
  /** Contact probabilities `[batch, seq - 2, seq - 2]`. */
  contacts?(scope: Scope, inputs: EncoderInputs, attentions: readonly Tensor<"f32">[]): Tensor<"f32">;
}

/** What one program computes. Plain data: its text is the key it is kept under. */
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
  /** `pooled` `[rows, hidden]`: this layer's states, summed with the feed `weights` f32 `[rows, seq]`. */
  readonly pooled?: number;
  /** `pooled` is sent through the model's own pooler. */
  readonly pooler?: boolean;
  /** Takes the feed `types` i32 `[rows, seq]`. */
  readonly types?: boolean;
  /** `predictions` `[n, vocab]`: logits at the feed `at` i32 `[n]`, flat places in `[rows, seq]`. */
  readonly predictions?: number;
}

/** Throws UnsupportedError where the model does not show what is asked for. */
export function inferenceProgram(model: InferenceModel, spec: ProgramSpec): Program {
  const { rows, seq } = spec;
  const graph = new Graph();
  const scope = rootScope(graph);
  const inputs = encoderInputs(graph, rows, seq, { types: spec.types ?? false });
  const { hiddenStates, attentions } = trace(model, scope, inputs, spec);
  const last = hiddenStates.at(-1) as Tensor<"f32">;
  const outputs: Record<string, Tensor> = {};
  const feeds: Tensor[] = Object.values(inputs);
  const flat = (): Tensor<"f32"> => last.reshape([rows * seq, model.hidden]);
  if (spec.logits) outputs["logits"] = model.predict(scope, flat()).reshape([rows, seq, model.vocab]);
  for (const layer of spec.states ?? []) outputs[`states.${layer}`] = hiddenStates[layer] as Tensor<"f32">;
  if (spec.attentions)
    attentions.forEach((each, i) => {
      outputs[`attentions.${i}`] = each;
    });
  if (spec.contacts) outputs["contacts"] = contactsOf(model)(scope, inputs, attentions);
  if (spec.pooled !== undefined) {
    const weights = graph.input("weights", "f32", [rows, seq]);
    const column = weights.reshape([rows, seq, 1]);
    feeds.push(weights);
    // Nothing is promised of what stands at padding: it is chosen away, not multiplied by 0.
    const pooled = column
      .greater(0)
      .select(hiddenStates[spec.pooled] as Tensor<"f32">, 0)
      .mul(column)
      .sum(1);
    outputs["pooled"] = spec.pooler ? poolerOf(model)(scope, pooled) : pooled;
  }
  if (spec.predictions !== undefined) {
    const at = graph.input("at", "i32", [spec.predictions]);
    feeds.push(at);
    outputs["predictions"] = model.predict(scope, flat().gather(at));
  }
  return program(graph, { state: [...scope.parameters.values()].map((p) => p.tensor), outputs, feeds });
}

/** Of a model that shows only its last hidden states, layer 0 is that one. */
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

/** What a model shows of its inside, counted. */
export interface Inside {
  /** layers + 1, or 1 where there is only the last. */
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
