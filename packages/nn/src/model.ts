/**
 * The contract between models and objectives. An objective asks for one of these and never for a model by name; a model is
 * a function of a scope and its inputs, and tracing it declares its parameters.
 *
 * Rows are packed or padded, and both are said in the same way: by segments.
 */
import { Graph, type Tensor } from "@cloze/graph";
import { rootScope, type Parameter, type Scope } from "./scope.ts";

export interface EncoderInputs {
  /** `[batch, seq]`, in [0, vocab). */
  readonly ids: Tensor<"i32">;
  /** `[batch, seq]`: 0 is padding, 1, 2, … up to seq are the sequences packed into a row. Tokens see their own segment only. */
  readonly segments: Tensor<"i32">;
  /** `[batch, seq]`: place inside the own sequence, from 0. */
  readonly positions: Tensor<"i32">;
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

/** The inputs of an encoder as feeds named `ids`, `segments` and `positions`, all `[batch, seq]`. */
export function encoderInputs(graph: Graph, batch: number, seq: number): EncoderInputs {
  const input = (name: string): Tensor<"i32"> => graph.input(name, "i32", [batch, seq]);
  return { ids: input("ids"), segments: input("segments"), positions: input("positions") };
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
