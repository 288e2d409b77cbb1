/**
 * The gated position-wise block: one projection makes the input of the activation and its gate.
 *
 *   [a, g] = up(x)      y = down(activation(a) * g)      GeGLU with gelu, SwiGLU with silu
 *
 * Source: Shazeer 2020, arXiv:2002.05202. The halves are in ModernBERT's order: first the input of the activation, then
 * the gate.
 */
import type { Tensor } from "@cloze/graph";
import { dropoutLayer } from "./dropout.ts";
import type { FeedForwardOptions } from "./feed-forward.ts";
import { linear } from "./linear.ts";
import type { Scope } from "./scope.ts";

export interface GatedFeedForwardOptions extends FeedForwardOptions {
  readonly up: string;
  readonly down: string;
  /** Options of `down`, in place of `linear`. */
  readonly downLinear?: FeedForwardOptions["linear"];
  /** Dropout rate of the input of `down`, when training. Default 0. */
  readonly dropoutRate?: number;
}

/**
 * Parameters: `up` `[2 intermediate, hidden]` and `down` `[hidden, intermediate]`.
 * Shapes: x `[..., hidden]` f32 -> same.
 */
export function gatedFeedForward(scope: Scope, x: Tensor<"f32">, options: GatedFeedForwardOptions): Tensor<"f32"> {
  const { intermediate, activation, up, down, dropoutRate = 0, downLinear = options.linear } = options;
  const last = x.rank - 1;
  const both = linear(scope.at(up), x, 2 * intermediate, options.linear);
  const gated = scope
    .at(up)
    .within(() => activation(both.slice(last, 0, intermediate)).mul(both.slice(last, intermediate, 2 * intermediate)));
  return linear(scope.at(down), dropoutLayer(scope.at(down), gated, dropoutRate), x.shape[last] as number, downLinear);
}
