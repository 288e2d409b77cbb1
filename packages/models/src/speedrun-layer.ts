/**
 * The common parts of all forms of the speedrun encoder: the embeddings, and the layer at any width (for its formula
 * see `speedrun.ts`).
 */
import { embedding, relu, rmsNorm, type Tensor } from "@cloze/graph";
import {
  attend,
  attentionProbabilities,
  embeddingTable,
  linear,
  queryKeyValue,
  rotary,
  splitHeads,
  zeros,
  type Attended,
  type EncoderInputs,
  type Init,
  type LinearOptions,
  type Scope,
  type SelfAttentionOptions,
} from "@cloze/nn";
import type { SpeedrunConfig } from "./speedrun-config.ts";

/** The segments and positions of tokens, or of patches of tokens. */
export type Places = Pick<EncoderInputs, "segments" | "positions">;

/** Initial weights uniform over ± 1 / sqrt(columns), and no bias. */
export const matrix = (columns: number): LinearOptions => ({
  bias: false,
  init: { kind: "uniform", bound: 1 / Math.sqrt(columns) },
});
/** The last projection of a residual branch: zero at the start. */
export const silent: LinearOptions = { bias: false, init: zeros };
const STREAM: Init = { kind: "values", values: [1, 0] };
const VALUES: Init = { kind: "values", values: [0.5, 0.5] };

export const norm = (x: Tensor<"f32">, { rmsNormEps: eps }: SpeedrunConfig): Tensor<"f32"> =>
  rmsNorm(x, undefined, eps);

/** Element i of a vector, as a scalar that can be multiplied with a tensor of any rank. */
export const at = (vector: Tensor<"f32">, i: number): Tensor<"f32"> => vector.slice(0, i, i + 1).reshape([]);
const mix = (weights: Tensor<"f32">, x: Tensor<"f32">, y: Tensor<"f32">): Tensor<"f32"> =>
  x.mul(at(weights, 0)).add(y.mul(at(weights, 1)));

/** The table of token embeddings `[vocab, hidden]`. */
export const tokens = (scope: Scope, { vocab, hidden, initializerRange: std }: SpeedrunConfig): Tensor<"f32"> =>
  embeddingTable(scope.at("tokens"), { vocab, hidden, init: { kind: "normal", std } });

/** ids `[batch, seq]` -> x0 `[batch, seq, hidden]`. */
export function embeddings(scope: Scope, config: SpeedrunConfig, { ids }: EncoderInputs): Tensor<"f32"> {
  return scope.within(() => {
    const x = embedding(tokens(scope, config), ids);
    return norm(
      config.tokenDropout
        ? x.mul(
            ids
              .equal(config.maskTokenId)
              .not()
              .cast("f32")
              .reshape([...ids.shape, 1]),
          )
        : x,
      config,
    );
  });
}

/**
 * Rows of value table `i` for the ids. Parameters: values.i.weight `[vocab, width]`. -> `[batch, seq, width]`;
 * undefined where value embeddings are off.
 */
export function valueEmbedding(
  scope: Scope,
  { vocab, valueEmbeddings: on, initializerRange: std }: SpeedrunConfig,
  { ids }: Pick<EncoderInputs, "ids">,
  i: number,
  width: number,
): Tensor<"f32"> | undefined {
  return on
    ? scope.within(() =>
        embedding(
          embeddingTable(scope.at("values").at(i), { vocab, hidden: width, init: { kind: "normal", std } }),
          ids,
        ),
      )
    : undefined;
}

/** The properties by which the layers of a form differ. */
export interface LayerPlace {
  /** Index of the layer over all layers, from 0. */
  readonly depth: number;
  /** Width of the feed-forward block. */
  readonly intermediate: number;
  /** The normed embeddings `[batch, seq, hidden]`, mixed into the stream. Absent: not mixed in. */
  readonly x0?: Tensor<"f32">;
  /** `[batch, seq, width]`, mixed into attention's values. Absent: not mixed in. */
  readonly values?: Tensor<"f32"> | undefined;
}

/**
 * Parameters: lambdas `[2]` where x0 is mixed in, x0.weight `[width, hidden]` where x0 has another width, the
 * parameters of attention, mlp.up.weight `[intermediate, width]`, mlp.down.weight `[width, intermediate]`. Shapes:
 * before `[batch, seq, width]` -> states, same.
 */
export function layer(
  scope: Scope,
  config: SpeedrunConfig,
  inputs: Places,
  before: Tensor<"f32">,
  place: LayerPlace,
): Attended {
  const { x0, intermediate } = place;
  const up = scope.at("mlp.up");
  const width = before.shape[2] as number;
  return scope.within(() => {
    const x =
      x0 === undefined
        ? before
        : mix(scope.param("lambdas", [2], { init: STREAM }), before, widened(scope.at("x0"), x0, width));
    const { states: mixed, probabilities } = attention(scope.at("attention"), config, inputs, norm(x, config), place);
    const z = x.add(mixed);
    const wide = linear(up, norm(z, config), intermediate, matrix(width));
    return {
      states: z.add(
        linear(
          scope.at("mlp.down"),
          up.within(() => relu(wide).square()),
          width,
          silent,
        ),
      ),
      probabilities,
    };
  });
}

/** x at the given width: x itself where it has this width. Parameters: weight `[width, hidden]`, or none. */
export function widened(scope: Scope, x: Tensor<"f32">, width: number): Tensor<"f32"> {
  return x.shape[2] === width ? x : linear(scope, x, width, matrix(x.shape[2] as number));
}

/**
 * Parameters: query, key, value and output, each weight `[width, width]`, value_lambdas `[2]` where there are values to
 * mix in, and the parameters of differential attention.
 */
function attention(
  scope: Scope,
  config: SpeedrunConfig,
  { segments, positions }: Places,
  x: Tensor<"f32">,
  { depth, values }: LayerPlace,
): Attended {
  const { heads, ropeBase: base, attentionSoftcap: softcap, window, differentialAttention: differential } = config;
  const width = x.shape[2] as number;
  const options: SelfAttentionOptions = {
    heads,
    segments,
    linear: matrix(width),
    ...(softcap > 0 && { softcap }),
    ...(window > 0 && { window }),
    ...(differential && { differential: { layer: depth } }),
  };
  return scope.within(() => {
    const projected = queryKeyValue(scope, x, options);
    const turned = (part: Tensor<"f32">): Tensor<"f32"> => rotary(norm(part, config), { positions, base });
    const v =
      values === undefined
        ? projected.v
        : mix(scope.param("value_lambdas", [2], { init: VALUES }), projected.v, splitHeads(values, heads));
    const parts = { q: turned(projected.q), k: turned(projected.k), v };
    return {
      states: linear(scope.at("output"), attend(scope, parts, options), width, silent),
      probabilities: () => attentionProbabilities(scope, parts, options),
    };
  });
}
