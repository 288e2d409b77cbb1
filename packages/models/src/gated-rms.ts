/**
 * The encoder of AMPLIFY and NeoBERT: pre-norm, with RMSNorm, rotary positions and SwiGLU, and the heads of its tasks.
 *
 *   ids ─ embedding ─ layer ─ … ─ layer ─ norm ─ hidden
 *
 *   layer:  x ─┬─ norm ─ q, k, v ─ rotary ─ attention ─ wo ─ + ─┬─ norm ─ w12 ─ silu(a) * g ─ w3 ─ +
 *              └─────────────────────────────────────────────┘  └──────────────────────────────────┘
 *   masked tokens    hidden at the predicted positions ─ decoder, which is not tied
 *   a sequence       hidden of its first token ─ dropout ─ dense ─ tanh ─ dropout ─ classifier
 *   every token      hidden of this token ─ dropout ─ dense ─ tanh ─ dropout ─ classifier
 *
 * Rotary positions turn neighbouring channels together (2c with 2c + 1), not halves. So the channels of q and k are
 * first reordered into halves: all even channels of a head, then all odd channels. The products of q and k do not
 * depend on the order, and the split into heads moves the numbers anyway.
 *
 * Initial weights: uniform over ± `linearRange` for matrices and ± `embeddingRange` for the table, norms 1, biases 0.
 * (NeoBERT's code leaves its decoder's bias at torch's default.)
 *
 * Sources: Fournier et al. 2024, "Protein language models: is scaling necessary?"; Le Breton et al. 2025,
 * arXiv:2502.19587. The names of tensors are the names of chandar-lab's own modules. Checked against a plain PyTorch
 * implementation, tooling/golden/gated-rms.py.
 */
import { dims, silu, type Tensor } from "@cloze/graph";
import {
  HEAD,
  attend,
  attentionProbabilities,
  dropoutLayer,
  embeddingLayer,
  gatedFeedForward,
  linear,
  rmsNormLayer,
  rotary,
  zeros,
  type Attended,
  type EncoderInputs,
  type EncoderOutputs,
  type Heads,
  type Init,
  type LinearOptions,
  type MaskedLm,
  type Scope,
  type SelfAttentionOptions,
  type SequenceClassifier,
  type TokenClassifier,
} from "@cloze/nn";
import { flopsPerToken, type FlopsOptions } from "./flops.ts";
import { gatedWidth, type GatedRmsConfig } from "./gated-rms-config.ts";

/** The parameter names of a family. */
export interface GatedRmsNames {
  /** Prefix of the encoder's names; "" for no prefix. */
  readonly encoder: string;
  /** q, k and v as three matrices, or one matrix `qkv` whose rows are, head by head, the rows of q, k and v. */
  readonly projections: "apart" | "by head";
  readonly embeddingNorm: string;
  readonly lastNorm: string;
}

export interface GatedRmsOptions {
  /** Starts from masked-token logits of exactly 0, with a decoder of zeros. Default false: the start of upstream. */
  readonly zeroInitHead?: boolean;
}

export interface GatedRms extends MaskedLm, SequenceClassifier, TokenClassifier {
  readonly config: GatedRmsConfig;
  /** Longest sequence by design. */
  readonly maxPositions: number;
  /** All states, for inference. A program pays only for the states that it puts out. */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
}

/** The model. The caller has already checked `config`. */
export function gatedRms(
  config: GatedRmsConfig,
  names: GatedRmsNames,
  { zeroInitHead = false }: GatedRmsOptions = {},
): GatedRms {
  const { hidden, vocab, maxPositions, classifierDropoutRate: rate } = config;
  const place = (scope: Scope): Scope => (names.encoder === "" ? scope : scope.at(names.encoder));
  const classify = (scope: Scope, states: Tensor<"f32">, labels: number): Tensor<"f32"> => {
    const dense = scope.at("dense", HEAD);
    const classifier = scope.at("classifier", HEAD);
    const init = even(config.linearRange);
    const x = linear(dense, dropoutLayer(dense, states, rate), hidden, { init });
    return linear(
      classifier,
      dropoutLayer(
        classifier,
        dense.within(() => x.tanh()),
        rate,
      ),
      labels,
      { init },
    );
  };
  return {
    config,
    hidden,
    vocab,
    maxPositions,
    encode: (scope, inputs) => encoder(place(scope), config, names, inputs).last,
    predict: (scope, states) =>
      linear(scope.at("decoder", HEAD), states, vocab, { init: zeroInitHead ? zeros : even(config.linearRange) }),
    classifySequence: classify,
    classifyTokens: classify,
    outputs(scope, inputs) {
      const { last, hiddenStates, layers } = encoder(place(scope), config, names, inputs);
      return { last, hiddenStates, attentions: layers.map(({ probabilities }) => probabilities()) };
    },
  };
}

/**
 * Floating-point operations for one token of a row of `seq` tokens, counted by `flopsPerToken`, with three matrices in
 * the feed-forward block.
 */
export function gatedRmsFlopsPerToken(config: GatedRmsConfig, seq: number, options: FlopsOptions = {}): number {
  return flopsPerToken(
    { ...config, intermediate: gatedWidth(config), feedForwardMatrices: 3, headDense: false },
    seq,
    options,
  );
}

const even = (bound: number): Init => ({ kind: "uniform", bound });

/** ids `[batch, seq]` -> last `[batch, seq, hidden]`. */
function encoder(
  scope: Scope,
  config: GatedRmsConfig,
  names: GatedRmsNames,
  inputs: EncoderInputs,
): Omit<EncoderOutputs, "attentions"> & { readonly layers: readonly Attended[] } {
  const { vocab, hidden, normEps, embeddingRange } = config;
  const layers: Attended[] = [];
  const token = embeddingLayer(scope.at("encoder", { depth: 0 }), inputs.ids, {
    vocab,
    hidden,
    init: even(embeddingRange),
  });
  const embedded = config.embeddingNorm
    ? rmsNormLayer(scope.at(names.embeddingNorm, { depth: 0 }), token, normEps)
    : token;
  for (let i = 0; i < config.layers; i++)
    layers.push(
      layer(
        scope.at("transformer_encoder").at(i, { depth: i + 1 }),
        config,
        names,
        layers.at(-1)?.states ?? embedded,
        inputs,
      ),
    );
  const states = [embedded, ...layers.map((each) => each.states)];
  const deepest = states.at(-1) as Tensor<"f32">;
  const last = config.lastNorm ? rmsNormLayer(scope.at(names.lastNorm), deepest, normEps) : deepest;
  return { last, hiddenStates: [...states.slice(0, -1), last], layers };
}

/**
 * Parameters: attention_norm, q, k, v (or qkv), wo, ffn_norm, ffn.w12 `[2 width, hidden]`, ffn.w3 `[hidden, width]`.
 * Shapes: x `[batch, seq, hidden]` -> states, same.
 */
function layer(
  scope: Scope,
  config: GatedRmsConfig,
  { projections }: GatedRmsNames,
  x: Tensor<"f32">,
  { segments, positions }: EncoderInputs,
): Attended {
  const { hidden, heads, normEps, dropoutRate, attentionBias, feedForwardBias } = config;
  const wo = scope.at("wo");
  const ffn = scope.at("ffn");
  const weights = (bias: boolean): LinearOptions => ({ bias, init: even(config.linearRange) });
  const seen: SelfAttentionOptions = {
    heads,
    segments,
    dropoutRate,
    rope: { positions, base: config.ropeBase },
    linear: weights(attentionBias),
  };
  const parts = queryKeyValue(scope, projections, rmsNormLayer(scope.at("attention_norm"), x, normEps), seen);
  const mixed = linear(wo, attend(scope, parts, seen), hidden, weights(attentionBias));
  const y = scope.within(() => x.add(dropoutLayer(wo, mixed, dropoutRate)));
  const fed = gatedFeedForward(ffn, rmsNormLayer(scope.at("ffn_norm"), y, normEps), {
    intermediate: gatedWidth(config),
    activation: silu,
    up: "w12",
    down: "w3",
    linear: weights(feedForwardBias),
  });
  return {
    states: scope.within(() => y.add(dropoutLayer(ffn, fed, dropoutRate))),
    probabilities: () => attentionProbabilities(scope, parts, seen),
  };
}

/**
 * Shapes: x `[batch, seq, hidden]` -> each `[batch, heads, seq, headDim]`. q and k are turned by position; their
 * channels are in the order of halves.
 */
function queryKeyValue(
  scope: Scope,
  projections: GatedRmsNames["projections"],
  x: Tensor<"f32">,
  { heads, rope, linear: weights }: SelfAttentionOptions,
): Heads {
  const { batch, seq, hidden } = dims("gatedRms(x)", x, "batch seq hidden");
  const headDim = hidden / heads;
  const all = projections === "by head" ? linear(scope.at("qkv"), x, 3 * hidden, weights) : undefined;
  const part = (name: string, i: number): Tensor<"f32"> =>
    all?.reshape([batch, seq, heads, 3, headDim]).slice(3, i, i + 1) ?? linear(scope.at(name), x, hidden, weights);
  const [q, k, v] = [part("q", 0), part("k", 1), part("v", 2)] as const;
  const turned = (y: Tensor<"f32">): Tensor<"f32"> => {
    const halves = y
      .reshape([batch, seq, heads, headDim / 2, 2])
      .permute([0, 2, 1, 4, 3])
      .reshape([batch, heads, seq, headDim]);
    return rope ? rotary(halves, rope) : halves;
  };
  return scope.within(() => ({
    q: turned(q),
    k: turned(k),
    v: v.reshape([batch, seq, heads, headDim]).permute([0, 2, 1, 3]),
  }));
}
