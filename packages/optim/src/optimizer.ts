/**
 * The contract of optimizers: `update` is graph, and a step is one program. What changes by step (learning rate, bias
 * correction) is a feed computed on the host; what must survive a step (moments) is declared state with a name of its
 * own.
 */
import type { Graph, HostTensor, Shape, Tensor } from "@cloze/graph";
import { grad, pullback } from "@cloze/graph";
import type { Progress } from "@cloze/schedule";

/** Tensors by parameter name. */
export type ByName = ReadonlyMap<string, Tensor<"f32">>;

/** Parameters by name, as `scope.parameters` holds them. */
export type Parameters = ReadonlyMap<string, { readonly tensor: Tensor<"f32"> }>;

export interface UpdateInputs {
  readonly graph: Graph;
  readonly parameters: Parameters;
  /** A gradient for each parameter to be trained; parameters without one stay as they are and have no state. */
  readonly gradients: ByName;
  /** f32 `[]`: every gradient is multiplied by it (see `clipScale`). */
  readonly gradScale: Tensor<"f32">;
}

export interface Update {
  /**
   * State that the program needs besides the parameters: moments, and whatever else the optimizer keeps. Zeros at the
   * start.
   */
  readonly state: readonly Tensor<"f32">[];
  /** New values by state name: parameters and optimizer state. What `program` takes as `updates`. */
  readonly updates: Readonly<Record<string, Tensor<"f32">>>;
}

export interface Optimizer {
  readonly name: string;
  /** Names of the state of these parameters (name and shape), in order: what a checkpoint of the optimizer holds. */
  stateNames(parameters: Iterable<readonly [name: string, shape: Shape]>): readonly string[];
  update(inputs: UpdateInputs): Update;
  /** False for a parameter that is to stay as it is: it is given no gradient. Absent: all move. */
  trains?(name: string, shape: Shape): boolean;
  /**
   * The state that is an average of a parameter, to be evaluated and saved beside it (see `ema`). Absent: there is
   * none.
   */
  averageOf?(parameter: string): string;
  /**
   * The scalars of update `t` (from 1) at learning rate `lr`: feeds by name. `progress` is for settings that change
   * over the run; left out, only the step t - 1 is known of it.
   */
  hostScalars(t: number, lr: number, progress?: Progress): Readonly<Record<string, HostTensor>>;
}

/**
 * Gradients of the scalar `loss` by every parameter. With `lossScale`, f32 `[]`, those of loss * lossScale: `clipScale`
 * takes the scale out again.
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
