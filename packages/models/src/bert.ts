/**
 * BERT: a post-norm encoder of texts and pairs of texts, with learnt positions, and the heads of its tasks.
 *
 *   ids ─ word + type + position ─ norm ─ dropout ─ layer ─ … ─ layer ─ hidden
 *
 *   layer:  x ─┬─ attention ─ dense ─ + ─ norm ─┬─ dense ─ gelu ─ dense ─ + ─ norm
 *              └──────────────────────┘         └─────────────────────────┘
 *   masked tokens   hidden at the predicted positions ─ dense ─ gelu ─ norm ─ word embeddings^T + bias
 *   first token     hidden of [CLS] ─ dense ─ tanh (pooler) ─ next sentence, sequence classification, choice
 *   every token     hidden ─ token classification, answer span
 *
 * Parameter names are the names of transformers' BertFor* classes. Each head declares only the parameters of its class,
 * so that transformers opens a checkpoint of one head without a warning. In packed rows, positions count within a
 * segment and tokens see only their own segment.
 *
 * Source: Devlin et al. 2018, arXiv:1810.04805; transformers 5.23, models/bert/modeling_bert.py.
 * Checked against transformers: logits of every head, hidden states, attention maps, every gradient, 50 steps of
 * training.
 */
import type { Tensor } from "@cloze/graph";
import {
  HEAD,
  dropoutLayer,
  layerNormLayer,
  linear,
  pooler,
  positionEmbedding,
  project,
  segmentEmbedding,
  tokenEmbedding,
  tokenTable,
  transformerLayers,
  type ChoiceModel,
  type EncoderInputs,
  type EncoderOutputs,
  type Init,
  type LinearOptions,
  type MaskedLm,
  type Scope,
  type SentencePairModel,
  type SequenceClassifier,
  type SpanModel,
  type Stacked,
  type TokenClassifier,
  type TokenEmbeddingOptions,
} from "@cloze/nn";
import { bertActivation, checkBertConfig, type BertConfig } from "./bert-config.ts";

export {
  bertConfigJson,
  bertConfigs,
  bertConfigText,
  parseBertConfig,
  type BertConfig,
  type BertSize,
} from "./bert-config.ts";
export { bertCheckpoint } from "./bert-checkpoint.ts";
export type { CheckpointNotes } from "./checkpoint-notes.ts";
export { flopsPerToken } from "./flops.ts";

export interface BertOptions {
  /**
   * Starts from masked-token logits of exactly 0, so that the loss at step 0 is ln(vocab). The zero weight is the
   * head's dense layer, or the decoder where it is not tied. Default false: the start of transformers.
   */
  readonly zeroInitHead?: boolean;
}

export interface Bert extends MaskedLm, SentencePairModel, SequenceClassifier, TokenClassifier, SpanModel, ChoiceModel {
  readonly config: BertConfig;
  /** Longest sequence: the number of positions in the table. */
  readonly maxPositions: number;
  readonly tokenTypes: number;
  /** All states, for inference. A program pays only for the states that it puts out. */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
  /** The pooled output `[n, hidden]` of the hidden states `[n, hidden]` of first tokens: tanh(dense(first)). */
  pool(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
}

export function bert(config: BertConfig, options: BertOptions = {}): Bert {
  checkBertConfig(config);
  const { hidden, vocab, hiddenDropoutRate, classifierDropoutRate = hiddenDropoutRate } = config;
  const weights = linearOptions(config);
  const pool = (scope: Scope, first: Tensor<"f32">): Tensor<"f32"> =>
    pooler(scope.at("bert.pooler", HEAD), first, weights);
  const classify = (scope: Scope, states: Tensor<"f32">, labels: number): Tensor<"f32"> => {
    const classifier = scope.at("classifier", HEAD);
    return linear(classifier, dropoutLayer(classifier, states, classifierDropoutRate), labels, weights);
  };
  return {
    config,
    hidden,
    vocab,
    pool,
    maxPositions: config.maxPositions,
    tokenTypes: config.types,
    encode: (scope, inputs) => encoder(scope.at("bert"), config, inputs).last,
    predict: (scope, states) => maskedTokenHead(scope, config, states, options.zeroInitHead ?? false),
    relate: (scope, first) => linear(scope.at("cls.seq_relationship", HEAD), pool(scope, first), 2, weights),
    classifySequence: (scope, first, labels) => classify(scope, pool(scope, first), labels),
    classifyTokens: classify,
    markSpan: (scope, states) => linear(scope.at("qa_outputs", HEAD), states, 2, weights),
    scoreChoice: (scope, first) => classify(scope, pool(scope, first), 1),
    outputs(scope, inputs) {
      const { last, hiddenStates, probabilities } = encoder(scope.at("bert"), config, inputs);
      return { last, hiddenStates, attentions: probabilities() };
    },
  };
}

const initOf = ({ initializerRange: std }: BertConfig): Init => ({ kind: "normal", std });
const linearOptions = (config: BertConfig): LinearOptions => ({ init: initOf(config) });
const words = ({ vocab, hidden, initializerRange: std, padTokenId: padId }: BertConfig): TokenEmbeddingOptions => ({
  vocab,
  hidden,
  std,
  padId,
});

function encoder(
  scope: Scope,
  config: BertConfig,
  inputs: EncoderInputs,
): Omit<EncoderOutputs, "attentions"> & Pick<Stacked, "probabilities"> {
  const {
    heads,
    intermediate,
    layerNormEps: eps,
    hiddenDropoutRate: outputDropoutRate,
    attentionDropoutRate: dropoutRate,
  } = config;
  const { segments } = inputs;
  const { states, probabilities } = transformerLayers(
    scope.at("encoder.layer"),
    embeddings(scope.at("embeddings", { depth: 0 }), config, inputs),
    config.layers,
    {
      norm: "post",
      eps,
      heads,
      intermediate,
      activation: bertActivation(config),
      segments,
      dropoutRate,
      outputDropoutRate,
      linear: linearOptions(config),
    },
  );
  return { last: states.at(-1) as Tensor<"f32">, hiddenStates: states, probabilities };
}

/** ids, types, positions [batch, seq] -> [batch, seq, hidden]. */
function embeddings(scope: Scope, config: BertConfig, { ids, types, positions }: EncoderInputs): Tensor<"f32"> {
  const { hidden, layerNormEps: eps, hiddenDropoutRate } = config;
  const init = initOf(config);
  const token = tokenEmbedding(scope.at("word_embeddings"), ids, words(config));
  const segment = segmentEmbedding(scope.at("token_type_embeddings"), types, { count: config.types, hidden, init });
  const place = positionEmbedding(scope.at("position_embeddings"), positions, {
    count: config.maxPositions,
    hidden,
    init,
  });
  return dropoutLayer(
    scope,
    layerNormLayer(
      scope.at("LayerNorm"),
      scope.within(() => token.add(segment).add(place)),
      eps,
    ),
    hiddenDropoutRate,
  );
}

/** Hidden states [n, hidden] -> logits [n, vocab]. */
function maskedTokenHead(root: Scope, config: BertConfig, states: Tensor<"f32">, zeroInit: boolean): Tensor<"f32"> {
  const { vocab, hidden, tieWordEmbeddings: tied, layerNormEps: eps } = config;
  const scope = root.at("cls.predictions", HEAD);
  const transform = scope.at("transform");
  const zero: Init = { kind: "zeros" };
  const init = initOf(config);
  const dense = linear(transform.at("dense"), states, hidden, { init: zeroInit && tied ? zero : init });
  const x = layerNormLayer(
    transform.at("LayerNorm"),
    transform.within(() => bertActivation(config)(dense)),
    eps,
  );
  const bias = scope.param("bias", [vocab], { init: zero });
  // An untied decoder has its own bias. transformers' model has `cls.predictions.bias` too, but does not use it.
  if (!tied) return linear(scope.at("decoder"), x, vocab, { init: zeroInit ? zero : init });
  const decoder = tokenTable(root.at("bert.embeddings.word_embeddings", { depth: 0 }), words(config));
  return scope.within(() => project(x, decoder).add(bias));
}
