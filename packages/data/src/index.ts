/**
 * The main entry of the package: sequence data from files to batches, for every platform. Files, shards and worker
 * threads are in `@cloze/data/node`.
 */
export type { Dataset, DatasetHandle, Tokens } from "./rows/dataset.ts";
export { MemoryDataset, memoryDataset } from "./rows/memory-dataset.ts";
export {
  isDocumentDataset,
  memoryDocuments,
  SentenceDocuments,
  type DocumentDataset,
} from "./rows/document-dataset.ts";
export {
  documentCollector,
  type DocumentCollector,
  type TextDataset,
  type TextDatasets,
} from "./shards/document-collector.ts";
export type { EncodeDocumentsOptions } from "./shards/encode-documents.ts";
export type { FilterOptions } from "./corpus/document-filter.ts";
export { windowed, type WindowOptions } from "./rows/windows.ts";
export { mix, type MixOptions, type MixPart, type MixedDataset } from "./rows/mix.ts";
export { mixDocuments, type DocumentMixPart } from "./rows/mix-documents.ts";
export type {
  BatchRecipe,
  Batches,
  PackedBatches,
  PackedOptions,
  PaddedBatches,
  PaddedOptions,
  PairFraming,
  PairOptions,
} from "./batches/batches.ts";
export { packedBatches } from "./batches/packed-batches.ts";
export { paddedBatches } from "./batches/padded-batches.ts";
export { pairBatches, pairEvaluationBatches } from "./batches/pair-batches.ts";
export { framingLength, type Framing } from "./batches/framing.ts";
export type { InnerStops } from "./formats/inner-stops.ts";
export { FastaParser, type FastaBatch, type FastaOptions, type FastaReport } from "./formats/fasta-parser.ts";
export {
  fastaCollector,
  type FastaCollector,
  type FastaDatasets,
  type FastaDatasetsOptions,
} from "./shards/fasta-collector.ts";
export { TextParser, DOCUMENT_RULES, type DocumentRule, type TextOptions } from "./formats/text-parser.ts";
export { JsonlParser } from "./formats/jsonl-parser.ts";
export { NumberText, finiteNumber } from "./formats/number-text.ts";
export { parseRowJson, rowJson } from "./formats/row-json.ts";
export { CsvParser, type CsvOptions } from "./formats/csv-parser.ts";
export { openParquet, type ParquetFile, type RangeReader } from "./formats/parquet-rows.ts";
export { httpFile, type Fetch, type HttpFileOptions } from "./formats/http-file.ts";
export {
  hubDatasetFiles,
  hubSettings,
  parseHubDataset,
  type HubDatasetName,
  type HubFile,
  type HubSettings,
} from "./corpus/hub-datasets.ts";
export { LineParser, MAX_RECORD, type LineOptions } from "./formats/text-lines.ts";
export { sentencesOf, type Row, type TextDocument, type TextReport } from "./formats/text-document.ts";
export { splitOf, type SplitName, type SplitRule } from "./corpus/split.ts";
export { heldOutRows, type ShuffledSplit } from "./corpus/shuffled-split.ts";
export { numpyPermutation } from "./corpus/numpy-permutation.ts";
export { contentHash, type ContentHash } from "./corpus/content-hash.ts";
export { clusterOrder, type Clusters } from "./rows/cluster-order.ts";
export { shuffledOrder, type Order } from "./rows/shuffle.ts";
export { cropStart, type CropKey } from "./rows/crop.ts";
export { packWindow, type PackedWindow } from "./rows/pack-window.ts";
export { RowPlan, type PlannedRow, type RowPlanOptions } from "./rows/row-plan.ts";
export type { DataTokenizer } from "./shards/token-buffer.ts";
export type {
  ShardCounts,
  ShardEntry,
  ShardIndex,
  ShardInput,
  ShardSplit,
  TextCounts,
  TokenDtype,
} from "./shards/shard-index.ts";
