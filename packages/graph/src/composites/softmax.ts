/**
 * Softmax: exp(x - max) / sum exp(x - max), computed in f32.
 *
 * Own gradient: y * (ct - sum(ct * y)). It needs only the output y.
 */
import { call1, composite, type Composite } from "../composite.ts";
import { showType } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

export const softmaxComposite: Composite = composite<{ readonly axis: number }>({
  name: "softmax",
  expand: ([x], { axis }) => {
    const shifted = (x as Tensor).sub((x as Tensor).reduceMax(axis, true).detach()).exp();
    return [shifted.div(shifted.sum(axis, true))];
  },
  vjp: ([ct], [y], _, { axis }) => {
    const weighted = (ct as Tensor).mul(y as Tensor);
    return [weighted.sub((y as Tensor).mul(weighted.sum(axis, true)))];
  },
});

/**
 * Softmax along one axis.
 *
 * Shapes: x `[...]` f32 -> same. `axis` counts from the end when negative.
 */
export function softmax(x: Tensor<"f32">, axis = -1): Tensor<"f32"> {
  const at = axis < 0 ? axis + x.rank : axis;
  if (!(at in x.shape))
    throw new ShapeError({
      op: "softmax",
      path: x.graph.path,
      expected: `an axis of ${showType(x)}`,
      got: `axis ${axis}`,
    });
  return call1(softmaxComposite, [x], { axis: at }) as Tensor<"f32">;
}

/** The log of the sum of exp along `axis`, which stays with size 1. Shapes: x `[...]` f32 -> `[..., 1, ...]`. */
export function logSumExp(x: Tensor<"f32">, axis = -1): Tensor<"f32"> {
  const max = x.reduceMax(axis, true).detach();
  return x.sub(max).exp().sum(axis, true).log().add(max);
}
