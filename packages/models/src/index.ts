/** Encoders under their Hugging Face parameter names. Each has a subpath of its own: `@cloze/models/bert`, `@cloze/models/esm2`. */
export {
  esm2, esm2Checkpoint, esm2ConfigJson, esm2Configs, esm2ConfigText, flopsPerToken, parseEsm2Config, ropeFrequenciesFrom,
  type Esm2, type Esm2Config, type Esm2Options, type Esm2Size, type CheckpointNotes,
} from "./esm2.ts";
export { bert, bertCheckpoint, bertConfigJson, bertConfigs, bertConfigText, parseBertConfig, type Bert, type BertConfig, type BertOptions, type BertSize } from "./bert.ts";
export {
  modernBert, modernBertCheckpoint, modernBertConfigJson, modernBertConfigs, modernBertConfigText, modernBertFlopsPerToken, parseModernBertConfig,
  type ModernBert, type ModernBertConfig, type ModernBertOptions, type ModernBertSize,
} from "./modernbert.ts";
export { amplify, amplifyCheckpoint, amplifyConfigJson, amplifyConfigs, amplifyConfigText, parseAmplifyConfig, type AmplifySize } from "./amplify.ts";
export {
  gatedRmsFlopsPerToken, gatedWidth, neoBert, neoBertCheckpoint, neoBertConfigJson, neoBertConfigs, neoBertConfigText, parseNeoBertConfig,
  type GatedRms, type GatedRmsConfig, type GatedRmsOptions, type NeoBertSize,
} from "./neobert.ts";
export {
  parseSpeedrunConfig, speedrun, speedrunConfigJson, speedrunConfigs, speedrunConfigText, speedrunFlopsPerToken, speedrunIntermediate,
  type Speedrun, type SpeedrunConfig, type SpeedrunOptions, type SpeedrunSize,
} from "./speedrun.ts";
export {
  families, familyOf, hasHead, headNames, headParameters, labelsJson, labelsOf, openModel, publishedConfig, publishedNames, readWeights,
  type FamilyModel, type Head, type HeadModels, type ModelFamily, type OpenedModel, type OpenOptions, type ProblemType, type ReadWeights, type SavedAs,
  type StoredTensors, type TaskLabels,
} from "./families.ts";
