/** Normalisation layers: the composites of @cloze/graph with their parameters. */
import { layerNorm, rmsNorm, type Tensor } from "@cloze/graph";
import { ones, zeros, type Init } from "./init.ts";
import type { Scope } from "./scope.ts";

export interface LayerNormOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * LayerNorm over the last axis. Parameters: weight `[hidden]` (ones, or `init`), bias `[hidden]` (zeros; none with
 * `bias: false`). Shapes: x `[..., hidden]` f32 -> same.
 */
export function layerNormLayer(
  scope: Scope,
  x: Tensor<"f32">,
  eps = 1e-5,
  init: Init = ones,
  { bias = true }: LayerNormOptions = {},
): Tensor<"f32"> {
  const hidden = x.shape[x.rank - 1] as number;
  return scope.within(() =>
    layerNorm(
      x,
      scope.param("weight", [hidden], { init }),
      bias ? scope.param("bias", [hidden], { init: zeros }) : x.graph.full([hidden], 0, "f32"),
      eps,
    ),
  );
}

/** RMSNorm over the last axis. Parameter: weight `[hidden]`, ones. Shapes: x `[..., hidden]` f32 -> same. */
export function rmsNormLayer(scope: Scope, x: Tensor<"f32">, eps = 1e-6): Tensor<"f32"> {
  const hidden = x.shape[x.rank - 1] as number;
  return scope.within(() => rmsNorm(x, scope.param("weight", [hidden], { init: ones }), eps));
}
