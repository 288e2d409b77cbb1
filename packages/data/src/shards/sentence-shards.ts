/**
 * Shards of text as documents made of sentences, for sentence pairs. `openShards` gives the same files as whole
 * documents.
 *
 * In memory: eight bytes a sentence and eight a document, besides the memory of `openShards`. Tokens are read from the
 * files on demand.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DatasetHandle, Tokens } from "../rows/dataset.ts";
import type { DocumentDataset } from "../rows/document-dataset.ts";
import { checkSum, openShards, type OpenShardsOptions, type ShardDataset } from "./shard-dataset.ts";
import type { ShardEntry } from "./shard-index.ts";

/**
 * Opens a split of shards. Throws ConfigError for shards without sentences (shards of FASTA), and the errors of
 * `openShards`.
 */
export async function openSentenceShards(path: string, options: OpenShardsOptions = {}): Promise<SentenceShards> {
  const documents = await openShards(path, options);
  const split = options.split ?? "train";
  const { shards } = documents.index.splits[split] ?? { shards: [] };
  const count = shards.reduce((n, { sentences }) => n + (sentences?.count ?? 0), 0);
  const ends = new Float64Array(count + 1);
  const starts = new Float64Array(documents.size + 1);
  let sentence = 0;
  let document = 0;
  for (const entry of shards) {
    if (entry.sentences === undefined)
      throw new ConfigError(
        `${path}: expected shards of text, which know their sentences, got shards of ` +
          `${documents.index.reading === undefined ? "FASTA" : "another version"}. Prepare them from text, JSONL, ` +
          "CSV or Parquet.",
      );
    const lengths = await readSentenceLengths(join(dirname(path), entry.sentences.file), entry);
    let at = 0;
    for (const last = document + entry.documents; document < last; document++) {
      // A document takes sentences until they fill its length.
      const end = (ends[sentence] as number) + documents.lengthOf(document);
      while (at < lengths.length && (ends[sentence] as number) < end) {
        ends[sentence + 1] = (ends[sentence] as number) + (lengths[at++] as number);
        sentence++;
      }
      if (ends[sentence] !== end)
        throw new FormatError(
          join(dirname(path), entry.sentences.file),
          `document ${document}`,
          `expected sentences with ${documents.lengthOf(document)} tokens in all, got others. Prepare the shards ` +
            "again.",
        );
      starts[document + 1] = sentence;
    }
    if (at !== lengths.length)
      throw new FormatError(
        join(dirname(path), entry.sentences.file),
        "",
        `expected ${at} sentences for ${entry.documents} documents, got ${lengths.length}. Prepare the shards again.`,
      );
  }
  return new SentenceShards(documents, { kind: "sentences", index: path, split }, starts, ends);
}

async function readSentenceLengths(path: string, { sentences, file }: ShardEntry): Promise<Uint32Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new FormatError(
      path,
      "",
      `expected the sentence lengths of ${file}, got ${cause instanceof Error ? cause.message : String(cause)}. ` +
        "Copy the missing file, or prepare the shards again.",
      { cause },
    );
  });
  const count = sentences?.count ?? 0;
  if (bytes.length !== 4 * count)
    throw new FormatError(
      path,
      "",
      `expected ${4 * count} bytes for ${count} sentences, got ${bytes.length}. Copy the file again, or prepare ` +
        "the shards again.",
    );
  checkSum(path, sentences?.sha256 ?? "", createHash("sha256").update(bytes).digest("hex"));
  const lengths = new Uint32Array(count);
  new Uint8Array(lengths.buffer).set(bytes);
  return lengths;
}

export class SentenceShards implements DocumentDataset {
  readonly size: number;
  readonly documents: number;
  readonly handle: DatasetHandle;
  readonly #documents: ShardDataset;
  readonly #starts: Float64Array;
  /** The number of tokens before each sentence, over all documents in order. */
  readonly #ends: Float64Array;

  constructor(documents: ShardDataset, handle: DatasetHandle, starts: Float64Array, ends: Float64Array) {
    this.size = ends.length - 1;
    this.documents = documents.size;
    this.handle = handle;
    this.#documents = documents;
    this.#starts = starts;
    this.#ends = ends;
  }

  lengthOf(example: number): number {
    return (this.#ends[example + 1] as number) - (this.#ends[example] as number);
  }

  sentencesOf(document: number): readonly [first: number, end: number] {
    return [this.#starts[document] as number, this.#starts[document + 1] as number];
  }

  read(example: number): Tokens {
    if (!Number.isInteger(example) || example < 0 || example >= this.size)
      throw new ConfigError(`read: expected a sentence from 0 to ${this.size - 1}, got ${example}.`);
    let low = 0;
    let high = this.documents;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= example) low = middle;
      else high = middle;
    }
    const base = this.#ends[this.#starts[low] as number] as number;
    const from = (this.#ends[example] as number) - base;
    return this.#documents.slice(low, from, from + this.lengthOf(example));
  }

  /** Closes the files. The next read opens the file again. */
  close(): void {
    this.#documents.close();
  }
}
