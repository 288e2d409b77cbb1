/**
 * The speedrun encoder: what the public races for the fastest training of a language model found, as an encoder of proteins or text.
 *
 *   ids ─ embed ─ norm ─ x0 ─ layer 0 … layer n/2-1 ─ layer n/2 … layer n-1 ─ norm ─ hidden
 *                              └── skips, weighed: out of layer i into layer n-1-i ──┘
 *   layer      x <- l0 x + l1 x0;  x <- x + attention(norm(x));  x <- x + down(relu(up(norm(x)))^2)
 *   attention  q, k <- rope(norm(q)), rope(norm(k)) by head;  v <- m0 v + m1 values_i(ids), a table that layers i and n-1-i share
 *   hidden at the predicted positions ─ (dense ─ gelu) ─ decoder ─ c tanh(z / c) ─ logits
 *
 * All norms are RMSNorm without gain, linear layers have no bias. Every projection back into the residual stream and the decoder start at
 * zero, so at first a layer adds nothing and the loss is ln(vocab). l starts as (1, 0), m as (.5, .5), the skips' weights as 1.
 *
 * Options beyond the original: a window (its growing one is a run's to set: `vary` of the opened model), differential attention.
 *
 * Rotary positions are half-split with Hugging Face's sign, y1 = x1 cos - x2 sin (the original turns the other way round: the same model
 * with the two halves of each head's rows of query and key swapped), and count from 0 in each document (the original's count over
 * the packed row, which nothing can tell: attention stays inside a document and sees differences). Token dropout there also scales
 * by 1 - (share of masks); the norm that follows takes that out again, so it is left out here. The patch U-Net is not built.
 *
 * Sources: KellerJordan/modded-nanogpt, records of November and December 2024; Synthyra/SpeedrunningPLMs, its protein encoder.
 * Checked against a plain PyTorch implementation, tooling/golden/speedrun.py: logits, and every gradient in f64, by option.
 */
import { ConfigError } from "@cloze/errors";
import { embedding, gelu, relu, rmsNorm, type Tensor } from "@cloze/graph";
import {
  attend, attentionProbabilities, embeddingTable, linear, project, queryKeyValue, rotary, splitHeads, zeros,
  type EncoderInputs, type EncoderOutputs, type Init, type LinearOptions, type MaskedLm, type Scope, type SelfAttentionOptions,
  type SequenceClassifier, type TokenClassifier,
} from "@cloze/nn";
import { flopsPerToken, type FlopsOptions } from "./flops.ts";
import { checkSpeedrunConfig, type SpeedrunConfig } from "./speedrun-config.ts";

export {
  parseSpeedrunConfig, speedrunConfigJson, speedrunConfigs, speedrunConfigText, speedrunIntermediate, type SpeedrunConfig, type SpeedrunSize,
} from "./speedrun-config.ts";

export interface SpeedrunOptions {
  /**
   * Starts from logits of exactly 0: by a decoder of zeros, or where it is tied by the dense layer before it. Default true, where there is
   * either. With token dropout a state at `<mask>` begins as 0 too: an objective that predicts nothing but masks then has no
   * gradient to start from, and wants false.
   */
  readonly zeroInitHead?: boolean;
}

export interface Speedrun extends MaskedLm, SequenceClassifier, TokenClassifier {
  readonly config: SpeedrunConfig;
  /** Everything there is to see, for inference. A program pays only for what it puts out. */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
}

/** Throws ConfigError for a configuration that does not fit together, and for a zero head where a tied decoder is the whole head. */
export function speedrun(config: SpeedrunConfig, options: SpeedrunOptions = {}): Speedrun {
  checkSpeedrunConfig(config);
  const { hidden, vocab, headDense, tieWordEmbeddings: tied } = config, canBeZero = !tied || headDense, zeroInitHead = options.zeroInitHead ?? canBeZero;
  if (zeroInitHead && !canBeZero) throw new ConfigError("speedrun: expected zeroInitHead false for a head that is the table of embeddings alone (tie_word_embeddings), got true. Set head_dense, or leave the embeddings untied.");
  return {
    config, hidden, vocab,
    encode: (scope, inputs) => encoder(scope.at("model"), config, inputs).last,
    predict: (scope, states) => head(scope, config, states, zeroInitHead),
    outputs(scope, inputs) {
      const { last, states, probabilities } = encoder(scope.at("model"), config, inputs);
      return { last, hiddenStates: [...states.slice(0, -1), last], attentions: probabilities() };
    },
    classifySequence(scope, first, labels) {
      const dense = scope.at("classifier.dense"), x = linear(dense, first, hidden, matrix(hidden));
      return linear(scope.at("classifier.out_proj"), dense.within(() => x.tanh()), labels);
    },
    classifyTokens: (scope, states, labels) => linear(scope.at("classifier"), states, labels),
  };
}

/** Floating-point operations for one token of a row of `seq`, as `flopsPerToken` counts them; tables of values and skips cost none that count. */
export function speedrunFlopsPerToken(config: SpeedrunConfig, seq: number, options: FlopsOptions = {}): number {
  const { window, layers, differentialAttention: differential } = config;
  return flopsPerToken({ ...config, differential, ...(window > 0 && { windows: Array.from({ length: layers }, () => window) }) }, seq, options);
}

/** Even over ± 1 / sqrt(columns), and no bias. */
const matrix = (columns: number): LinearOptions => ({ bias: false, init: { kind: "uniform", bound: 1 / Math.sqrt(columns) } });
/** What a residual branch ends in. */
const silent: LinearOptions = { bias: false, init: zeros };
const STREAM: Init = { kind: "values", values: [1, 0] }, VALUES: Init = { kind: "values", values: [0.5, 0.5] };

const norm = (x: Tensor<"f32">, { rmsNormEps: eps }: SpeedrunConfig): Tensor<"f32"> => rmsNorm(x, undefined, eps);

/** Element i of a vector, to be multiplied with a tensor of any rank. */
const at = (vector: Tensor<"f32">, i: number): Tensor<"f32"> => vector.slice(0, i, i + 1).reshape([]);
const mix = (weights: Tensor<"f32">, x: Tensor<"f32">, y: Tensor<"f32">): Tensor<"f32"> => x.mul(at(weights, 0)).add(y.mul(at(weights, 1)));

interface Encoded {
  readonly last: Tensor<"f32">;
  /** layers + 1 of them: x0, then what each layer gives. */
  readonly states: readonly Tensor<"f32">[];
  probabilities(): readonly Tensor<"f32">[];
}

/** Parameters: those of the embeddings and layers, and skip_weights `[layers / 2]`. ids `[batch, seq]` -> last `[batch, seq, hidden]`. */
function encoder(scope: Scope, config: SpeedrunConfig, inputs: EncoderInputs): Encoded {
  const { layers, unet } = config, half = layers / 2, x0 = embeddings(scope.at("embeddings"), config, inputs);
  const values = valueEmbeddings(scope.at("embeddings"), config, inputs), states = [x0], maps: (() => Tensor<"f32">)[] = [];
  const skipWeights = unet ? scope.param("skip_weights", [half], { kind: "ones" }) : undefined;
  for (let i = 0; i < layers; i++) {
    const block = scope.at("layers").at(i), mirror = layers - 1 - i, before = states[i] as Tensor<"f32">;
    const x = block.within(() => (skipWeights && i >= half ? before.add((states[mirror + 1] as Tensor<"f32">).mul(at(skipWeights, i - half))) : before));
    const { y, probabilities } = layer(block, config, i, inputs, x, x0, values[Math.min(i, mirror)]);
    states.push(y);
    maps.push(probabilities);
  }
  return { last: scope.within(() => norm(states[layers] as Tensor<"f32">, config)), states, probabilities: () => maps.map((map) => map()) };
}

/** The table of token embeddings `[vocab, hidden]`. */
const tokens = (scope: Scope, { vocab, hidden, initializerRange: std }: SpeedrunConfig): Tensor<"f32"> =>
  embeddingTable(scope.at("tokens"), { vocab, hidden, init: { kind: "normal", std } });

/** ids `[batch, seq]` -> x0 `[batch, seq, hidden]`. */
function embeddings(scope: Scope, config: SpeedrunConfig, { ids }: EncoderInputs): Tensor<"f32"> {
  return scope.within(() => {
    const x = embedding(tokens(scope, config), ids);
    return norm(config.tokenDropout ? x.mul(ids.equal(config.maskTokenId).not().cast("f32").reshape([...ids.shape, 1])) : x, config);
  });
}

/** Parameters: values.0 to values.(layers / 2 - 1), each weight `[vocab, hidden]`. -> as many `[batch, seq, hidden]`; none where they are off. */
function valueEmbeddings(scope: Scope, { vocab, hidden, layers, valueEmbeddings: on, initializerRange: std }: SpeedrunConfig, { ids }: EncoderInputs): readonly Tensor<"f32">[] {
  const table = (i: number): Tensor<"f32"> => embeddingTable(scope.at("values").at(i), { vocab, hidden, init: { kind: "normal", std } });
  return scope.within(() => Array.from({ length: on ? layers / 2 : 0 }, (_, i) => embedding(table(i), ids)));
}

/** Parameters: lambdas `[2]`, those of attention, mlp.up.weight `[intermediate, hidden]`, mlp.down.weight `[hidden, intermediate]`. */
function layer(scope: Scope, config: SpeedrunConfig, depth: number, inputs: EncoderInputs, before: Tensor<"f32">, x0: Tensor<"f32">, values: Tensor<"f32"> | undefined): { readonly y: Tensor<"f32">; readonly probabilities: () => Tensor<"f32"> } {
  const { hidden, intermediate } = config, up = scope.at("mlp.up");
  return scope.within(() => {
    const x = mix(scope.param("lambdas", [2], STREAM), before, x0);
    const { mixed, probabilities } = attention(scope.at("attention"), config, depth, inputs, norm(x, config), values);
    const z = x.add(mixed), wide = linear(up, norm(z, config), intermediate, matrix(hidden));
    return { y: z.add(linear(scope.at("mlp.down"), up.within(() => relu(wide).square()), hidden, silent)), probabilities };
  });
}

/**
 * Parameters: query, key, value and output, each weight `[hidden, hidden]`, value_lambdas `[2]` where there are values to mix in, and
 * those of differential attention.
 */
function attention(scope: Scope, config: SpeedrunConfig, depth: number, { segments, positions }: EncoderInputs, x: Tensor<"f32">, values: Tensor<"f32"> | undefined): { readonly mixed: Tensor<"f32">; readonly probabilities: () => Tensor<"f32"> } {
  const { hidden, heads, ropeBase: base, attentionSoftcap: softcap, window, differentialAttention: differential } = config;
  const options: SelfAttentionOptions = { heads, segments, linear: matrix(hidden), ...(softcap > 0 && { softcap }), ...(window > 0 && { window }), ...(differential && { differential: { layer: depth } }) };
  return scope.within(() => {
    const projected = queryKeyValue(scope, x, options), turned = (part: Tensor<"f32">): Tensor<"f32"> => rotary(norm(part, config), { positions, base });
    const v = values === undefined ? projected.v : mix(scope.param("value_lambdas", [2], VALUES), projected.v, splitHeads(values, heads));
    const parts = { q: turned(projected.q), k: turned(projected.k), v };
    return { mixed: linear(scope.at("output"), attend(scope, parts, options), hidden, silent), probabilities: () => attentionProbabilities(scope, parts, options) };
  });
}

/**
 * Hidden states `[n, hidden]` -> logits `[n, vocab]`. Parameters: decoder.weight `[vocab, hidden]` unless it is tied, and with
 * `headDense` dense.weight `[hidden, hidden]` and decoder.bias `[vocab]`.
 */
function head(root: Scope, config: SpeedrunConfig, states: Tensor<"f32">, zeroInit: boolean): Tensor<"f32"> {
  const scope = root.at("lm_head"), { vocab, hidden, headDense, tieWordEmbeddings: tied, logitSoftcap: cap } = config;
  return scope.within(() => {
    const x = headDense ? gelu(linear(scope.at("dense"), states, hidden, zeroInit && tied ? silent : matrix(hidden))) : states;
    const decoder = tied ? tokens(root.at("model.embeddings"), config) : scope.param("decoder.weight", [vocab, hidden], zeroInit ? zeros : (matrix(hidden).init as Init));
    const z = project(x, decoder), logits = headDense ? z.add(scope.param("decoder.bias", [vocab], zeros)) : z;
    return cap > 0 ? logits.mul(1 / cap).tanh().mul(cap) : logits;
  });
}
