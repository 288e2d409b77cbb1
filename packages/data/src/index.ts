/** Sequence data from files to batches: the parts that run anywhere. Files, shards and worker threads: `@cloze/data/node`. */
export type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";
export type { ByteEncoder, SpecialTokens } from "./byte-encoder.ts";
export type { BatchRecipe, Batches, PackedBatches, PackedOptions, PaddedBatches, PaddedOptions } from "./batches.ts";
export type { SplitName, SplitRule } from "./split.ts";
export type { ShardCounts, ShardEntry, ShardIndex, ShardSplit, TokenDtype } from "./shard-index.ts";
