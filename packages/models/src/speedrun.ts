/**
 * The speedrun encoder: the results of the public races for the fastest training of a language model, as an encoder of
 * proteins or text.
 *
 *   ids ─ embed ─ norm ─ x0 ─ layer 0 … layer n/2-1 ─ layer n/2 … layer n-1 ─ norm ─ hidden
 *                              └── weighted skips: from layer i to layer n-1-i ──┘
 *   layer      x <- l0 x + l1 x0;  x <- x + attention(norm(x));  x <- x + down(relu(up(norm(x)))^2)
 *   attention  q, k <- rope(norm(q)), rope(norm(k)) by head;  v <- m0 v + m1 values_i(ids)
 *              layers i and n-1-i share the table values_i
 *   hidden at the predicted positions ─ (dense ─ gelu) ─ decoder ─ c tanh(z / c) ─ logits
 *
 * All norms are RMSNorm without gain; linear layers have no bias. Every projection into the residual stream and the
 * decoder start at zero. So at first a layer adds nothing and the loss is ln(vocab). l starts as (1, 0), m as (.5, .5),
 * the weights of the skips as 1.
 *
 * Options beyond the original: a window, and differential attention. (The original's window grows during a run; here a
 * run sets it with `vary` of the opened model.)
 *
 * Rotary positions are half-split with Hugging Face's sign, y1 = x1 cos - x2 sin. The original turns in the other
 * direction: the same model with the two halves of each head's rows of query and key swapped. Positions count from 0 in
 * each document. The original counts over the packed row, which gives the same result: attention stays inside a
 * document and sees only differences. Token dropout in the original also scales by 1 - (share of masks). The norm after
 * it removes this factor, so it is left out here. The patch U-net is another encoder with the same layers:
 * `speedrun-patch.ts`.
 *
 * Sources: KellerJordan/modded-nanogpt, records of November and December 2024; Synthyra/SpeedrunningPLMs, its protein
 * encoder. Checked against a plain PyTorch implementation, tooling/golden/speedrun.py: logits, and every gradient in
 * f64, by option.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { gelu, type Tensor } from "@cloze/graph";
import {
  HEAD,
  linear,
  project,
  zeros,
  type Attended,
  type EncoderInputs,
  type EncoderOutputs,
  type Init,
  type MaskedLm,
  type Scope,
  type SequenceClassifier,
  type TokenClassifier,
} from "@cloze/nn";
import { flopsPerToken, type FlopsOptions } from "./flops.ts";
import { checkSpeedrunConfig, type SpeedrunConfig } from "./speedrun-config.ts";
import { at, embeddings, layer, matrix, norm, silent, tokens, valueEmbedding } from "./speedrun-layer.ts";
import { patchEncoder, patchFlopsPerToken } from "./speedrun-patch.ts";

export {
  parseSpeedrunConfig,
  speedrunConfigJson,
  speedrunConfigs,
  speedrunConfigText,
  speedrunIntermediate,
  speedrunPatchWidths,
  type SpeedrunConfig,
  type SpeedrunSize,
} from "./speedrun-config.ts";

export interface SpeedrunOptions {
  /**
   * Starts from logits of exactly 0. The zero weight is the decoder, or, for a tied decoder, the dense layer before it.
   * Default true, where there is an untied decoder or a dense layer. With token dropout a state at `<mask>` starts as 0
   * too. Then an objective that predicts only masks has no gradient at the start, and needs false.
   */
  readonly zeroInitHead?: boolean;
}

export interface Speedrun extends MaskedLm, SequenceClassifier, TokenClassifier {
  readonly config: SpeedrunConfig;
  /**
   * All states, for inference. A program pays only for the states that it puts out. Throws UnsupportedError for a patch
   * U-net, whose layers have different resolutions.
   */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
}

/**
 * The model of a configuration. Throws ConfigError for a configuration whose values do not fit together, and for a zero
 * head where a tied decoder is the whole head.
 */
export function speedrun(config: SpeedrunConfig, options: SpeedrunOptions = {}): Speedrun {
  checkSpeedrunConfig(config);
  const { hidden, vocab, headDense, tieWordEmbeddings: tied } = config;
  const canBeZero = !tied || headDense;
  const zeroInitHead = options.zeroInitHead ?? canBeZero;
  if (zeroInitHead && !canBeZero)
    throw new ConfigError(
      "speedrun: expected zeroInitHead false for a head that is the table of embeddings alone " +
        "(tie_word_embeddings), got true. Set head_dense, or leave the embeddings untied.",
    );
  return {
    config,
    hidden,
    vocab,
    encode: (scope, inputs) =>
      config.patchUnet
        ? patchEncoder(scope.at("model"), config, inputs)
        : encoder(scope.at("model"), config, inputs).last,
    predict: (scope, states) => head(scope, config, states, zeroInitHead),
    outputs(scope, inputs) {
      if (config.patchUnet)
        throw new UnsupportedError(
          "speedrun, outputs: expected a form whose layers all have one resolution, got patch_unet. Use encode, " +
            "which gives the last states.",
        );
      const { last, states, probabilities } = encoder(scope.at("model"), config, inputs);
      return { last, hiddenStates: [...states.slice(0, -1), last], attentions: probabilities() };
    },
    classifySequence(scope, first, labels) {
      const dense = scope.at("classifier.dense", HEAD);
      const x = linear(dense, first, hidden, matrix(hidden));
      return linear(
        scope.at("classifier.out_proj", HEAD),
        dense.within(() => x.tanh()),
        labels,
      );
    },
    classifyTokens: (scope, states, labels) => linear(scope.at("classifier", HEAD), states, labels),
  };
}

/**
 * Floating-point operations for one token of a row of `seq` tokens, counted by `flopsPerToken`. Tables of values and
 * skips count as zero.
 */
export function speedrunFlopsPerToken(config: SpeedrunConfig, seq: number, options: FlopsOptions = {}): number {
  if (config.patchUnet) return patchFlopsPerToken(config, seq, options);
  const { window, layers, differentialAttention: differential } = config;
  return flopsPerToken(
    { ...config, differential, ...(window > 0 && { windows: Array.from({ length: layers }, () => window) }) },
    seq,
    options,
  );
}

interface Encoded {
  readonly last: Tensor<"f32">;
  /** layers + 1 tensors: x0, then the output of each layer. */
  readonly states: readonly Tensor<"f32">[];
  probabilities(): readonly Tensor<"f32">[];
}

/**
 * Parameters: the parameters of the embeddings and layers, and skip_weights `[layers / 2]`. ids `[batch, seq]` -> last
 * `[batch, seq, hidden]`.
 */
function encoder(scope: Scope, config: SpeedrunConfig, inputs: EncoderInputs): Encoded {
  const { layers, unet, hidden, intermediate } = config;
  const half = layers / 2;
  const at0 = scope.at("embeddings", { depth: 0 });
  const x0 = embeddings(at0, config, inputs);
  const values = Array.from({ length: half }, (_, i) => valueEmbedding(at0, config, inputs, i, hidden));
  const states = [x0];
  const attended: Attended[] = [];
  const skipWeights = unet ? scope.param("skip_weights", [half], { init: { kind: "ones" } }) : undefined;
  for (let i = 0; i < layers; i++) {
    const block = scope.at("layers").at(i, { depth: i + 1 });
    const mirror = layers - 1 - i;
    const before = states[i] as Tensor<"f32">;
    const x = block.within(() =>
      skipWeights && i >= half
        ? before.add((states[mirror + 1] as Tensor<"f32">).mul(at(skipWeights, i - half)))
        : before,
    );
    attended.push(layer(block, config, inputs, x, { depth: i, intermediate, x0, values: values[Math.min(i, mirror)] }));
    states.push((attended[i] as Attended).states);
  }
  return {
    last: scope.within(() => norm(states[layers] as Tensor<"f32">, config)),
    states,
    probabilities: () => attended.map(({ probabilities }) => probabilities()),
  };
}

/**
 * Hidden states `[n, hidden]` -> logits `[n, vocab]`. Parameters: decoder.weight `[vocab, hidden]` unless it is tied;
 * with `headDense` also dense.weight `[hidden, hidden]` and decoder.bias `[vocab]`.
 */
function head(root: Scope, config: SpeedrunConfig, states: Tensor<"f32">, zeroInit: boolean): Tensor<"f32"> {
  const scope = root.at("lm_head", HEAD);
  const { vocab, hidden, headDense, tieWordEmbeddings: tied, logitSoftcap: cap } = config;
  return scope.within(() => {
    const x = headDense
      ? gelu(linear(scope.at("dense"), states, hidden, zeroInit && tied ? silent : matrix(hidden)))
      : states;
    const decoder = tied
      ? tokens(root.at("model.embeddings", { depth: 0 }), config)
      : scope.param("decoder.weight", [vocab, hidden], { init: zeroInit ? zeros : (matrix(hidden).init as Init) });
    const z = project(x, decoder);
    const logits = headDense ? z.add(scope.param("decoder.bias", [vocab], { init: zeros })) : z;
    return cap > 0
      ? logits
          .mul(1 / cap)
          .tanh()
          .mul(cap)
      : logits;
  });
}
