/**
 * The writer of the shards of one split: `NAME_SPLIT_000000.bin` with tokens, `….idx` with document lengths, and for
 * text `….sen` with the lengths of sentences. Each file has a temporary name until it is whole, synced and renamed.
 * Documents are never cut in two.
 *
 * Memory: one buffer of 2 Mi tokens, and four bytes for each document and sentence of a shard.
 * Bytes are written in the platform's byte order, which is little-endian wherever Node runs cloze's backends.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Tokens } from "../rows/dataset.ts";
import { HEADER_BYTES, MAX_SHARD_TOKENS, shardHeader } from "./shard-header.ts";
import type { ShardEntry, ShardSplit, TokenDtype } from "./shard-index.ts";
import { PIECE, TokenBuffer } from "./token-buffer.ts";

export interface ShardWriterOptions {
  /** An existing folder. */
  readonly out: string;
  /** `NAME_SPLIT`. */
  readonly prefix: string;
  readonly dtype: TokenDtype;
  readonly start: number | undefined;
  readonly end: number | undefined;
  /** A new shard begins before a document that could go beyond this number. */
  readonly tokensPerShard: number;
  /**
   * Also write the lengths of sentences, `….sen`. Each document is then added with its sentence lengths. Default false.
   */
  readonly sentences?: boolean;
}

/**
 * Two pieces of a sequence (see encoderOf). `add` first makes room for a whole piece, so that the start token of a
 * document without tokens is still in the buffer and can be taken back.
 */
const BUFFER_TOKENS = 2 * PIECE + 2;

interface OpenShard {
  readonly file: string;
  readonly descriptor: number;
  readonly hash: Hash;
  lengths: Uint32Array;
  documents: number;
  tokens: number;
  sentenceLengths: Uint32Array;
  sentences: number;
}

export class ShardWriter {
  readonly #options: ShardWriterOptions;
  readonly #buffer: TokenBuffer;
  readonly #done: ShardEntry[] = [];
  #drained = 0;
  #shard: OpenShard | undefined;

  constructor(options: ShardWriterOptions) {
    this.#options = options;
    this.#buffer = new TokenBuffer(options.dtype, BUFFER_TOKENS, (tokens) => this.#write(tokens));
  }

  /**
   * Adds a document of at most `longest` tokens. `append` writes the tokens to the buffer, and `add` writes the start
   * and end tokens. Returns the number of tokens that `append` wrote; a document without tokens is left out.
   * `sentences`: the number of tokens in each sentence.
   */
  add(longest: number, append: (into: TokenBuffer) => void, sentences: readonly number[] = []): number {
    const { start, end, tokensPerShard } = this.#options;
    const buffer = this.#buffer;
    if (
      this.#shard !== undefined &&
      this.#shard.documents > 0 &&
      this.#shard.tokens + longest + 2 > Math.min(tokensPerShard, MAX_SHARD_TOKENS)
    )
      this.#finishShard();
    const shard = (this.#shard ??= this.#open());
    buffer.reserve(Math.min(longest, PIECE) + 2);
    const before = this.#drained + buffer.at;
    if (start !== undefined) buffer.push(start);
    const framed = this.#drained + buffer.at;
    append(buffer);
    const added = this.#drained + buffer.at - framed;
    if (added === 0) {
      buffer.at -= framed - before;
      return 0;
    }
    if (end !== undefined) buffer.push(end);
    if (shard.documents === shard.lengths.length) shard.lengths = enlarge(shard.lengths);
    const length = this.#drained + buffer.at - before;
    shard.lengths[shard.documents++] = length;
    while (shard.sentences + sentences.length > shard.sentenceLengths.length)
      shard.sentenceLengths = enlarge(shard.sentenceLengths);
    shard.sentenceLengths.set(sentences, shard.sentences);
    shard.sentences += sentences.length;
    shard.tokens += length;
    return added;
  }

  finish(): ShardSplit {
    if (this.#shard !== undefined) this.#finishShard();
    const sum = (key: "documents" | "tokens"): number => this.#done.reduce((n, shard) => n + shard[key], 0);
    return { documents: sum("documents"), tokens: sum("tokens"), shards: this.#done };
  }

  /** After an error: closes the open file, which keeps its temporary name. */
  abandon(): void {
    if (this.#shard !== undefined) closeSync(this.#shard.descriptor);
    this.#shard = undefined;
  }

  #open(): OpenShard {
    const file = `${this.#options.prefix}_${String(this.#done.length).padStart(6, "0")}`;
    const descriptor = openSync(join(this.#options.out, `${file}.bin.tmp`), "w");
    writeAll(descriptor, new Uint8Array(HEADER_BYTES));
    return {
      file,
      descriptor,
      hash: createHash("sha256"),
      lengths: new Uint32Array(1024),
      documents: 0,
      tokens: 0,
      sentenceLengths: new Uint32Array(1024),
      sentences: 0,
    };
  }

  #write(tokens: Tokens): void {
    const shard = this.#shard;
    if (shard === undefined) return;
    const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
    shard.hash.update(bytes);
    writeAll(shard.descriptor, bytes);
    this.#drained += tokens.length;
  }

  #finishShard(): void {
    const shard = this.#shard as OpenShard;
    const { out } = this.#options;
    const { file, documents, tokens } = shard;
    this.#buffer.drain();
    this.#shard = undefined;
    if (documents === 0) {
      closeSync(shard.descriptor);
      rmSync(join(out, `${file}.bin.tmp`));
      return;
    }
    writeAll(shard.descriptor, shardHeader(tokens), 0);
    publish(shard.descriptor, join(out, `${file}.bin`));
    const lengths = writeNumbers(out, `${file}.idx`, shard.lengths.subarray(0, documents));
    const sentences =
      this.#options.sentences === true
        ? {
            sentences: {
              ...writeNumbers(out, `${file}.sen`, shard.sentenceLengths.subarray(0, shard.sentences)),
              count: shard.sentences,
            },
          }
        : {};
    this.#done.push({
      file: `${file}.bin`,
      documents,
      tokens,
      sha256: shard.hash.digest("hex"),
      lengths,
      ...sentences,
    });
  }
}

function writeNumbers(
  out: string,
  file: string,
  numbers: Uint32Array,
): { readonly file: string; readonly sha256: string } {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const descriptor = openSync(join(out, `${file}.tmp`), "w");
  writeAll(descriptor, bytes);
  publish(descriptor, join(out, file));
  return { file, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Syncs and closes `path.tmp`, and renames it to `path`. */
export function publish(descriptor: number, path: string): void {
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(`${path}.tmp`, path);
}

/** Writes a small file whole or not at all. */
export function writeWhole(path: string, text: string): void {
  const descriptor = openSync(`${path}.tmp`, "w");
  writeAll(descriptor, new TextEncoder().encode(text));
  publish(descriptor, path);
}

export function writeAll(descriptor: number, bytes: Uint8Array, position?: number): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(descriptor, bytes, at, bytes.length - at, position === undefined ? null : position + at);
  }
}

function enlarge(array: Uint32Array): Uint32Array {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}
