/**
 * The preparation of token shards from documents of any source, in one pass: read, filter, split by content, tokenise,
 * write. A split by row number first counts the records. The shards hold whole documents, as shards of FASTA do, and
 * the lengths of the sentences beside them.
 */
import { ConfigError } from "@cloze/errors";
import type { TextTokenizer } from "@cloze/tokenizer";
import { basename } from "node:path";
import type { FilterOptions } from "../corpus/document-filter.ts";
import { DocumentEncoder } from "./encode-documents.ts";
import type { PreparedShards } from "./prepare-shards.ts";
import { readDocuments, type ReadDocumentsOptions } from "../corpus/read-documents.ts";
import { countRecords } from "../corpus/count-records.ts";
import { DEFAULT_SPLIT, makeShards, type ShardFolderOptions, type ShardOrigin, type Writers } from "./shard-folder.ts";
import type { ShardCounts } from "./shard-index.ts";
import type { DataSource } from "../corpus/sources.ts";
import { splitterOf, type InputSize, type Splitter } from "../corpus/splitter.ts";
import type { TextReport } from "../formats/text-document.ts";
import type { DataTokenizer } from "./token-buffer.ts";

export interface PrepareDocumentsOptions extends ShardFolderOptions {
  readonly sources: readonly DataSource[];
  readonly tokenizer: DataTokenizer & Partial<Pick<TextTokenizer, "encodeIds">>;
  readonly reading?: Omit<ReadDocumentsOptions, "onRead">;
  readonly filter?: FilterOptions;
  readonly onProgress?: (progress: DocumentProgress) => void;
}

export interface DocumentProgress {
  /** Name of the source. */
  readonly source: string;
  /**
   * Bytes of all sources read so far and in total: compressed bytes, for gzip. For Parquet, the bytes read are only
   * those of the columns that are read.
   */
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly documents: number;
}

/**
 * Makes the shards, or returns existing shards of the same inputs and options (see `makeShards`). `openShards` and
 * `openSentenceShards` read the shards.
 */
export async function prepareDocuments(options: PrepareDocumentsOptions): Promise<PreparedShards> {
  const { sources, reading = {} } = options;
  return makeShards(options, documentsOrigin(options), async (writers) => {
    const splitter = await splitterOf(options.split ?? DEFAULT_SPLIT, () => sizesOf(sources, reading));
    return fillFromDocuments({ ...options, splitter, writers, firstRecord: 0 });
  });
}

/** The sources and how they are read, for the index. */
export function documentsOrigin({
  sources,
  reading,
  filter,
}: Pick<PrepareDocumentsOptions, "sources" | "reading" | "filter">): ShardOrigin {
  if (sources.length === 0) throw new ConfigError("prepareShards: expected at least one source, got none.");
  const formats = sources.map(({ format }) => format).join(" ");
  return {
    inputs: sources.map(({ name, place, bytes, modified }) => ({
      file: "path" in place ? basename(name) : name,
      bytes,
      modified,
    })),
    reading: plain({ formats, ...reading, ...filter }),
  };
}

/** The number of records in each source. */
export async function sizesOf(
  sources: readonly DataSource[],
  reading: PrepareDocumentsOptions["reading"],
): Promise<readonly InputSize[]> {
  const sizes: InputSize[] = [];
  for (const source of sources) sizes.push({ name: source.name, records: await countRecords(source, reading) });
  return sizes;
}

export interface FillDocuments extends Pick<
  PrepareDocumentsOptions,
  "sources" | "tokenizer" | "reading" | "filter" | "onProgress"
> {
  readonly splitter: Splitter;
  readonly writers: Writers;
  /** The number of documents in all earlier sources. */
  readonly firstRecord: number;
}

/** Reads the sources in order and writes their documents. */
export async function fillFromDocuments(options: FillDocuments): Promise<ShardCounts> {
  const { tokenizer, filter, splitter, firstRecord, writers } = options;
  const encoder = new DocumentEncoder(
    { tokenizer, splitter, firstRecord, ...(filter === undefined ? {} : { filter }) },
    (part, { tokens, sentences }) =>
      void writers[part].add(tokens.at, (into) => into.append(tokens.data.subarray(0, tokens.at)), sentences),
  );
  return encoder.counts(await encodeAll(options, encoder));
}

async function encodeAll(
  { sources, reading, onProgress }: FillDocuments,
  encoder: DocumentEncoder,
): Promise<readonly TextReport[]> {
  const bytesTotal = sources.reduce((n, source) => n + source.bytes, 0);
  const reports: TextReport[] = [];
  let before = 0;
  let documents = 0;
  for (const source of sources) {
    let read = 0;
    const reader = readDocuments(source, {
      ...reading,
      onRead: (bytes) => {
        read = bytes;
      },
    });
    for await (const batch of reader.batches()) {
      for (const document of batch) encoder.take(document);
      documents += batch.length;
      onProgress?.({ source: source.name, bytesRead: before + read, bytesTotal, documents });
    }
    reports.push(reader.report);
    before += source.bytes;
  }
  return reports;
}

/** The options that the index keeps: strings, numbers and booleans. */
function plain(options: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(options))
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") kept[key] = value;
  return kept;
}
