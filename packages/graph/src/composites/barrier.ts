/**
 * The barrier, which orders work: it has the value of its first argument, and may not run before its second argument.
 * Equal nodes are one node; the barrier keeps the second computation of a value apart from the first computation (see
 * `rematerialise.ts`).
 *
 * A backend that claims the barrier keeps the two computations apart and treats the result as an alias of the first
 * argument: it copies nothing. For every other backend the barrier expands to its first argument. Then the two
 * computations are one again, which saves no memory and changes no value.
 */
import { call1, composite, type Composite } from "../composite.ts";
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";

export const barrierComposite: Composite = composite({
  name: "barrier",
  expand: ([x]) => [x as Tensor],
});

/** Shapes: x any, after any -> same as x. */
export function barrier<D extends DType>(x: Tensor<D>, after: Tensor): Tensor<D> {
  return call1(barrierComposite, [x, after]) as Tensor as Tensor<D>;
}
