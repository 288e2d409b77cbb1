/**
 * The entry `@cloze/checkpoint/node`: checkpoints on disk.
 *
 * It reads and writes safetensors files, single or in shards, and checkpoint folders. A write is atomic: a folder
 * exists complete, or not at all. Node only. `@cloze/checkpoint` holds the format itself, for browsers too.
 */
export {
  openSafetensors,
  readSafetensors,
  writeSafetensors,
  type SafetensorsFile,
  type TensorSource,
} from "./node/safetensors-file.ts";
export {
  openCheckpointTensors,
  writeSharded,
  type CheckpointTensors,
  type OpenOptions,
  type ShardOptions,
} from "./node/checkpoint-tensors.ts";
export { writeDirectoryAtomic, writeFileAtomic } from "./node/atomic.ts";
export { convertCheckpoint, type Conversion, type ConvertOptions } from "./node/convert/convert-checkpoint.ts";
export { openTensorSet, type TensorSet } from "./node/convert/tensor-set.ts";
export { resizeCheckpoint, type Resized, type ResizeOptions } from "./node/resize-checkpoint.ts";
export { averageCheckpoints, type Averaged } from "./node/average-checkpoints.ts";
export { latestComplete, stepDirectory, type LatestCheckpoint } from "./node/latest-complete.ts";
export { manifestFile, verifyDirectory, type ManifestEntry } from "./node/manifest.ts";
export { cleanLeftovers } from "./node/leftovers.ts";
export { readJson, readText, writeJson } from "./node/json-file.ts";
export { makeFolder } from "./node/make-folder.ts";
export { StorageError, errnoOf, ignoring, onStorage } from "./node/storage-error.ts";
