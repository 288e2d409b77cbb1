/** Dropout of a scope: only when training (`scope.random`), with a stream of its own by the scope's path. */
import { dropout, type AttentionOptions, type Tensor } from "@cloze/graph";
import type { Scope } from "./scope.ts";

/** Shapes: x `[...]` f32 -> same; x itself where the rate is 0 or the scope has no randomness. */
export function dropoutLayer(scope: Scope, x: Tensor<"f32">, rate: number): Tensor<"f32"> {
  const { random } = scope;
  if (random === undefined || rate === 0) return x;
  return scope.within(() => dropout(x, { rate, stream: scope.stream, key: random.key }));
}

/** Dropout of attention probabilities, as `attention` of @cloze/graph takes it. */
export function attentionDropout(scope: Scope, rate: number): Pick<AttentionOptions, "dropout"> {
  return scope.random === undefined || rate === 0
    ? {}
    : { dropout: { rate, stream: scope.stream, key: scope.random.key } };
}
