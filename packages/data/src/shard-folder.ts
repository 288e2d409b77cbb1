/**
 * A folder of token shards, made whole or not at all: writers for the three splits, and the index after them.
 *
 * The index is written last, so its presence means that all is there. Called again with the same inputs, tokenizer and options, what is
 * there is returned; after an interruption what was left is cleared and made anew. An index of other settings is never overwritten
 * unless asked.
 */
import { ConfigError } from "@cloze/errors";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { PreparedShards } from "./prepare-shards.ts";
import { readShardIndex } from "./read-shard-index.ts";
import type { ShardCounts, ShardIndex, ShardInput } from "./shard-index.ts";
import { ShardWriter, writeWhole } from "./shard-writer.ts";
import { checkSplitRule, type SplitName, type SplitRule } from "./split.ts";
import { dtypeOf, type DataTokenizer } from "./token-buffer.ts";

export interface ShardFolderOptions {
  readonly tokenizer: DataTokenizer;
  /** Folder for the shards; made if need be. */
  readonly out: string;
  /** Files are `NAME_train_000000.bin`, …, and `NAME.json`. Default "tokens". */
  readonly name?: string;
  /** Default: seed 0, 0.5 % for validation, nothing for testing. */
  readonly split?: SplitRule;
  /** Default 1e8. */
  readonly tokensPerShard?: number;
  /** Replace shards of the same name that were made otherwise. Default false. */
  readonly overwrite?: boolean;
}

/** What the shards are made of: compared with what is there. */
export interface ShardOrigin {
  readonly inputs: readonly ShardInput[];
  /** How text was read; its presence says that documents have sentences. */
  readonly reading?: Readonly<Record<string, string | number | boolean>>;
}

export type Writers = Readonly<Record<SplitName, ShardWriter>>;

const SPLITS = ["train", "valid", "test"] as const;

/** `fill` reads the inputs and writes their documents, and gives the counts. */
export async function makeShards(options: ShardFolderOptions, origin: ShardOrigin, fill: (writers: Writers, split: SplitRule) => Promise<ShardCounts>): Promise<PreparedShards> {
  const { tokenizer, out, name = "tokens", split = { seed: 0, valid: 0.005 }, tokensPerShard = 1e8, overwrite = false } = options;
  if (!/^[\w.-]+$/.test(name)) throw new ConfigError(`prepareShards: expected a name of letters, digits, ".", "-" and "_", got ${JSON.stringify(name)}.`);
  if (!(tokensPerShard >= 1)) throw new ConfigError(`prepareShards: expected tokensPerShard to be at least 1, got ${tokensPerShard}.`);
  checkSplitRule(split);
  const path = join(out, `${name}.json`), settings = settingsOf(name, tokenizer, split, origin);
  mkdirSync(out, { recursive: true });
  const existing = await indexAt(path, overwrite);
  if (existing !== undefined && JSON.stringify(pick(existing)) === JSON.stringify(settings)) return { path, index: existing, reused: true };
  if (existing !== undefined && !overwrite) {
    throw new ConfigError(`prepareShards: ${path} holds shards of other inputs or settings. Choose another name or folder, or pass overwrite: true.`);
  }
  clear(out, name);

  const { start, end } = tokenizer.special, dtype = dtypeOf(tokenizer.vocabulary.length), sentences = origin.reading !== undefined;
  const writerOf = (part: SplitName): ShardWriter => new ShardWriter({ out, prefix: `${name}_${part}`, dtype, start, end, tokensPerShard, sentences });
  const writers = { train: writerOf("train"), valid: writerOf("valid"), test: writerOf("test") };
  try {
    const counts = await fill(writers, split), splits = Object.fromEntries(SPLITS.map((part) => [part, writers[part].finish()]));
    const index: ShardIndex = { ...settings, splits, counts };
    if (SPLITS.every((part) => splits[part]?.documents === 0)) throw new ConfigError(`prepareShards: expected ${sentences ? "text" : "sequences"} in ${origin.inputs.map(({ file }) => file).join(", ")}, got ${index.counts.records} records with nothing to store. Check the files${sentences ? " and the filters" : ""}.`);
    writeWhole(path, `${JSON.stringify(index, null, 2)}\n`);
    return { path, index, reused: false };
  } catch (error) {
    for (const writer of Object.values(writers)) writer.abandon();
    clear(out, name);
    throw error;
  }
}

type Settings = Omit<ShardIndex, "splits" | "counts">;

function settingsOf(name: string, tokenizer: DataTokenizer, split: SplitRule, { inputs, reading }: ShardOrigin): Settings {
  const { vocabulary, special } = tokenizer;
  return {
    format: "cloze-token-shards", version: 1, name,
    tokenizer: { name: tokenizer.name, hash: tokenizer.hash, vocabularySize: vocabulary.length, ...(vocabulary.length <= 256 ? { vocabulary } : {}) },
    dtype: dtypeOf(vocabulary.length),
    special: { start: special.start ?? null, end: special.end ?? null },
    splitRule: { hash: "murmur3-x86-128/64", seed: split.seed, valid: split.valid, test: split.test ?? 0 },
    inputs,
    ...(reading === undefined ? {} : { reading }),
  };
}

/** An index without what was found in the inputs; the order of the keys is that in which it was written. */
function pick(index: ShardIndex): Partial<ShardIndex> {
  return Object.fromEntries(Object.entries(index).filter(([key]) => key !== "splits" && key !== "counts"));
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
    if (/^_(train|valid|test)_\d{6}\.(bin|idx|sen)(\.tmp)?$/.test(rest) || rest === ".json.tmp") rmSync(join(out, file));
  }
}
