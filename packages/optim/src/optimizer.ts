/**
 * The contract of optimizers: `update` is graph, and a step is one program. What changes by step (learning rate, bias
 * correction) is a feed computed on the host; what must survive a step (moments) is declared state with a name of its own.
 */
import type { Graph, HostTensor, Tensor } from "@cloze/graph";
import { grad } from "@cloze/graph";

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
  /** State that the program needs besides the parameters: moments, and whatever else the optimizer keeps. Zeros at the start. */
  readonly state: readonly Tensor<"f32">[];
  /** New values by state name: parameters and optimizer state. What `program` takes as `updates`. */
  readonly updates: Readonly<Record<string, Tensor<"f32">>>;
}

export interface Optimizer {
  readonly name: string;
  /** Names of the state of these parameters, in order: what a checkpoint of the optimizer holds. */
  stateNames(parameters: Iterable<string>): readonly string[];
  update(inputs: UpdateInputs): Update;
  /** The scalars of update `t` (from 1) at learning rate `lr`: feeds by name. */
  hostScalars(t: number, lr: number): Readonly<Record<string, HostTensor>>;
}

/** Gradients of the scalar `loss` by every parameter. */
export function gradients(loss: Tensor, parameters: Parameters): Map<string, Tensor<"f32">> {
  const names = [...parameters.keys()];
  const made = grad(loss, [...parameters.values()].map((p) => p.tensor)) as Tensor<"f32">[];
  return new Map(names.map((name, i) => [name, made[i] as Tensor<"f32">]));
}

/** An f32 `[]` on the host. */
export const hostScalar = (value: number): HostTensor => ({ dtype: "f32", shape: [], data: Float32Array.of(value) });
