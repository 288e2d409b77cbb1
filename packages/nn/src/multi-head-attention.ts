/**
 * Multi-head attention as one block: self-attention and its output projection, under the names of BERT and related
 * models.
 *
 *   x ─ self (query, key, value, attention) ─ output.dense ─ dropout
 */
import type { Tensor } from "@cloze/graph";
import { dropoutLayer } from "./dropout.ts";
import { linear } from "./linear.ts";
import type { Scope } from "./scope.ts";
import { attend, attentionProbabilities, queryKeyValue, type SelfAttentionOptions } from "./self-attention.ts";

export interface MultiHeadAttentionOptions extends SelfAttentionOptions {
  /** Dropout rate of the output, when training. Default 0. (`dropoutRate` is the rate of the probabilities.) */
  readonly outputDropoutRate?: number;
}

export interface Attended {
  /** States with the shape of x. */
  readonly states: Tensor<"f32">;
  /**
   * `[batch, heads, seq, seq]`, for inspection. A call builds the nodes; only a program that puts them out pays for
   * them.
   */
  probabilities(): Tensor<"f32">;
}

/**
 * Parameters: self.{query,key,value} and output.dense, each weight `[hidden, hidden]`, bias `[hidden]`.
 * Shapes: x `[batch, seq, hidden]` f32 -> same. Throws ConfigError if the number of heads does not divide hidden.
 */
export function multiHeadAttention(scope: Scope, x: Tensor<"f32">, options: MultiHeadAttentionOptions): Attended {
  const self = scope.at("self");
  const heads = queryKeyValue(self, x, options);
  const hidden = x.shape[x.rank - 1] as number;
  const mixed = linear(scope.at("output.dense"), attend(self, heads, options), hidden, options.linear);
  return {
    states: dropoutLayer(scope.at("output"), mixed, options.outputDropoutRate ?? 0),
    probabilities: () => attentionProbabilities(self, heads, options),
  };
}
