/**
 * ESM-2: a pre-norm encoder of protein sequences, with rotary positions and a masked-token head that is tied to the
 * embeddings.
 *
 *   ids ─ embed ─ token dropout ─ layer ─ … ─ layer ─ norm ─ hidden
 *
 *   layer:  x ─┬─ norm ─ attention (rope) ─ dense ─ + ─┬─ norm ─ dense ─ gelu ─ dense ─ +
 *              └────────────────────────────────────┘  └────────────────────────────────┘
 *   hidden at the predicted positions ─ dense ─ gelu ─ norm ─ word embeddings^T + bias ─ logits
 *
 * Token dropout: embeddings of `<mask>` are zero. The other embeddings of a sequence with a share r of masks are
 * multiplied by (1 - 0.15 * 0.8) / (1 - r), also at inference: by 0.88 where no token is masked. In a packed row each
 * sequence has its own r. Parameter names are the names of the checkpoints facebook/esm2_*.
 *
 * Source: Lin et al. 2023, doi:10.1126/science.ade2574; transformers 5.23, models/esm/modeling_esm.py.
 * Checked against transformers' EsmForMaskedLM: logits, hidden states, attentions, contacts and every gradient.
 */
import { ConfigError } from "@cloze/errors";
import { embedding, gelu, sigmoid, type HostTensors, type Tensor } from "@cloze/graph";
import {
  HEAD,
  dropoutLayer,
  layerNormLayer,
  linear,
  pooler,
  project,
  tokenTable,
  transformerLayers,
  type EncoderInputs,
  type EncoderOutputs,
  type Init,
  type MaskedLm,
  type RotaryOptions,
  type Scope,
  type SequenceClassifier,
  type Stacked,
  type TokenClassifier,
  type TransformerLayerOptions,
} from "@cloze/nn";
import { ropeBuffers, ropeFormula } from "./esm2-checkpoint.ts";
import { checkEsm2Config, type Esm2Config } from "./esm2-config.ts";

export {
  esm2ConfigJson,
  esm2Configs,
  esm2ConfigText,
  parseEsm2Config,
  type Esm2Config,
  type Esm2Size,
} from "./esm2-config.ts";
export { esm2Checkpoint, ropeFrequenciesFrom } from "./esm2-checkpoint.ts";
export type { CheckpointNotes } from "./checkpoint-notes.ts";
export { flopsPerToken } from "./flops.ts";

/**
 * Share of tokens that ESM-2's training replaced by `<mask>`: 15 % of the tokens are chosen, and 80 % of the chosen
 * tokens replaced.
 */
const MASK_RATIO_TRAIN = 0.15 * 0.8;

export interface Esm2Options {
  /**
   * Starts from logits of exactly 0, so that the loss at step 0 is ln(vocab). The decoder is tied to the embeddings and
   * cannot be zero, so the head's dense layer is zero. The norm after the dense layer scales it to full size within a
   * few updates. (A norm's gain of zero would grow by only one learning rate an update and slow down the whole model.)
   * The encoder moves from the second update on. The first gradient norms are several times larger than usual: clip
   * them. An untied decoder is itself zero. Default false: the start of transformers.
   */
  readonly zeroInitHead?: boolean;
  /**
   * headDim / 2 rotary frequencies, from a checkpoint with its own frequencies (`esm2Checkpoint.ropeFrequencies`). The
   * published checkpoints have them: trained in f16, they hold f16(base^(-2c / headDim)). With the f32 values the model
   * would be a different one. Default: by formula.
   */
  readonly ropeFrequencies?: readonly number[];
}

export interface Esm2 extends MaskedLm, SequenceClassifier, TokenClassifier {
  readonly config: Esm2Config;
  /**
   * Tensors that are not trained and belong in a checkpoint of this model: its rotary frequencies, which transformers
   * reads.
   */
  readonly buffers: HostTensors;
  /** All states, for inference. A program pays only for the states that it puts out. */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
  /**
   * The pooled output `[n, hidden]` of the hidden states `[n, hidden]` of first tokens: tanh(dense(first)). Only a
   * checkpoint of transformers' EsmModel has its parameters.
   */
  pool(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
  /**
   * Contact probabilities `[batch, seq - 2, seq - 2]` of residues, without `<cls>` and the last column; one sequence a
   * row. Where a sequence is shorter than its row, the values beyond its residues have no meaning.
   */
  contacts(scope: Scope, inputs: EncoderInputs, attentions: readonly Tensor<"f32">[]): Tensor<"f32">;
}

export function esm2(config: Esm2Config, options: Esm2Options = {}): Esm2 {
  checkEsm2Config(config);
  const { hidden, vocab, heads } = config;
  const { ropeFrequencies: frequencies } = options;
  const half = hidden / heads / 2;
  if (frequencies && frequencies.length !== half)
    throw new ConfigError(
      `esm2: expected ${half} rotary frequencies (hidden ${hidden} / heads ${heads} / 2), got ${frequencies.length}.`,
    );
  const rope: Rope = frequencies ? { frequencies } : { base: config.ropeBase };
  return {
    config,
    hidden,
    vocab,
    buffers: ropeBuffers(config, frequencies ?? ropeFormula(config)),
    encode: (scope, inputs) => encoder(scope.at("esm"), config, inputs, rope).last,
    predict: (scope, states) => head(scope, config, states, options.zeroInitHead ?? false),
    outputs(scope, inputs) {
      const { last, hiddenStates, probabilities } = encoder(scope.at("esm"), config, inputs, rope);
      return { last, hiddenStates, attentions: probabilities() };
    },
    classifySequence: (scope, first, labels) => sequenceHead(scope.at("classifier", HEAD), config, first, labels),
    classifyTokens(scope, states, labels) {
      const classifier = scope.at("classifier", HEAD);
      return linear(classifier, dropoutLayer(classifier, states, config.hiddenDropoutRate), labels, {
        init: weights(config),
      });
    },
    pool: (scope, first) => pooler(scope.at("esm.pooler", HEAD), first, { init: weights(config) }),
    contacts: (scope, inputs, attentions) =>
      contactHead(scope.at("esm.contact_head", HEAD), config, inputs, attentions),
  };
}

const weights = ({ initializerRange: std }: Pick<Esm2Config, "initializerRange">): Init => ({ kind: "normal", std });

type Rope = Omit<RotaryOptions, "positions">;
type Encoded = Omit<EncoderOutputs, "attentions"> & Pick<Stacked, "probabilities">;

function encoder(scope: Scope, config: Esm2Config, inputs: EncoderInputs, rope: Rope): Encoded {
  const {
    heads,
    intermediate,
    layerNormEps: eps,
    hiddenDropoutRate: outputDropoutRate,
    attentionDropoutRate: dropoutRate,
  } = config;
  const { segments, positions } = inputs;
  // ESM-2 scales q by headDim^-0.5 before the rotation. Scaling the scores is the same: a rotation is linear.
  const options: TransformerLayerOptions = {
    norm: "pre",
    eps,
    heads,
    intermediate,
    activation: gelu,
    segments,
    rope: { positions, ...rope },
    dropoutRate,
    outputDropoutRate,
    linear: { init: weights(config) },
  };
  const { states, probabilities } = transformerLayers(
    scope.at("encoder.layer"),
    embeddings(scope.at("embeddings", { depth: 0 }), config, inputs),
    config.layers,
    options,
  );
  const last = layerNormLayer(scope.at("encoder.emb_layer_norm_after"), states.at(-1) as Tensor<"f32">, eps);
  return { last, hiddenStates: [...states.slice(0, -1), last], probabilities };
}

/** The table of word embeddings [vocab, hidden]. The row of padding starts at zero. */
const wordEmbeddings = (
  scope: Scope,
  { vocab, hidden, initializerRange: std, padTokenId: padId }: Esm2Config,
): Tensor<"f32"> => tokenTable(scope.at("word_embeddings"), { vocab, hidden, std, padId });

/** ids [batch, seq] -> [batch, seq, hidden], zero at padding. */
function embeddings(scope: Scope, config: Esm2Config, inputs: EncoderInputs): Tensor<"f32"> {
  return scope.within(() => {
    const { ids, segments } = inputs;
    const perToken = [...ids.shape, 1];
    let x = embedding(wordEmbeddings(scope, config), ids);
    if (config.tokenDropout) x = x.mul(tokenDropoutScale(inputs, config.maskTokenId).reshape(perToken));
    if (config.embLayerNormBefore) x = layerNormLayer(scope.at("layer_norm"), x, config.layerNormEps);
    return x.mul(segments.greater(0).cast("f32").reshape(perToken));
  });
}

/**
 * f32 [batch, seq]: 0 at `<mask>`, else 0.88 n / (n - masks) over the n tokens of the token's own segment. Counts are
 * exact in f32. A sequence of masks alone gives zeros; the quotient in transformers gives NaN.
 */
function tokenDropoutScale({ ids, segments }: EncoderInputs, maskTokenId: number): Tensor<"f32"> {
  const { graph } = ids;
  const [batch, seq] = ids.shape as [number, number];
  // Segments are 0..seq in each row. Every (row, segment) has its own slot.
  const slots = batch * (seq + 1);
  const slot = graph
    .iota([batch, 1], 0)
    .mul(seq + 1)
    .add(segments)
    .reshape([batch * seq]);
  const kept = ids.equal(maskTokenId).not().cast("f32");
  const flat = kept.reshape([batch * seq]);
  const total = graph.full([batch * seq], 1, "f32").scatterAdd(slot, slots);
  const unmasked = flat.scatterAdd(slot, slots);
  const scale = total
    .mul(1 - MASK_RATIO_TRAIN)
    .div(unmasked.max(1))
    .gather(slot);
  return kept.mul(scale.reshape([batch, seq]));
}

/** Hidden states [n, hidden] -> logits [n, vocab]. */
function head(root: Scope, config: Esm2Config, states: Tensor<"f32">, zeroInit: boolean): Tensor<"f32"> {
  const scope = root.at("lm_head", HEAD);
  const { vocab, hidden, tieWordEmbeddings: tied } = config;
  const zero: Init = { kind: "zeros" };
  return scope.within(() => {
    const x = gelu(linear(scope.at("dense"), states, hidden, { init: zeroInit && tied ? zero : weights(config) }));
    const normed = layerNormLayer(scope.at("layer_norm"), x, config.layerNormEps);
    const decoder = tied
      ? wordEmbeddings(root.at("esm.embeddings", { depth: 0 }), config)
      : scope.param("decoder.weight", [vocab, hidden], { init: zeroInit ? zero : weights(config) });
    return project(normed, decoder).add(scope.param("bias", [vocab], { init: zero }));
  });
}

/** Hidden states of first tokens [n, hidden] -> logits [n, labels]. */
function sequenceHead(
  scope: Scope,
  { hidden, hiddenDropoutRate: rate, ...config }: Esm2Config,
  first: Tensor<"f32">,
  labels: number,
): Tensor<"f32"> {
  const dense = scope.at("dense");
  const out = scope.at("out_proj");
  const init = { init: weights(config) };
  const x = linear(dense, dropoutLayer(dense, first, rate), hidden, init);
  return linear(
    out,
    dropoutLayer(
      out,
      dense.within(() => x.tanh()),
      rate,
    ),
    labels,
    init,
  );
}

/**
 * Logistic regression over the attention maps of all layers and heads. Each map is symmetrised and corrected for the
 * average product (APC, Dunn et al. 2008): m - rowsum(m) colsum(m) / sum(m). No objective trains it. A new one is zero,
 * by which a reader of the checkpoint tells that it says nothing.
 */
function contactHead(
  scope: Scope,
  config: Esm2Config,
  { ids, segments }: EncoderInputs,
  attentions: readonly Tensor<"f32">[],
): Tensor<"f32"> {
  const [batch, seq] = ids.shape as [number, number];
  const { heads, eosTokenId } = config;
  return scope.within(() => {
    const features = config.layers * heads;
    const weight = scope.param("regression.weight", [1, features], { init: { kind: "zeros" } });
    const bias = scope.param("regression.bias", [1], { init: { kind: "zeros" } });
    const residue = segments.greater(0).and(ids.equal(eosTokenId).not()).cast("f32");
    const pairs = residue.reshape([batch, 1, seq, 1]).mul(residue.reshape([batch, 1, 1, seq]));
    const votes = attentions.map((attention, i) => {
      const inner = attention
        .mul(pairs)
        .slice(2, 1, seq - 1)
        .slice(3, 1, seq - 1);
      const m = inner.add(inner.transpose());
      const rows = m.sum(-1, true);
      const columns = m.sum(-2, true);
      const all = rows.sum(-2, true);
      const corrected = m.sub(rows.mul(columns).div(all.max(1e-30)));
      return corrected.mul(weight.slice(1, i * heads, (i + 1) * heads).reshape([1, heads, 1, 1])).sum(1);
    });
    return sigmoid(votes.reduce((sum, vote) => sum.add(vote)).add(bias.reshape([1, 1, 1])));
  });
}
