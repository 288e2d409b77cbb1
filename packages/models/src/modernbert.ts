/**
 * ModernBERT: a pre-norm encoder with rotary positions, with global layers and window layers, and the heads of its
 * tasks.
 *
 *   ids ─ embedding ─ norm ─ dropout ─ layer ─ … ─ layer ─ norm ─ hidden
 *
 *   layer:  x ─┬─ norm ─ attention ─ Wo ─ + ─┬─ norm ─ Wi ─ gelu(a) * g ─ Wo ─ +
 *              └──────────────────────────┘  └─────────────────────────────────┘
 *   head             hidden ─ dense ─ gelu ─ norm
 *   masked tokens    head at the predicted positions ─ token embeddings^T + bias
 *   sequences        head of the first token, or of the mean over all tokens ─ classifier
 *   every token      head ─ classifier: token classification, answer span
 *
 * Every third layer is global and has its own rotary base; the other layers are local. The first layer has no norm
 * before its attention, because the embeddings end in a norm. Norms have no bias, and no matrix except the decoder has
 * a bias, unless the configuration sets one. In packed rows, positions and windows count within a segment.
 *
 * Initial weights are the initial weights of transformers: normal, cut at `initializerCut` standard deviations, std
 * 0.02 for embeddings, Wqkv and Wi; 0.02 / sqrt(2 layers) for both Wo, the head's dense layer and an untied decoder; 1
 * / sqrt(hidden) for classifiers; biases zero.
 *
 * Source: Warner et al. 2024, arXiv:2412.13663; Weller et al. 2025, arXiv:2507.11412 (Ettin); transformers 5.23,
 * models/modernbert/modeling_modernbert.py.
 * Checked against transformers: logits of every head, hidden states, attention maps, every gradient.
 */
import type { Tensor } from "@cloze/graph";
import {
  HEAD,
  attend,
  attentionProbabilities,
  dropoutLayer,
  embeddingLayer,
  embeddingTable,
  fusedQueryKeyValue,
  gatedFeedForward,
  layerNormLayer,
  linear,
  ones,
  project,
  type Attended,
  type ChoiceModel,
  type EmbeddingOptions,
  type EncoderInputs,
  type EncoderOutputs,
  type Init,
  type LinearOptions,
  type MaskedLm,
  type Scope,
  type SelfAttentionOptions,
  type SequenceClassifier,
  type SpanModel,
  type TokenClassifier,
} from "@cloze/nn";
import { bertActivation } from "./bert-config.ts";
import { flopsPerToken, type FlopsOptions } from "./flops.ts";
import { checkModernBertConfig, type ModernBertConfig } from "./modernbert-config.ts";

export {
  alternating,
  modernBertConfigJson,
  modernBertConfigs,
  modernBertConfigText,
  parseModernBertConfig,
  type AttentionReach,
  type ModernBertConfig,
  type ModernBertSize,
} from "./modernbert-config.ts";
export { modernBertCheckpoint } from "./modernbert-checkpoint.ts";
export type { CheckpointNotes } from "./checkpoint-notes.ts";

export interface ModernBertOptions {
  /**
   * Starts from masked-token logits of exactly 0, so that the loss at step 0 is ln(vocab). The zero weight is the
   * head's dense layer, or the decoder where it is not tied. Default false: the start of transformers.
   */
  readonly zeroInitHead?: boolean;
}

export interface ModernBert extends MaskedLm, SequenceClassifier, TokenClassifier, SpanModel, ChoiceModel {
  readonly config: ModernBertConfig;
  /** Longest sequence by design. */
  readonly maxPositions: number;
  /** All states, for inference. A program pays only for the states that it puts out. */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
}

export function modernBert(config: ModernBertConfig, options: ModernBertOptions = {}): ModernBert {
  checkModernBertConfig(config);
  const { hidden, vocab, maxPositions, pooling } = config;
  const zeroInit = options.zeroInitHead ?? false;
  const classify = (scope: Scope, states: Tensor<"f32">, labels: number): Tensor<"f32"> => {
    const classifier = scope.at("classifier", HEAD);
    const x = dropoutLayer(classifier, head(scope.at("head", HEAD), config, states), config.classifierDropoutRate);
    return linear(classifier, x, labels, { init: cutNormal(config, hidden ** -0.5) });
  };
  return {
    config,
    hidden,
    vocab,
    maxPositions,
    pooling,
    encode: (scope, inputs) => encoder(scope.at("model"), config, inputs).last,
    predict: (scope, states) => maskedTokenHead(scope, config, states, zeroInit),
    classifySequence: classify,
    classifyTokens: classify,
    markSpan: (scope, states) => classify(scope, states, 2),
    scoreChoice: (scope, states) => classify(scope, states, 1),
    outputs(scope, inputs) {
      const { last, hiddenStates, layers } = encoder(scope.at("model"), config, inputs);
      return { last, hiddenStates, attentions: layers.map(({ probabilities }) => probabilities()) };
    },
  };
}

/**
 * Floating-point operations for one token of a row of `seq` tokens, counted by `flopsPerToken`, with three matrices in
 * the feed-forward block, and in local layers only the pairs of tokens inside the window.
 */
export function modernBertFlopsPerToken(config: ModernBertConfig, seq: number, options: FlopsOptions = {}): number {
  return flopsPerToken(
    {
      ...config,
      feedForwardMatrices: 3,
      windows: config.reach.map((reach) => (reach === "local" ? distanceSeen(config) : undefined)),
    },
    seq,
    options,
  );
}

/** Distance that a local layer sees. `localWindow` is the total width: one half to either side of the token. */
const distanceSeen = ({ localWindow }: ModernBertConfig): number => Math.floor(localWindow / 2);
const cutNormal = ({ initializerCut: cut }: ModernBertConfig, std: number): Init => ({
  kind: "truncatedNormal",
  std,
  cut,
});
const inward = (config: ModernBertConfig): Init => cutNormal(config, config.initializerRange);
/**
 * Initial weights of projections into the residual stream: the more layers add to the stream, the smaller the weights.
 */
const outward = (config: ModernBertConfig): Init =>
  cutNormal(config, config.initializerRange / Math.sqrt(2 * config.layers));
const norm = (scope: Scope, x: Tensor<"f32">, { layerNormEps, normBias: bias }: ModernBertConfig): Tensor<"f32"> =>
  layerNormLayer(scope, x, layerNormEps, ones, { bias });
const words = (config: ModernBertConfig): EmbeddingOptions => ({
  vocab: config.vocab,
  hidden: config.hidden,
  init: inward(config),
});

function encoder(
  scope: Scope,
  config: ModernBertConfig,
  inputs: EncoderInputs,
): Omit<EncoderOutputs, "attentions"> & { readonly layers: readonly Attended[] } {
  const embeddings = scope.at("embeddings", { depth: 0 });
  const token = embeddingLayer(embeddings.at("tok_embeddings"), inputs.ids, words(config));
  const embedded = dropoutLayer(embeddings, norm(embeddings.at("norm"), token, config), config.embeddingDropoutRate);
  const layers: Attended[] = [];
  for (let i = 0; i < config.layers; i++)
    layers.push(
      encoderLayer(scope.at("layers").at(i, { depth: i + 1 }), config, i, layers.at(-1)?.states ?? embedded, inputs),
    );
  const states = [embedded, ...layers.map((layer) => layer.states)];
  const last = norm(scope.at("final_norm"), states.at(-1) as Tensor<"f32">, config);
  return { last, hiddenStates: [...states.slice(0, -1), last], layers };
}

/** Layer `i`. Shapes: x `[batch, seq, hidden]` -> states, same. */
function encoderLayer(
  scope: Scope,
  config: ModernBertConfig,
  i: number,
  x: Tensor<"f32">,
  { segments, positions }: EncoderInputs,
): Attended {
  const { hidden, heads, intermediate, attentionDropoutRate: dropoutRate, attentionBias, feedForwardBias } = config;
  const local = config.reach[i] === "local";
  const at = scope.at("attn");
  const weights = (bias: boolean, init: Init): LinearOptions => ({ bias, init });
  const seen: SelfAttentionOptions = {
    heads,
    segments,
    dropoutRate,
    rope: { positions, base: local ? config.localRopeBase : config.globalRopeBase },
    linear: weights(attentionBias, inward(config)),
    ...(local && { window: distanceSeen(config) }),
  };
  const parts = fusedQueryKeyValue(at.at("Wqkv"), i === 0 ? x : norm(scope.at("attn_norm"), x, config), seen);
  const mixed = linear(at.at("Wo"), attend(at, parts, seen), hidden, weights(attentionBias, outward(config)));
  const y = scope.within(() => x.add(dropoutLayer(at.at("Wo"), mixed, dropoutRate)));
  const fed = gatedFeedForward(scope.at("mlp"), norm(scope.at("mlp_norm"), y, config), {
    intermediate,
    activation: bertActivation(config),
    up: "Wi",
    down: "Wo",
    dropoutRate: config.feedForwardDropoutRate,
    linear: weights(feedForwardBias, inward(config)),
    downLinear: weights(feedForwardBias, outward(config)),
  });
  return { states: scope.within(() => y.add(fed)), probabilities: () => attentionProbabilities(at, parts, seen) };
}

/** The input of every task's last layer. Shapes: states `[n, hidden]` -> same. */
function head(
  scope: Scope,
  config: ModernBertConfig,
  states: Tensor<"f32">,
  init: Init = outward(config),
): Tensor<"f32"> {
  const dense = linear(scope.at("dense"), states, config.hidden, { bias: config.headBias, init });
  return norm(
    scope.at("norm"),
    scope.at("dense").within(() => bertActivation({ activation: config.headActivation })(dense)),
    config,
  );
}

/** Hidden states [n, hidden] -> logits [n, vocab]. */
function maskedTokenHead(
  scope: Scope,
  config: ModernBertConfig,
  states: Tensor<"f32">,
  zeroInit: boolean,
): Tensor<"f32"> {
  const { vocab, tieWordEmbeddings: tied, decoderBias } = config;
  const zero: Init = { kind: "zeros" };
  const decoder = scope.at("decoder", HEAD);
  const x = head(scope.at("head", HEAD), config, states, zeroInit && tied ? zero : outward(config));
  if (!tied) return linear(decoder, x, vocab, { bias: decoderBias, init: zeroInit ? zero : outward(config) });
  const logits = decoder.within(() =>
    project(x, embeddingTable(scope.at("model.embeddings.tok_embeddings", { depth: 0 }), words(config))),
  );
  return decoderBias ? decoder.within(() => logits.add(decoder.param("bias", [vocab], { init: zero }))) : logits;
}
