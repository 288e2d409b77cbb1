/**
 * Linear layer: y = x W^T + b, with W stored `[out, in]` as in every Hugging Face checkpoint.
 *
 * Leading axes are flattened, so that a backend sees one large 2-D matmul instead of a batch of small ones.
 */
import { sizeOf, type Tensor } from "@cloze/graph";
import { normal02, zeros, type Init } from "./init.ts";
import type { Scope } from "./scope.ts";

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Initial distribution of the weight. Default normal with std 0.02. */
  readonly init?: Init;
  /** Initial distribution of the bias. Default zeros. */
  readonly biasInit?: Init;
  /** Number of matrices that the weight holds one below the other. Default 1. */
  readonly stacked?: number;
}

/**
 * Parameters: weight `[out, in]`, bias `[out]`.
 * Shapes: x `[..., in]` f32 -> `[..., out]`.
 */
export function linear(scope: Scope, x: Tensor<"f32">, out: number, options: LinearOptions = {}): Tensor<"f32"> {
  const { bias = true, init = normal02, biasInit = zeros, stacked } = options;
  const width = x.shape[x.rank - 1] as number;
  return scope.within(() => {
    const weight = scope.param("weight", [out, width], { init, ...(stacked !== undefined && { stacked }) });
    const rows = sizeOf(x.shape) / width;
    const flat = project(x.rank === 2 ? x : x.reshape([rows, width]), weight);
    const y = bias ? flat.add(scope.param("bias", [out], { init: biasInit })) : flat;
    return x.rank === 2 ? y : y.reshape([...x.shape.slice(0, -1), out]);
  });
}

/** x W^T for a weight of another layer (a tied decoder). Shapes: x `[n, in]`, weight `[out, in]` -> `[n, out]`. */
export function project(x: Tensor<"f32">, weight: Tensor<"f32">): Tensor<"f32"> {
  return x.matmul(weight, { transposeB: true });
}
