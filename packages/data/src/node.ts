/** The entry for Node: files, token shards and worker threads. Code for every platform is in `@cloze/data`. */
export { readFasta, type FastaFile, type FastaRecord, type ReadFastaOptions } from "./formats/read-fasta.ts";
export {
  DATA_FORMATS,
  refusePipe,
  formatOfName,
  headOf,
  inputOf,
  refusePipesTwice,
  resolveSources,
  type DataFormat,
  type DataSource,
  type SourceOptions,
} from "./corpus/sources.ts";
export { hasFileEnding } from "./corpus/file-endings.ts";
export { readDocuments, type DocumentReader, type ReadDocumentsOptions } from "./corpus/read-documents.ts";
export { readRows, type RowCounts, type RowOptions } from "./corpus/read-rows.ts";
export { decodeText, expectText } from "./formats/mistaken-formats.ts";
export { Pipe, STDIN_NAME } from "./formats/pipe.ts";
export { readChunks, type ReadChunksOptions } from "./formats/read-chunks.ts";
export { fastaDatasets } from "./shards/fasta-datasets.ts";
export { PRESETS, PUBLISHED_SPLIT, type Preset, type PresetName } from "./corpus/presets.ts";
export { groupOf, type AnySplitRule } from "./corpus/splitter.ts";
export type { ClusterTable } from "./shards/prepare-clusters.ts";
export { prepareParts, type PreparePartsOptions, type PreparedParts } from "./shards/prepare-parts.ts";
export {
  prepareShards,
  type PrepareOptions,
  type PrepareProgress,
  type PreparedShards,
} from "./shards/prepare-shards.ts";
export { textDatasets, type TextDatasetsOptions } from "./shards/text-datasets.ts";
export { prepareDocuments, type DocumentProgress, type PrepareDocumentsOptions } from "./shards/prepare-documents.ts";
export { SentenceShards, openSentenceShards } from "./shards/sentence-shards.ts";
export { ShardDataset, openShards, type OpenShardsOptions } from "./shards/shard-dataset.ts";
export { readShardIndex, type ReadShardIndex } from "./shards/read-shard-index.ts";
export { ShardWriter, type ShardWriterOptions } from "./shards/shard-writer.ts";
export { TokenBuffer } from "./shards/token-buffer.ts";
export { inspect, type Contents, type InspectOptions, type Inspection } from "./shards/inspect.ts";
export { inspectDocuments, type DocumentInspection, type InspectDocumentsOptions } from "./corpus/inspect-documents.ts";
export type { LengthSummary } from "./corpus/length-counts.ts";
export { openBatches, openDataset } from "./batches/open-batches.ts";
export { prefetch, type PrefetchOptions, type Prefetcher } from "./batches/prefetch.ts";
