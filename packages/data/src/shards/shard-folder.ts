/**
 * A folder of token shards, made whole or not at all: writers for the three splits, and the index after them.
 *
 * The index is written last, so an index means that all files are there. A second call with the same inputs, tokenizer
 * and options returns the existing shards. After an interruption the remaining files are removed, and everything is
 * made again (`prepareParts` keeps its finished parts). An index of other settings is never overwritten unless the
 * caller asks for it. Only one process at a time writes to a name.
 */
import { ConfigError } from "@cloze/errors";
import { lock } from "@cloze/lock";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { PreparedShards } from "./prepare-shards.ts";
import { readShardIndex } from "./read-shard-index.ts";
import type { ShardClusters, ShardCounts, ShardIndex, ShardInput, TokenDtype } from "./shard-index.ts";
import { ShardWriter, writeWhole } from "./shard-writer.ts";
import { checkSplitRule, type SplitName } from "../corpus/split.ts";
import { isShuffled, type AnySplitRule } from "../corpus/splitter.ts";
import { dtypeOf, type DataTokenizer } from "./token-buffer.ts";

export interface ShardFolderOptions {
  readonly tokenizer: DataTokenizer;
  /** The folder for the shards. It is made if it does not exist. */
  readonly out: string;
  /** Files are `NAME_train_000000.bin`, …, and `NAME.json`. Default "tokens". */
  readonly name?: string;
  /** Default: seed 0, 0.5 % for validation, nothing for testing. */
  readonly split?: AnySplitRule;
  /** The most tokens in a shard. Default 1e8. */
  readonly tokensPerShard?: number;
  /** Replace shards of the same name with other inputs or settings. Default false. */
  readonly overwrite?: boolean;
}

/** The inputs of the shards and how they are read. Existing shards are reused if their origin is the same. */
export interface ShardOrigin {
  readonly inputs: readonly ShardInput[];
  /** How text is read; undefined for FASTA. Documents have sentences if `reading` is defined. */
  readonly reading?: Readonly<Record<string, string | number | boolean>>;
  /** The table of clusters, and the function that writes a split's clusters after the documents. */
  readonly clusters?: {
    readonly table: ShardInput & { readonly fields: string };
    finish(split: SplitName): ShardClusters;
  };
}

/** The writers of documents, one for each split. */
export type Writers = Readonly<Record<SplitName, Pick<ShardWriter, "add">>>;

export const SPLITS = ["train", "valid", "test"] as const;
export const DEFAULT_SPLIT: AnySplitRule = { seed: 0, valid: 0.005 };

/**
 * Makes the shards, or returns existing shards of the same settings. `fill` reads the inputs, writes their documents,
 * and returns the counts. Throws ConfigError if there is nothing to store.
 */
export async function makeShards(
  options: ShardFolderOptions,
  origin: ShardOrigin,
  fill: (writers: Writers) => Promise<ShardCounts>,
): Promise<PreparedShards> {
  const { tokenizer, out, tokensPerShard = 1e8 } = options;
  const { name, path, settings } = checkedFolder(options, origin);
  const sentences = origin.reading !== undefined;
  const there = await existingShards(options, path, settings);
  if (there !== undefined) return there;
  const writer = lock(join(out, `${name}.lock`), "prepareShards", `the shards ${name} in ${out}`);
  try {
    const meanwhile = await existingShards(options, path, settings);
    if (meanwhile !== undefined) return meanwhile;
    const interrupted = clear(out, name);
    const writerOf = (part: SplitName): ShardWriter =>
      new ShardWriter({ out, prefix: `${name}_${part}`, ...formOf(tokenizer), tokensPerShard, sentences });
    const writers = { train: writerOf("train"), valid: writerOf("valid"), test: writerOf("test") };
    try {
      const counts = await fill(writers);
      const splits = Object.fromEntries(
        SPLITS.map((part) => [
          part,
          {
            ...writers[part].finish(),
            ...(origin.clusters === undefined ? {} : { clusters: origin.clusters.finish(part) }),
          },
        ]),
      );
      const index: ShardIndex = { ...settings, splits, counts };
      if (SPLITS.every((part) => splits[part]?.documents === 0))
        throw new ConfigError(
          `prepareShards: expected ${sentences ? "text" : "sequences"} in ` +
            `${origin.inputs.map(({ file }) => file).join(", ")}, got ${index.counts.records} records with nothing ` +
            `to store. Check the files${sentences ? " and the filters" : ""}.`,
        );
      writeWhole(path, `${JSON.stringify(index, null, 2)}\n`);
      return { path, index, reused: false, interrupted };
    } catch (error) {
      for (const writer of Object.values(writers)) writer.abandon();
      clear(out, name);
      throw withoutRoom(error, out);
    }
  } finally {
    writer.release();
  }
}

export interface CheckedFolder {
  readonly name: string;
  /** Path of the index. */
  readonly path: string;
  readonly settings: Settings;
}

/** Checks the options, and makes the folder. */
export function checkedFolder(
  { tokenizer, out, name = "tokens", split = DEFAULT_SPLIT, tokensPerShard = 1e8 }: ShardFolderOptions,
  origin: ShardOrigin,
): CheckedFolder {
  if (!/^[\w.-]+$/.test(name))
    throw new ConfigError(
      `prepareShards: expected a name of letters, digits, ".", "-" and "_", got ${JSON.stringify(name)}.`,
    );
  if (!(tokensPerShard >= 1))
    throw new ConfigError(`prepareShards: expected tokensPerShard to be at least 1, got ${tokensPerShard}.`);
  if (!isShuffled(split)) checkSplitRule(split);
  mkdirSync(out, { recursive: true });
  return { name, path: join(out, `${name}.json`), settings: settingsOf(name, tokenizer, split, origin) };
}

/**
 * The existing shards, if they have the same settings. Undefined if there are no shards, or if `overwrite` allows to
 * replace them. Throws ConfigError if shards of other settings are in the way.
 */
export async function existingShards(
  { overwrite = false }: ShardFolderOptions,
  path: string,
  settings: Settings,
): Promise<PreparedShards | undefined> {
  const existing = await indexAt(path, overwrite);
  if (existing !== undefined && JSON.stringify(pick(existing)) === JSON.stringify(settings))
    return { path, index: existing, reused: true, interrupted: false };
  if (existing === undefined || overwrite) return undefined;
  throw new ConfigError(
    `prepareShards: ${path} holds shards of other inputs or settings. Choose another name or folder, or pass ` +
      "overwrite: true.",
  );
}

/** How a tokenizer's tokens are stored. */
export function formOf({ special, vocabulary }: DataTokenizer): {
  readonly dtype: TokenDtype;
  readonly start: number | undefined;
  readonly end: number | undefined;
} {
  return { dtype: dtypeOf(vocabulary.length), start: special.start, end: special.end };
}

/** The error with advice, if the disk or a quota is full; any other error unchanged. */
export function withoutRoom(error: unknown, out: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EFBIG") return error;
  return new ConfigError(
    `prepareShards: expected room for the shards in ${out}, got ${code}. A sequence takes a byte for each ` +
      "residue and six more, a text two for each token of a vocabulary up to 65,536. Make room or choose another " +
      "folder, and run it again.",
    { cause: error },
  );
}

export type Settings = Omit<ShardIndex, "splits" | "counts">;

function settingsOf(
  name: string,
  tokenizer: DataTokenizer,
  split: AnySplitRule,
  { inputs, reading, clusters }: ShardOrigin,
): Settings {
  const { vocabulary, special } = tokenizer;
  return {
    format: "cloze-token-shards",
    version: 1,
    name,
    tokenizer: {
      name: tokenizer.name,
      hash: tokenizer.hash,
      vocabularySize: vocabulary.length,
      ...(vocabulary.length <= 256 ? { vocabulary } : {}),
    },
    dtype: dtypeOf(vocabulary.length),
    special: { start: special.start ?? null, end: special.end ?? null },
    splitRule: isShuffled(split)
      ? { shuffle: "numpy-pcg64", ...split }
      : { hash: "murmur3-x86-128/64", seed: split.seed, valid: split.valid, test: split.test ?? 0 },
    inputs,
    ...(clusters === undefined ? {} : { clusters: clusters.table }),
    ...(reading === undefined ? {} : { reading }),
  };
}

/**
 * An index without `splits` and `counts`, which were found in the inputs. The keys keep the order in which they were
 * written, so that two of these objects compare as JSON.
 */
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

/**
 * Removes the shards of a name, the index first: shards without an index are never read. Returns true if there were
 * shards without an index, which an interruption left.
 */
function clear(out: string, name: string): boolean {
  const whole = statSync(join(out, `${name}.json`), { throwIfNoEntry: false }) !== undefined;
  let removed = 0;
  rmSync(join(out, `${name}.json`), { force: true });
  for (const file of readdirSync(out)) {
    const rest = file.startsWith(name) ? file.slice(name.length) : "";
    if (!/^_(train|valid|test)(_\d{6}\.(bin|idx|sen)|\.(ends|members))(\.tmp)?$/.test(rest) && rest !== ".json.tmp")
      continue;
    rmSync(join(out, file));
    removed++;
  }
  return !whole && removed > 0;
}
