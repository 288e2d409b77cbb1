/**
 * The speedrun encoder: what the public races for the fastest training of a language model found, as an encoder of
 * proteins or text.
 *
 *   ids ─ embed ─ norm ─ x0 ─ layer 0 … layer n/2-1 ─ layer n/2 … layer n-1 ─ norm ─ hidden
 *                              └── skips, weighed: out of layer i into layer n-1-i ──┘
 *   layer      x <- l0 x + l1 x0;  x <- x + attention(norm(x));  x <- x + down(relu(up(norm(x)))^2)
 *   attention  q, k <- rope(norm(q)), rope(norm(k)) by head;  v <- m0 v + m1 values_i(ids), a table that layers i and
 *   n-1-i share
 *   hidden at the predicted positions ─ (dense ─ gelu) ─ decoder ─ c tanh(z / c) ─ logits
 *
 * All norms are RMSNorm without gain, linear layers have no bias. Every projection back into the residual stream and
 * the decoder start at zero, so at first a layer adds nothing and the loss is ln(vocab). l starts as (1, 0), m as (.5,
 * .5), the skips' weights as 1.
 *
 * Options beyond the original: a window (its growing one is a run's to set: `vary` of the opened model), differential
 * attention.
 *
 * Rotary positions are half-split with Hugging Face's sign, y1 = x1 cos - x2 sin (the original turns the other way
 * round: the same model with the two halves of each head's rows of query and key swapped), and count from 0 in each
 * document (the original's count over the packed row, which nothing can tell: attention stays inside a document and
 * sees differences). Token dropout there also scales by 1 - (share of masks); the norm that follows takes that out
 * again, so it is left out here. The patch U-net is another encoder of the same layers: `speedrun-patch.ts`.
 *
 * Sources: KellerJordan/modded-nanogpt, records of November and December 2024; Synthyra/SpeedrunningPLMs, its protein
 * encoder. Checked against a plain PyTorch implementation, tooling/golden/speedrun.py: logits, and every gradient in
 * f64, by option.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { gelu, type Tensor } from "@cloze/graph";
import {
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
   * Starts from logits of exactly 0: by a decoder of zeros, or where it is tied by the dense layer before it. Default
   * true, where there is either. With token dropout a state at `<mask>` begins as 0 too: an objective that predicts
   * nothing but masks then has no gradient to start from, and wants false.
   */
  readonly zeroInitHead?: boolean;
}

export interface Speedrun extends MaskedLm, SequenceClassifier, TokenClassifier {
  readonly config: SpeedrunConfig;
  /**
   * Everything there is to see, for inference. A program pays only for what it puts out. Throws UnsupportedError for a
   * patch U-net, whose layers have resolutions of their own.
   */
  outputs(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
}

/**
 * Throws ConfigError for a configuration that does not fit together, and for a zero head where a tied decoder is the
 * whole head.
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
      const dense = scope.at("classifier.dense");
      const x = linear(dense, first, hidden, matrix(hidden));
      return linear(
        scope.at("classifier.out_proj"),
        dense.within(() => x.tanh()),
        labels,
      );
    },
    classifyTokens: (scope, states, labels) => linear(scope.at("classifier"), states, labels),
  };
}

/**
 * Floating-point operations for one token of a row of `seq`, as `flopsPerToken` counts them; tables of values and skips
 * cost none that count.
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
  /** layers + 1 of them: x0, then what each layer gives. */
  readonly states: readonly Tensor<"f32">[];
  probabilities(): readonly Tensor<"f32">[];
}

/**
 * Parameters: those of the embeddings and layers, and skip_weights `[layers / 2]`. ids `[batch, seq]` -> last `[batch,
 * seq, hidden]`.
 */
function encoder(scope: Scope, config: SpeedrunConfig, inputs: EncoderInputs): Encoded {
  const { layers, unet, hidden, intermediate } = config;
  const half = layers / 2;
  const at0 = scope.at("embeddings");
  const x0 = embeddings(at0, config, inputs);
  const values = Array.from({ length: half }, (_, i) => valueEmbedding(at0, config, inputs, i, hidden));
  const states = [x0];
  const attended: Attended[] = [];
  const skipWeights = unet ? scope.param("skip_weights", [half], { kind: "ones" }) : undefined;
  for (let i = 0; i < layers; i++) {
    const block = scope.at("layers").at(i);
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
 * Hidden states `[n, hidden]` -> logits `[n, vocab]`. Parameters: decoder.weight `[vocab, hidden]` unless it is tied,
 * and with
 * `headDense` dense.weight `[hidden, hidden]` and decoder.bias `[vocab]`.
 */
function head(root: Scope, config: SpeedrunConfig, states: Tensor<"f32">, zeroInit: boolean): Tensor<"f32"> {
  const scope = root.at("lm_head");
  const { vocab, hidden, headDense, tieWordEmbeddings: tied, logitSoftcap: cap } = config;
  return scope.within(() => {
    const x = headDense
      ? gelu(linear(scope.at("dense"), states, hidden, zeroInit && tied ? silent : matrix(hidden)))
      : states;
    const decoder = tied
      ? tokens(root.at("model.embeddings"), config)
      : scope.param("decoder.weight", [vocab, hidden], zeroInit ? zeros : (matrix(hidden).init as Init));
    const z = project(x, decoder);
    const logits = headDense ? z.add(scope.param("decoder.bias", [vocab], zeros)) : z;
    return cap > 0
      ? logits
          .mul(1 / cap)
          .tanh()
          .mul(cap)
      : logits;
  });
}
