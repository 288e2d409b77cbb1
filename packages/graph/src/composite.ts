/**
 * Composites: ops that are open. A composite is a name and an expansion into other ops; nothing else is required.
 *
 * A backend that claims a composite receives it whole; for every other one the pass "expand composites" puts the
 * expansion in its place: one definition of truth, and still fused kernels. A composite may carry its own gradient
 * where memory or stability wants one; without it, the gradient is that of the expansion.
 *
 * Several outputs are several nodes that share args and params and differ by `index`.
 */
import type { Tensor } from "./tensor.ts";

export type Param = number | string | boolean | null | readonly number[] | readonly string[];
export type Params = Readonly<Record<string, Param>>;

export interface Composite {
  readonly name: string;
  /** The meaning, in base ops and other composites. Called at build time too, to learn the types of the outputs. */
  readonly expand: (args: readonly Tensor[], params: Params) => readonly Tensor[];
  /**
   * Cotangents of the args, given those of the outputs (undefined where nothing flows).
   * May hold undefined for an arg without a gradient; returns undefined where the gradient of the expansion is to be
   * taken (a cotangent of an output that only second derivatives reach, say).
   */
  readonly vjp?: (
    cotangents: readonly (Tensor | undefined)[],
    outputs: readonly Tensor[],
    args: readonly Tensor[],
    params: Params,
  ) => readonly (Tensor | undefined)[] | undefined;
}

export interface CompositeOf<P extends Params> extends Omit<Composite, "expand" | "vjp"> {
  readonly expand: (args: readonly Tensor[], params: P) => readonly Tensor[];
  readonly vjp?: (
    cotangents: readonly (Tensor | undefined)[],
    outputs: readonly Tensor[],
    args: readonly Tensor[],
    params: P,
  ) => readonly (Tensor | undefined)[] | undefined;
}

/** Forgets the params' type once, here: `call` and the definition are the only ones that see params. */
export function composite<P extends Params>(definition: CompositeOf<P>): Composite {
  return definition as Composite;
}

/** Builds the outputs of a composite. All tensors must be of one graph; there must be at least one. */
export function call(definition: Composite, args: readonly Tensor[], params: Params = {}): readonly Tensor[] {
  const first = args[0];
  if (first === undefined) throw new RangeError(`${definition.name}: a composite needs at least one argument`);
  return first.graph.call(definition, args, params);
}

/** The only output of a composite that has one. */
export function call1(definition: Composite, args: readonly Tensor[], params: Params = {}): Tensor {
  return call(definition, args, params)[0] as Tensor;
}
