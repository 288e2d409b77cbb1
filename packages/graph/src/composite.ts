/**
 * Composites: the open ops. A composite is a name and an expansion into other ops; nothing else is required.
 *
 * A backend that claims a composite receives the composite whole. For every other backend the pass "expand composites"
 * replaces the composite by its expansion. So there is one definition of truth, and fused kernels are still possible. A
 * composite may carry its own gradient where memory or stability needs one. Without it, the gradient is the gradient of
 * the expansion.
 *
 * Several outputs are several nodes: they share args and params and differ by `index`.
 */
import type { Tensor } from "./tensor.ts";

export type Param = number | string | boolean | null | readonly number[] | readonly string[];
export type Params = Readonly<Record<string, Param>>;

export interface Composite {
  readonly name: string;
  /**
   * The meaning, in base ops and other composites. The graph also calls it at build time, to learn the types of the
   * outputs.
   */
  readonly expand: (args: readonly Tensor[], params: Params) => readonly Tensor[];
  /**
   * Cotangents of the args from the cotangents of the outputs (undefined: no gradient flows there).
   * The result may hold undefined for an arg without a gradient. The result is undefined as a whole where the gradient
   * of the expansion must be used, for example when an output that only second derivatives reach has a cotangent.
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

/** Forgets the type of the params once, here: only `call` and the definition see params. */
export function composite<P extends Params>(definition: CompositeOf<P>): Composite {
  return definition as Composite;
}

/** Builds the outputs of a composite. All tensors must belong to one graph, and there must be at least one tensor. */
export function call(definition: Composite, args: readonly Tensor[], params: Params = {}): readonly Tensor[] {
  const first = args[0];
  if (first === undefined) throw new RangeError(`${definition.name}: a composite needs at least one argument`);
  return first.graph.call(definition, args, params);
}

/** The output of a composite that has exactly one. */
export function call1(definition: Composite, args: readonly Tensor[], params: Params = {}): Tensor {
  return call(definition, args, params)[0] as Tensor;
}
