/** Encoders under their Hugging Face parameter names. Each has a subpath of its own: `@cloze/models/esm2`. */
export {
  esm2, esm2Checkpoint, esm2ConfigJson, esm2Configs, esm2ConfigText, flopsPerToken, parseEsm2Config, ropeFrequenciesFrom,
  type Esm2, type Esm2Config, type Esm2Options, type Esm2Size, type CheckpointNotes,
} from "./esm2.ts";
