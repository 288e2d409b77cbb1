/** The position-wise feed-forward block of a transformer: up, activation, down. */
import type { Tensor } from "@cloze/graph";
import { linear, type LinearOptions } from "./linear.ts";
import type { Scope } from "./scope.ts";

export interface FeedForwardOptions {
  /** Width between the two linear layers. */
  readonly intermediate: number;
  readonly activation: (x: Tensor<"f32">) => Tensor<"f32">;
  /** Names of the two linear layers. Default: the names of BERT. */
  readonly up?: string;
  readonly down?: string;
  readonly linear?: LinearOptions;
}

/**
 * Parameters: `up` (default intermediate.dense) `[intermediate, hidden]` and `down` (default output.dense) `[hidden,
 * intermediate]`. Shapes: x `[..., hidden]` f32 -> same.
 */
export function feedForward(scope: Scope, x: Tensor<"f32">, options: FeedForwardOptions): Tensor<"f32"> {
  const { intermediate, activation, up = "intermediate.dense", down = "output.dense" } = options;
  const widened = linear(scope.at(up), x, intermediate, options.linear);
  return linear(
    scope.at(down),
    scope.at(up).within(() => activation(widened)),
    x.shape[x.rank - 1] as number,
    options.linear,
  );
}
