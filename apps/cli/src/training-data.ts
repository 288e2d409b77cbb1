/** Data sets of a run: FASTA files read into memory and split by content, or token shards that were split when prepared. */
import { stat } from "node:fs/promises";
import type { Dataset } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";

export interface TrainingData {
  readonly train: Dataset;
  readonly valid: Dataset;
  /** A line for the log: how much, and what the tokenizer did not take as written. */
  readonly summary: string;
}

export interface DataRequest {
  readonly files: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Share of the sequences held out, where the files are FASTA. */
  readonly validShare: number;
  readonly path: (given: string) => string;
}

/** Of every run: which sequences are held out does not depend on the seed, so that runs compare. */
export const SPLIT_SEED = 0;

export async function openTrainingData({ files, tokenizer, validShare, path }: DataRequest): Promise<TrainingData> {
  for (const file of files) {
    await stat(path(file)).catch((cause: NodeJS.ErrnoException) => {
      throw new ConfigError(`--data ${file}: expected a FASTA file or the .json of token shards, got ${cause.code === "ENOENT" ? "nothing there" : cause.message}. Check the path.`, { cause });
    });
  }
  const { fastaDatasets, openShards } = await import("@cloze/data/node"), shards = files.filter((file) => file.endsWith(".json"));
  if (shards.length > 0) {
    if (files.length > 1) throw new ConfigError(`--data: expected one set of shards or FASTA files, got ${files.join(" ")}. Prepare them together with: cloze data prepare`);
    const index = path(files[0] as string);
    const train = await openShards(index, { split: "train", tokenizer }), valid = await openShards(index, { split: "valid", tokenizer });
    return { train, valid, summary: `${count(train)} sequences to train on, ${count(valid)} held out, from shards of ${tokenizer.name}` };
  }
  const { train, valid, counts } = await fastaDatasets(files.map(path), { tokenizer, split: { seed: SPLIT_SEED, valid: validShare } });
  if (train.size === 0) throw new ConfigError(`--data: expected sequences to train on, got none in ${files.join(" ")}. Check the files with: cloze data inspect`);
  if (valid.size === 0 && validShare > 0) throw new ConfigError(`--data: ${count(train)} sequences are too few to hold out ${validShare * 100} % for validation. Raise --valid, or pass --valid 0 to do without.`);
  const issues = (["unknown", "replaced", "dropped"] as const).flatMap((kind) => {
    const total = Object.values(counts[kind]).reduce((n, c) => n + c, 0);
    return total > 0 ? [`${total.toLocaleString("en-US")} characters ${kind}`] : [];
  });
  const empty = counts.empty + counts.emptied;
  if (empty > 0) issues.push(`${empty.toLocaleString("en-US")} empty records left out`);
  return { train, valid, summary: [`${count(train)} sequences to train on, ${count(valid)} held out`, ...issues].join("; ") };
}

const count = ({ size }: Dataset): string => size.toLocaleString("en-US");

/** Entropy in nats of the regular tokens of a data set: the loss of a model that knows their frequencies and nothing else. */
export async function unigramEntropyOf(dataset: Dataset, tokenizer: Tokenizer): Promise<number> {
  const { unigramEntropy } = await import("@cloze/eval"), counts = new Float64Array(tokenizer.vocabulary.length);
  for (let i = 0; i < dataset.size; i++) for (const id of await dataset.read(i)) counts[id] = (counts[id] as number) + 1;
  for (const id of tokenizer.specialIds) counts[id] = 0;
  return unigramEntropy(counts);
}

/** Ids that frame a sequence, as the batches take them. */
export function framingOf({ special: { pad, start, end } }: Tokenizer): { readonly pad: number; readonly start?: number; readonly end?: number } {
  return { pad, ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
}
