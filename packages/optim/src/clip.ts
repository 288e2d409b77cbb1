/**
 * Clipping by the global norm, on the graph. One scalar turns gradients of a summed loss into the clipped gradients of
 * its mean. The optimizer's step multiplies this scalar in, so that no gradient is written twice.
 *
 *   norm  = |sum gradients| / weight                  (of the mean loss, before clipping: the norm to log)
 *   scale = min(1, maxNorm / (norm + 1e-6)) / weight  (1e-6 as in torch.nn.utils.clip_grad_norm_)
 *
 * Where the gradients have a loss scale, the scalar divides by the loss scale too. With weight 0 (a batch without
 * predictions) scale and norm are 0, never NaN. A gradient that is not finite gives a norm that is not finite; the
 * caller decides what to do then.
 */
import type { Tensor } from "@cloze/graph";
import type { ByName } from "./optimizer.ts";

export interface ClipOptions {
  /** Largest norm. Absent: no clipping; the norm is still computed. */
  readonly maxNorm?: number;
  /** f32 `[]`: weight of the summed loss (e.g. predicted tokens). Absent: 1. */
  readonly weight?: Tensor<"f32">;
  /** f32 `[]`: the loss scale of `gradients`. */
  readonly lossScale?: Tensor<"f32">;
}

export interface ClipScale {
  /** f32 `[]`. */
  readonly scale: Tensor<"f32">;
  /** f32 `[]`. */
  readonly norm: Tensor<"f32">;
}

/** The scale and the norm. Throws RangeError if there are no gradients. */
export function clipScale(gradients: ByName, { maxNorm, weight, lossScale }: ClipOptions = {}): ClipScale {
  const sum = globalNorm(gradients);
  const { graph } = sum;
  return graph.within("clip", () => {
    const one = graph.const(1, "f32");
    const mean = weight === undefined ? one : weight.greater(0).select(one.div(weight), 0);
    const share = lossScale === undefined ? mean : mean.div(lossScale);
    const norm = sum.mul(share);
    if (maxNorm === undefined) return { scale: share, norm };
    return { scale: graph.const(maxNorm, "f32").div(norm.add(1e-6)).min(1).mul(share), norm };
  });
}

/** Root of the sum of squares over all gradients, f32 `[]`. */
export function globalNorm(gradients: ByName): Tensor<"f32"> {
  const [first, ...rest] = [...gradients.values()];
  if (first === undefined) throw new RangeError("globalNorm: expected at least one gradient, got none");
  return first.graph.within("clip", () =>
    rest.reduce((sum, g) => sum.add(g.square().sum()), first.square().sum()).sqrt(),
  );
}
