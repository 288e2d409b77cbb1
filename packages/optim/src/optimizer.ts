/**
 * The contract of optimizers. `update` builds graph nodes, and a step is one program. A value that changes by step
 * (learning rate, bias correction) is a feed that the host computes. A value that must survive a step (moments) is
 * declared state with its own name.
 */
import type { Graph, HostTensor, Tensor } from "@cloze/graph";
import { grad, pullback } from "@cloze/graph";
import type { Progress } from "@cloze/schedule";
import type { ParameterFacts } from "./parameter.ts";

/** Tensors by parameter name. */
export type ByName = ReadonlyMap<string, Tensor<"f32">>;

/** Parameters by name, as `scope.parameters` holds them. */
export type Parameters = ReadonlyMap<string, StepParameter>;

export interface StepParameter extends Partial<ParameterFacts> {
  readonly tensor: Tensor<"f32">;
}

/** The facts of a parameter in a step. */
export const factsOf = (name: string, parameter: StepParameter): ParameterFacts => ({
  ...parameter,
  name,
  shape: parameter.tensor.shape,
});

export interface UpdateInputs {
  readonly graph: Graph;
  readonly parameters: Parameters;
  /** A gradient for each parameter to train. A parameter without a gradient stays as it is and has no state. */
  readonly gradients: ByName;
  /** f32 `[]`: factor of every gradient (see `clipScale`). */
  readonly gradScale: Tensor<"f32">;
}

export interface Update {
  /**
   * State that the program needs besides the parameters: moments, and all other state of the optimizer. Zeros at the
   * start.
   */
  readonly state: readonly Tensor<"f32">[];
  /** New values by state name: parameters and optimizer state. `program` takes them as `updates`. */
  readonly updates: Readonly<Record<string, Tensor<"f32">>>;
}

export interface Optimizer {
  readonly name: string;
  /**
   * Names of the state of these parameters, in order. A checkpoint of the optimizer holds this state.
   */
  stateNames(parameters: Iterable<ParameterFacts>): readonly string[];
  update(inputs: UpdateInputs): Update;
  /** False for a frozen parameter, which gets no gradient. Absent: all parameters train. */
  trains?(parameter: ParameterFacts): boolean;
  /**
   * The state that is an average of a parameter, to evaluate and save beside the parameter (see `ema`). Absent: there
   * is no average.
   */
  averageOf?(parameter: string): string;
  /**
   * The scalars of update `t` (from 1) at learning rate `lr`: feeds by name. `progress` is for settings that change
   * over the run. Absent: only the step t - 1 is known.
   */
  hostScalars(t: number, lr: number, progress?: Progress): Readonly<Record<string, HostTensor>>;
}

/**
 * Gradients of the scalar `loss` by every parameter. With `lossScale`, f32 `[]`: gradients of loss * lossScale;
 * `clipScale` removes the scale again.
 */
export function gradients(loss: Tensor, parameters: Parameters, lossScale?: Tensor<"f32">): Map<string, Tensor<"f32">> {
  const tensors = [...parameters.values()].map((p) => p.tensor);
  const made =
    lossScale === undefined
      ? grad(loss, tensors)
      : pullback([loss], [lossScale], tensors).map((g, i) => g ?? zerosLike(tensors[i] as Tensor<"f32">));
  return new Map([...parameters.keys()].map((name, i) => [name, made[i] as Tensor<"f32">]));
}

const zerosLike = (x: Tensor<"f32">): Tensor<"f32"> => x.graph.full(x.shape, 0, "f32");

/** An f32 `[]` on the host. */
export const hostScalar = (value: number): HostTensor => ({ dtype: "f32", shape: [], data: Float32Array.of(value) });
