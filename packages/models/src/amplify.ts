/**
 * AMPLIFY: a protein encoder of 24 or 32 layers. Its quality comes from its recipe, not from its size: RMSNorm, rotary
 * positions, SwiGLU, no biases except the decoder's. The encoder is in `gated-rms.ts`. This file has its parameter
 * names, which have no prefix: `encoder.weight` is the table of embeddings.
 *
 * Source: Fournier et al. 2024, "Protein language models: is scaling necessary?"; chandar-lab/AMPLIFY. Upstream has one
 * class, `AMPLIFY`, with the masked-token head. The classifiers exist only here; they have the form of NeoBERT's
 * classifiers.
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

/** Notes on AMPLIFY's checkpoints for a loader. */
export const amplifyCheckpoint: CheckpointNotes = {
  prefix: "",
  renamed: [],
  ignored: [/^freqs_cis$/],
  tied: {},
  optional: [],
};

/** The model of a configuration. Throws ConfigError for a configuration whose values do not fit together. */
export function amplify(config: GatedRmsConfig, options: GatedRmsOptions = {}): GatedRms {
  return gatedRms(checkGatedRmsConfig(config, "AMPLIFY"), NAMES, options);
}
