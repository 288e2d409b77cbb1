/** Files, token shards and worker threads. What runs anywhere is in `@cloze/data`. */
export { readFasta, type FastaFile, type FastaRecord, type ReadFastaOptions } from "./read-fasta.ts";
export {
  DATA_FORMATS,
  formatOfName,
  resolveSources,
  type DataFormat,
  type DataSource,
  type SourceOptions,
} from "./sources.ts";
export { readDocuments, type DocumentReader, type ReadDocumentsOptions } from "./read-documents.ts";
export { readRows, type RowCounts, type RowOptions } from "./read-rows.ts";
export { readChunks, type ReadChunksOptions } from "./read-chunks.ts";
export { fastaDatasets } from "./fasta-datasets.ts";
export { PRESETS, PUBLISHED_SPLIT, type Preset, type PresetName } from "./presets.ts";
export { groupOf, type AnySplitRule } from "./splitter.ts";
export type { ClusterTable } from "./prepare-clusters.ts";
export { prepareParts, type PreparePartsOptions, type PreparedParts } from "./prepare-parts.ts";
export { prepareShards, type PrepareOptions, type PrepareProgress, type PreparedShards } from "./prepare-shards.ts";
export { textDatasets, type TextDatasetsOptions } from "./text-datasets.ts";
export { prepareDocuments, type DocumentProgress, type PrepareDocumentsOptions } from "./prepare-documents.ts";
export { SentenceShards, openSentenceShards } from "./sentence-shards.ts";
export { ShardDataset, openShards, type OpenShardsOptions } from "./shard-dataset.ts";
export { readShardIndex, type ReadShardIndex } from "./read-shard-index.ts";
export { ShardWriter, type ShardWriterOptions } from "./shard-writer.ts";
export { TokenBuffer } from "./token-buffer.ts";
export { inspect, type Contents, type InspectOptions, type Inspection } from "./inspect.ts";
export { inspectDocuments, type DocumentInspection, type InspectDocumentsOptions } from "./inspect-documents.ts";
export type { LengthSummary } from "./length-counts.ts";
export { openBatches, openDataset } from "./open-batches.ts";
export { prefetch, type PrefetchOptions, type Prefetcher } from "./prefetch.ts";
