/**
 * NeoBERT: a text encoder of 28 layers in BERT's vocabulary, for 4,096 tokens: RMSNorm, rotary positions, SwiGLU, no
 * biases but the decoder's. The encoder is that of `gated-rms.ts`; here are its names.
 *
 * Source: Le Breton et al. 2025, arXiv:2502.19587; chandar-lab/NeoBERT, classes `NeoBERTLMHead` and
 * `NeoBERTForSequenceClassification`. The classifier of tokens is ours, in the form of that of sequences.
 */
import type { CheckpointNotes } from "./checkpoint-notes.ts";
import { gatedRms, type GatedRms, type GatedRmsNames, type GatedRmsOptions } from "./gated-rms.ts";
import { checkGatedRmsConfig, type GatedRmsConfig } from "./gated-rms-config.ts";

export {
  neoBertConfigJson,
  neoBertConfigs,
  neoBertConfigText,
  parseNeoBertConfig,
  type NeoBertSize,
} from "./neobert-config.ts";
export { gatedRmsFlopsPerToken, type GatedRms, type GatedRmsOptions } from "./gated-rms.ts";
export { gatedWidth, type GatedRmsConfig } from "./gated-rms-config.ts";
export type { CheckpointNotes } from "./checkpoint-notes.ts";

const NAMES: GatedRmsNames = {
  encoder: "model",
  projections: "by head",
  embeddingNorm: "layer_norm_1",
  lastNorm: "layer_norm",
};

/**
 * What is in NeoBERT's checkpoints beside the parameters; an encoder that was saved alone has no `model.` before its
 * names.
 */
export const neoBertCheckpoint: CheckpointNotes = {
  prefix: "model.",
  renamed: [],
  ignored: [/^model\.freqs_cis$/],
  tied: {},
  optional: [],
};

/** Throws ConfigError for a configuration that does not fit together. */
export function neoBert(config: GatedRmsConfig, options: GatedRmsOptions = {}): GatedRms {
  return gatedRms(checkGatedRmsConfig(config, "neobert"), NAMES, options);
}
