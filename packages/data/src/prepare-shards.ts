/**
 * FASTA files to token shards, in one pass: inflate (libuv's threads), parse, hash, split, encode, write.
 */
import { ConfigError } from "@cloze/errors";
import { statSync } from "node:fs";
import { basename } from "node:path";
import { RecordRouter } from "./encode-fasta.ts";
import { FastaParser, type FastaReport } from "./fasta-parser.ts";
import { readChunks } from "./read-chunks.ts";
import { makeShards, type ShardFolderOptions } from "./shard-folder.ts";
import type { ShardIndex, ShardInput } from "./shard-index.ts";
import { encoderOf } from "./token-buffer.ts";

export interface PrepareProgress {
  readonly file: string;
  /** Bytes of all input files read so far and in total; compressed bytes, for gzip. */
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly records: number;
  readonly residues: number;
}

export interface PrepareOptions extends ShardFolderOptions {
  readonly files: readonly string[];
  readonly maxRecord?: number;
  readonly onProgress?: (progress: PrepareProgress) => void;
}

export interface PreparedShards {
  /** Path of the JSON index: what `openShards` takes. */
  readonly path: string;
  readonly index: ShardIndex;
  /** The shards were there already. */
  readonly reused: boolean;
}

/** Makes the shards, or returns those that are there; see `makeShards` for when. */
export async function prepareShards(options: PrepareOptions): Promise<PreparedShards> {
  const { files, tokenizer } = options;
  if (files.length === 0) throw new ConfigError("prepareShards: expected at least one FASTA file, got none.");
  const inputs = files.map(describeInput), encode = encoderOf(tokenizer);
  return makeShards(options, { inputs }, async (writers, split) => {
    const router = new RecordRouter(split, (part, batch, record) => {
      const from = batch.starts[record] as number, until = batch.ends[record] as number;
      return writers[part].add(until - from, (into) => encode(batch.residues, from, until, into, router.issues));
    });
    return router.counts(await readAll(options, inputs, router));
  });
}

async function readAll(options: PrepareOptions, inputs: readonly ShardInput[], router: RecordRouter): Promise<readonly FastaReport[]> {
  const { files, maxRecord, onProgress } = options, bytesTotal = inputs.reduce((n, input) => n + input.bytes, 0);
  const reports: FastaReport[] = [];
  let before = 0;
  for (const [i, file] of files.entries()) {
    const parser = new FastaParser({ file, headers: false, ...(maxRecord === undefined ? {} : { maxRecord }) });
    let read = 0;
    for await (const chunk of readChunks(file, { onRead: (bytes) => { read = bytes; } })) {
      router.take(parser.push(chunk));
      if (onProgress === undefined) continue;
      const { records, residues } = parser.report, sum = (key: "records" | "residues"): number => reports.reduce((n, r) => n + r[key], 0);
      onProgress({ file, bytesRead: before + read, bytesTotal, records: sum("records") + records, residues: sum("residues") + residues });
    }
    router.take(parser.finish());
    reports.push(parser.report);
    before += (inputs[i] as ShardInput).bytes;
  }
  return reports;
}

function describeInput(file: string): ShardInput {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new ConfigError(`prepareShards: expected a FASTA file at ${file}, found nothing there. Check the path.`);
  return { file: basename(file), bytes: found.size, modified: found.mtime.toISOString() };
}
