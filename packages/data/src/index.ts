/**
 * Sequence data from files to batches: the parts that run anywhere. Files, shards and worker threads:
 * `@cloze/data/node`.
 */
export type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";
export { MemoryDataset, memoryDataset } from "./memory-dataset.ts";
export { isDocumentDataset, memoryDocuments, SentenceDocuments, type DocumentDataset } from "./document-dataset.ts";
export {
  documentCollector,
  type DocumentCollector,
  type TextDataset,
  type TextDatasets,
} from "./document-collector.ts";
export type { EncodeDocumentsOptions } from "./encode-documents.ts";
export type { FilterOptions } from "./document-filter.ts";
export { windowed, type WindowOptions } from "./windows.ts";
export { mix, type MixOptions, type MixPart, type MixedDataset } from "./mix.ts";
export { mixDocuments, type DocumentMixPart } from "./mix-documents.ts";
export type {
  BatchRecipe,
  Batches,
  PackedBatches,
  PackedOptions,
  PaddedBatches,
  PaddedOptions,
  PairFraming,
  PairOptions,
} from "./batches.ts";
export { packedBatches } from "./packed-batches.ts";
export { paddedBatches } from "./padded-batches.ts";
export { pairBatches, pairEvaluationBatches } from "./pair-batches.ts";
export { framingLength, type Framing } from "./framing.ts";
export { FastaParser, type FastaBatch, type FastaOptions, type FastaReport } from "./fasta-parser.ts";
export {
  fastaCollector,
  type FastaCollector,
  type FastaDatasets,
  type FastaDatasetsOptions,
} from "./fasta-collector.ts";
export { TextParser, DOCUMENT_RULES, type DocumentRule, type TextOptions } from "./text-parser.ts";
export { JsonlParser } from "./jsonl-parser.ts";
export { CsvParser, type CsvOptions } from "./csv-parser.ts";
export { openParquet, type ParquetFile, type RangeReader } from "./parquet-rows.ts";
export { httpFile, type Fetch, type HttpFileOptions } from "./http-file.ts";
export {
  hubDatasetFiles,
  hubSettings,
  parseHubDataset,
  type HubDatasetName,
  type HubFile,
  type HubSettings,
} from "./hub-datasets.ts";
export { LineParser, MAX_RECORD, type LineOptions } from "./text-lines.ts";
export { sentencesOf, type Row, type TextDocument, type TextReport } from "./text-document.ts";
export { splitOf, type SplitName, type SplitRule } from "./split.ts";
export { heldOutRows, type ShuffledSplit } from "./shuffled-split.ts";
export { numpyPermutation } from "./numpy-permutation.ts";
export { contentHash, type ContentHash } from "./content-hash.ts";
export { clusterOrder, type Clusters } from "./cluster-order.ts";
export { shuffledOrder, type Order } from "./shuffle.ts";
export { cropStart, type CropKey } from "./crop.ts";
export { packWindow, type PackedWindow } from "./pack-window.ts";
export { RowPlan, type PlannedRow, type RowPlanOptions } from "./row-plan.ts";
export type { DataTokenizer } from "./token-buffer.ts";
export type {
  ShardCounts,
  ShardEntry,
  ShardIndex,
  ShardInput,
  ShardSplit,
  TextCounts,
  TokenDtype,
} from "./shard-index.ts";
