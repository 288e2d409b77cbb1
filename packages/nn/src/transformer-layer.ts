/**
 * A layer of a transformer encoder: attention and the position-wise block, each with a residual and a norm.
 *
 *   post-norm   y = norm(x + attention(x))        z = norm(y + feedForward(y))        BERT
 *   pre-norm y = x + attention(norm(x)) z = y + feedForward(norm(y)) ESM-2; a norm after the last layer
 *
 * Sources: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; Xiong et al. 2020, arXiv:2002.04745, on the place of the
 * norm.
 */
import type { Tensor } from "@cloze/graph";
import { dropoutLayer } from "./dropout.ts";
import { feedForward } from "./feed-forward.ts";
import { layerNormLayer } from "./layer-norm.ts";
import { multiHeadAttention, type Attended, type MultiHeadAttentionOptions } from "./multi-head-attention.ts";
import type { Scope } from "./scope.ts";

export interface TransformerLayerOptions extends MultiHeadAttentionOptions {
  readonly norm: "pre" | "post";
  readonly eps: number;
  /** Width of the position-wise block. */
  readonly intermediate: number;
  readonly activation: (x: Tensor<"f32">) => Tensor<"f32">;
}

/** Names of the two norms in checkpoints. */
const NORMS = {
  pre: { attention: "attention.LayerNorm", feedForward: "LayerNorm" },
  post: { attention: "attention.output.LayerNorm", feedForward: "output.LayerNorm" },
} as const;

/**
 * Parameters: attention.{self.query,self.key,self.value,output.dense}, intermediate.dense, output.dense, and two norms:
 * attention.output.LayerNorm and output.LayerNorm (post), attention.LayerNorm and LayerNorm (pre).
 * Shapes: x `[batch, seq, hidden]` f32 -> states, same. `outputDropoutRate` is the rate of both blocks.
 */
export function transformerLayer(scope: Scope, x: Tensor<"f32">, options: TransformerLayerOptions): Attended {
  const { norm, eps, intermediate, activation, linear, outputDropoutRate = 0 } = options;
  const names = NORMS[norm];
  const normed = (where: typeof norm, name: string, states: Tensor<"f32">): Tensor<"f32"> =>
    norm === where ? layerNormLayer(scope.at(name), states, eps) : states;
  const { states, probabilities } = multiHeadAttention(
    scope.at("attention"),
    normed("pre", names.attention, x),
    options,
  );
  const y = normed("post", names.attention, x.add(states));
  const fed = feedForward(scope, normed("pre", names.feedForward, y), {
    intermediate,
    activation,
    ...(linear && { linear }),
  });
  return {
    states: normed("post", names.feedForward, y.add(dropoutLayer(scope.at("output"), fed, outputDropoutRate))),
    probabilities,
  };
}

export interface Stacked {
  /** count + 1 tensors: x, then the output of each layer. */
  readonly states: readonly Tensor<"f32">[];
  /** The probabilities of each layer, as in `Attended`. */
  probabilities(): readonly Tensor<"f32">[];
}

/**
 * A stack of `count` layers, in the scopes 0, 1, 2, … at the depths 1, 2, 3, … Differential attention receives the
 * number of its layer. Shapes: x `[batch, seq, hidden]` f32 -> states, each of the same shape.
 */
export function transformerLayers(
  scope: Scope,
  x: Tensor<"f32">,
  count: number,
  options: TransformerLayerOptions,
): Stacked {
  const layers: Attended[] = [];
  const { differential } = options;
  const of = (layer: number): TransformerLayerOptions =>
    differential ? { ...options, differential: { ...differential, layer } } : options;
  for (let i = 0; i < count; i++)
    layers.push(transformerLayer(scope.at(i, { depth: i + 1 }), layers.at(-1)?.states ?? x, of(i)));
  return {
    states: [x, ...layers.map(({ states }) => states)],
    probabilities: () => layers.map((layer) => layer.probabilities()),
  };
}
