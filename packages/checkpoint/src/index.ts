/**
 * The entry `@cloze/checkpoint`: checkpoints as bytes, without a file system.
 *
 * It parses and writes the safetensors format and its shard index, converts tensors to and from f32, and converts
 * tensor names, configs and vocabularies. A browser can import this entry. `@cloze/checkpoint/node` reads and writes
 * files.
 */
export {
  maxHeaderBytes,
  parseHeader,
  parseSafetensors,
  readHeaderLength,
  type HeaderSource,
  type SafetensorsHeader,
} from "./header.ts";
export { dtypeBytes, isSafetensorsDType, tensorBytes, type SafetensorsDType, type TensorEntry } from "./dtype.ts";
export {
  encodeSafetensors,
  layoutSafetensors,
  type EncodeOptions,
  type Layout,
  type TensorBytes,
  type TensorSpec,
} from "./encode.ts";
export { fromFloat32, toFloat32 } from "./float32.ts";
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half-floats.ts";
export { encodeShardIndex, indexFile, modelFile, parseShardIndex, planShards, type Shard } from "./shard-index.ts";
export { parseJson, type JsonObject, type JsonOptions, type JsonValue } from "./json.ts";
export {
  namingOf,
  renameTensors,
  type Naming,
  type NamingRule,
  type Renamed,
  type Renaming,
} from "./convert/naming.ts";
export { fairEsm, huggingFace, namings, tensorflowBert } from "./convert/namings.ts";
export { configFromShapes, type Shapes } from "./convert/config-from-shapes.ts";
export { castFloats, type FloatDType } from "./convert/cast.ts";
export { holdsVocabulary, matchVocabulary, resizeRows, type VocabularyChange } from "./resize/rows.ts";
export { tokenizerFiles } from "./hub-files.ts";
