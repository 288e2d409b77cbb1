/**
 * NeoBERT: a text encoder of 28 layers with BERT's vocabulary, for 4,096 tokens: RMSNorm, rotary positions, SwiGLU, no
 * biases except the decoder's. The encoder is in `gated-rms.ts`. This file has its parameter names.
 *
 * Source: Le Breton et al. 2025, arXiv:2502.19587; chandar-lab/NeoBERT, classes `NeoBERTLMHead` and
 * `NeoBERTForSequenceClassification`. The token classifier exists only here; it has the form of the sequence
 * classifier.
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

/** Notes on NeoBERT's checkpoints for a loader. An encoder that was saved alone has names without `model.`. */
export const neoBertCheckpoint: CheckpointNotes = {
  prefix: "model.",
  renamed: [],
  ignored: [/^model\.freqs_cis$/],
  tied: {},
  optional: [],
};

/** The model of a configuration. Throws ConfigError for a configuration whose values do not fit together. */
export function neoBert(config: GatedRmsConfig, options: GatedRmsOptions = {}): GatedRms {
  return gatedRms(checkGatedRmsConfig(config, "neobert"), NAMES, options);
}
