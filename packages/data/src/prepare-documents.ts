/**
 * Documents of any sources to token shards, in one pass: read, filter, split by content, tokenise, write. The shards hold whole
 * documents, as those of FASTA do, and the lengths of their sentences beside them.
 */
import { ConfigError } from "@cloze/errors";
import type { TextTokenizer } from "@cloze/tokenizer";
import { basename } from "node:path";
import type { FilterOptions } from "./document-filter.ts";
import { DocumentEncoder } from "./encode-documents.ts";
import type { PreparedShards } from "./prepare-shards.ts";
import { readDocuments, type ReadDocumentsOptions } from "./read-documents.ts";
import { makeShards, type ShardFolderOptions } from "./shard-folder.ts";
import type { DataSource } from "./sources.ts";
import type { TextReport } from "./text-document.ts";
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
  /** Bytes of all sources read so far and in total: compressed ones, for gzip; of Parquet those of the columns that are read. */
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly documents: number;
}

/** Makes the shards, or returns those that are there; see `makeShards` for when. `openShards` and `openSentenceShards` read them. */
export async function prepareDocuments(options: PrepareDocumentsOptions): Promise<PreparedShards> {
  const { sources, tokenizer, reading = {}, filter = {} } = options;
  if (sources.length === 0) throw new ConfigError("prepareShards: expected at least one source, got none.");
  const inputs = sources.map(({ name, place, bytes, modified }) => ({ file: "path" in place ? basename(name) : name, bytes, modified }));
  const formats = sources.map(({ format }) => format).join(" ");
  return makeShards(options, { inputs, reading: plain({ formats, ...reading, ...filter }) }, async (writers, split) => {
    const encoder = new DocumentEncoder({ tokenizer, split, filter }, (part, { tokens, sentences }) => void writers[part].add(tokens.at, (into) => into.append(tokens.data.subarray(0, tokens.at)), sentences));
    return encoder.counts(await encodeAll(options, encoder));
  });
}

async function encodeAll({ sources, reading, onProgress }: PrepareDocumentsOptions, encoder: DocumentEncoder): Promise<readonly TextReport[]> {
  const bytesTotal = sources.reduce((n, source) => n + source.bytes, 0), reports: TextReport[] = [];
  let before = 0, documents = 0;
  for (const source of sources) {
    let read = 0;
    const reader = readDocuments(source, { ...reading, onRead: (bytes) => { read = bytes; } });
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

/** Options as the index keeps them. */
function plain(options: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(options)) if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") kept[key] = value;
  return kept;
}
