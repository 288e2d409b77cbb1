/** Sequence data from files to batches: the parts that run anywhere. Files, shards and worker threads: `@cloze/data/node`. */
export type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";
export { MemoryDataset, memoryDataset } from "./memory-dataset.ts";
export { isDocumentDataset, memoryDocuments, SentenceDocuments, type DocumentDataset } from "./document-dataset.ts";
export type { BatchRecipe, Batches, PackedBatches, PackedOptions, PaddedBatches, PaddedOptions } from "./batches.ts";
export { packedBatches } from "./packed-batches.ts";
export { paddedBatches } from "./padded-batches.ts";
export { framingLength, type Framing } from "./framing.ts";
export { FastaParser, type FastaBatch, type FastaOptions, type FastaReport } from "./fasta-parser.ts";
export { fastaCollector, type FastaCollector, type FastaDatasets, type FastaDatasetsOptions } from "./fasta-collector.ts";
export { splitOf, type SplitName, type SplitRule } from "./split.ts";
export { contentHash, type ContentHash } from "./content-hash.ts";
export { shuffledOrder, type Order } from "./shuffle.ts";
export { cropStart, type CropKey } from "./crop.ts";
export { packWindow, type PackedWindow } from "./pack-window.ts";
export { RowPlan, type PlannedRow, type RowPlanOptions } from "./row-plan.ts";
export type { DataTokenizer } from "./token-buffer.ts";
export type { ShardCounts, ShardEntry, ShardIndex, ShardInput, ShardSplit, TokenDtype } from "./shard-index.ts";
