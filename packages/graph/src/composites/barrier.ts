/**
 * The identity of its first argument, computed no sooner than its second: what keeps a value that is computed again
 * apart from the first time it was computed, which equal nodes are not (see `rematerialise.ts`).
 *
 * A backend that claims it keeps the two apart and treats the result as another name of the first argument: nothing is
 * copied. For every other one it expands to that argument: the copies fall together again, which saves nothing and
 * changes no value.
 */
import { call1, composite, type Composite } from "../composite.ts";
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";

export const barrierComposite: Composite = composite({
  name: "barrier",
  expand: ([x]) => [x as Tensor],
});

/** Shapes: x any, after any -> x. */
export function barrier<D extends DType>(x: Tensor<D>, after: Tensor): Tensor<D> {
  return call1(barrierComposite, [x, after]) as Tensor as Tensor<D>;
}
