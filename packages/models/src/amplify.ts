/**
 * AMPLIFY: a protein encoder of 24 or 32 layers whose recipe, not its size, makes it good: RMSNorm, rotary positions,
 * SwiGLU, no biases but the decoder's. The encoder is that of `gated-rms.ts`; here are its names, which have no prefix:
 * `encoder.weight` is the table of embeddings.
 *
 * Source: Fournier et al. 2024, "Protein language models: is scaling necessary?"; chandar-lab/AMPLIFY. Upstream there
 * is one class, `AMPLIFY`, with the masked-token head; classifiers are ours, in the form of NeoBERT's.
 */
import type { CheckpointNotes } from "./checkpoint-notes.ts";
import { gatedRms, type GatedRms, type GatedRmsNames, type GatedRmsOptions } from "./gated-rms.ts";
import { checkGatedRmsConfig, type GatedRmsConfig } from "./gated-rms-config.ts";

export {
  amplifyConfigJson,
  amplifyConfigs,
  amplifyConfigText,
  parseAmplifyConfig,
  type AmplifySize,
} from "./amplify-config.ts";
export { gatedRmsFlopsPerToken, type GatedRms, type GatedRmsOptions } from "./gated-rms.ts";
export { gatedWidth, type GatedRmsConfig } from "./gated-rms-config.ts";
export type { CheckpointNotes } from "./checkpoint-notes.ts";

const NAMES: GatedRmsNames = {
  encoder: "",
  projections: "apart",
  embeddingNorm: "layer_norm_1",
  lastNorm: "layer_norm_2",
};

/** What is in AMPLIFY's checkpoints beside the parameters. */
export const amplifyCheckpoint: CheckpointNotes = {
  prefix: "",
  renamed: [],
  ignored: [/^freqs_cis$/],
  tied: {},
  optional: [],
};

/** Throws ConfigError for a configuration that does not fit together. */
export function amplify(config: GatedRmsConfig, options: GatedRmsOptions = {}): GatedRms {
  return gatedRms(checkGatedRmsConfig(config, "AMPLIFY"), NAMES, options);
}
