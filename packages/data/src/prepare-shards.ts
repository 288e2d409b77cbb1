/**
 * FASTA files to token shards, in one pass: inflate (libuv's threads), parse, hash, split, encode, write.
 *
 * The index is written last, so its presence means that all is there. Called again with the same inputs, tokenizer and options it
 * returns the index that is there; after an interruption it clears what was left and starts anew. An index of other settings is
 * never overwritten unless asked.
 */
import { ConfigError } from "@cloze/errors";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { RecordRouter } from "./encode-fasta.ts";
import { FastaParser, type FastaReport } from "./fasta-parser.ts";
import { readChunks } from "./read-chunks.ts";
import { readShardIndex } from "./read-shard-index.ts";
import type { ShardIndex, ShardInput } from "./shard-index.ts";
import { ShardWriter, writeWhole } from "./shard-writer.ts";
import { checkSplitRule, type SplitName, type SplitRule } from "./split.ts";
import { dtypeOf, encoderOf, type DataTokenizer } from "./token-buffer.ts";

export interface PrepareProgress {
  readonly file: string;
  /** Bytes of all input files read so far and in total; compressed bytes, for gzip. */
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly records: number;
  readonly residues: number;
}

export interface PrepareOptions {
  readonly files: readonly string[];
  readonly tokenizer: DataTokenizer;
  /** Folder for the shards; made if need be. */
  readonly out: string;
  /** Files are `NAME_train_000000.bin`, …, and `NAME.json`. Default "tokens". */
  readonly name?: string;
  /** Default: seed 0, 0.5 % for validation, nothing for testing. */
  readonly split?: SplitRule;
  /** Default 1e8. */
  readonly tokensPerShard?: number;
  readonly maxRecord?: number;
  /** Replace shards of the same name that were made otherwise. Default false. */
  readonly overwrite?: boolean;
  readonly onProgress?: (progress: PrepareProgress) => void;
}

export interface PreparedShards {
  /** Path of the JSON index: what `openShards` takes. */
  readonly path: string;
  readonly index: ShardIndex;
  /** The shards were there already. */
  readonly reused: boolean;
}

const SPLITS = ["train", "valid", "test"] as const;

export async function prepareShards(options: PrepareOptions): Promise<PreparedShards> {
  const { files, tokenizer, out, name = "tokens", split = { seed: 0, valid: 0.005 }, tokensPerShard = 1e8 } = options;
  if (files.length === 0) throw new ConfigError("prepareShards: expected at least one FASTA file, got none.");
  if (!/^[\w.-]+$/.test(name)) throw new ConfigError(`prepareShards: expected a name of letters, digits, ".", "-" and "_", got ${JSON.stringify(name)}.`);
  if (!(tokensPerShard >= 1)) throw new ConfigError(`prepareShards: expected tokensPerShard to be at least 1, got ${tokensPerShard}.`);
  checkSplitRule(split);
  const inputs = files.map(describeInput), path = join(out, `${name}.json`);
  const settings = settingsOf(name, tokenizer, split, inputs);
  mkdirSync(out, { recursive: true });
  const existing = await indexAt(path, options.overwrite ?? false);
  if (existing !== undefined && JSON.stringify(pick(existing, settings)) === JSON.stringify(settings)) return { path, index: existing, reused: true };
  if (existing !== undefined && options.overwrite !== true) {
    throw new ConfigError(`prepareShards: ${path} holds shards of other inputs or settings. Choose another name or folder, or pass overwrite: true.`);
  }
  clear(out, name);

  const { start, end } = tokenizer.special, dtype = dtypeOf(tokenizer.vocabulary.length);
  const writerOf = (split: SplitName): ShardWriter => new ShardWriter({ out, prefix: `${name}_${split}`, dtype, start, end, tokensPerShard });
  const writers = { train: writerOf("train"), valid: writerOf("valid"), test: writerOf("test") };
  const encode = encoderOf(tokenizer);
  const router = new RecordRouter(split, (part, batch, record) => {
    const from = batch.starts[record] as number, until = batch.ends[record] as number;
    return writers[part].add(until - from, (into) => encode(batch.residues, from, until, into, router.issues));
  });
  try {
    const reports = await readAll(options, inputs, router);
    const splits = Object.fromEntries(SPLITS.map((part) => [part, writers[part].finish()]));
    const index: ShardIndex = { ...settings, splits, counts: router.counts(reports) };
    if (SPLITS.every((part) => splits[part]?.documents === 0)) throw new ConfigError(`prepareShards: expected sequences in ${files.join(", ")}, got ${index.counts.records} records with nothing to store. Check the files.`);
    writeWhole(path, `${JSON.stringify(index, null, 2)}\n`);
    return { path, index, reused: false };
  } catch (error) {
    for (const writer of Object.values(writers)) writer.abandon();
    clear(out, name);
    throw error;
  }
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

type Settings = Omit<ShardIndex, "splits" | "counts">;

function settingsOf(name: string, tokenizer: DataTokenizer, split: SplitRule, inputs: readonly ShardInput[]): Settings {
  const { vocabulary, special } = tokenizer;
  return {
    format: "cloze-token-shards", version: 1, name,
    tokenizer: { name: tokenizer.name, hash: tokenizer.hash, vocabularySize: vocabulary.length, ...(vocabulary.length <= 256 ? { vocabulary } : {}) },
    dtype: dtypeOf(vocabulary.length),
    special: { start: special.start ?? null, end: special.end ?? null },
    splitRule: { hash: "murmur3-x86-128/64", seed: split.seed, valid: split.valid, test: split.test ?? 0 },
    inputs,
  };
}

/** The settings' keys of an index, in the settings' order. */
function pick(index: ShardIndex, settings: Settings): Partial<ShardIndex> {
  return Object.fromEntries(Object.entries(index).filter(([key]) => key in settings));
}

function describeInput(file: string): ShardInput {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new ConfigError(`prepareShards: expected a FASTA file at ${file}, found nothing there. Check the path.`);
  return { file: basename(file), bytes: found.size, modified: found.mtime.toISOString() };
}

async function indexAt(path: string, overwrite: boolean): Promise<ShardIndex | undefined> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return (await readShardIndex(path)).index;
  } catch (error) {
    if (overwrite) return undefined;
    throw error;
  }
}

/** Removes the index first: shards without one are never read. */
function clear(out: string, name: string): void {
  rmSync(join(out, `${name}.json`), { force: true });
  for (const file of readdirSync(out)) {
    const rest = file.startsWith(name) ? file.slice(name.length) : "";
    if (/^_(train|valid|test)_\d{6}\.(bin|idx)(\.tmp)?$/.test(rest) || rest === ".json.tmp") rmSync(join(out, file));
  }
}
