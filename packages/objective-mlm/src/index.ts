/** The public API of masked language modelling, an objective package. */
export { mlm, mlm as objective, type MlmOptions } from "./mlm.ts";
export {
  ALL_MASK,
  BERT_REPLACEMENT,
  corruptSequence,
  MASK_UNITS,
  type CorruptOptions,
  type Corruption,
  type MaskUnit,
  type Replacement,
} from "./masking.ts";
