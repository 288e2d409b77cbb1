/** Dropout of a scope: active only in training (`scope.random`), with its own stream from the path of the scope. */
import { dropout, type AttentionOptions, type Tensor } from "@cloze/graph";
import type { Scope } from "./scope.ts";

/** Shapes: x `[...]` f32 -> same. Returns x itself where the rate is 0 or the scope has no randomness. */
export function dropoutLayer(scope: Scope, x: Tensor<"f32">, rate: number): Tensor<"f32"> {
  const { random } = scope;
  if (random === undefined || rate === 0) return x;
  return scope.within(() => dropout(x, { rate, stream: scope.stream, key: random.key }));
}

/** The dropout option of `attention` of @cloze/graph: dropout of attention probabilities. */
export function attentionDropout(scope: Scope, rate: number): Pick<AttentionOptions, "dropout"> {
  return scope.random === undefined || rate === 0
    ? {}
    : { dropout: { rate, stream: scope.stream, key: scope.random.key } };
}
