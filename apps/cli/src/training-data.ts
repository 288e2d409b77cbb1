/**
 * The data sets of a run: files that are read into memory and split by content, or token shards, which are split
 * already. Several data sets are joined, or mixed by weight.
 */
import type { Dataset } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { joinParts, openPart, type DataPart, type DataRequest } from "./data-parts.ts";
import { resolveData, type NamedData } from "./data-sources.ts";
import { innerStopsIn } from "./output.ts";

export { SPLIT_SEED, type DataRequest } from "./data-parts.ts";

export interface TrainingData {
  readonly train: Dataset;
  readonly valid: Dataset;
  /** The training data in windows of another length. Sequences are not cut into windows, so they stay the same. */
  trainOf(length: number): Promise<Dataset>;
  /** A line for the log: the amount of data, and what the tokenizer does not take as written. */
  readonly summary: string;
}

export async function openTrainingData(request: DataRequest): Promise<TrainingData> {
  const { files, validShare, path, env = {}, stdin, reading, tokenizer } = request;
  const shown = files.join(" ");
  const parts: DataPart[] = [];
  const named =
    request.named ?? (await resolveData({ names: files, format: reading?.format, path, env, stdin, where: "--data " }));
  for (const group of groupsOf(named)) parts.push(await openPart(group, request));
  for (const part of parts) refuseUnknown(part, shown, tokenizer);

  const filled = parts.filter(({ train }) => train.size > 0);
  const [first] = filled;
  const noun = nounOf(parts, request);
  if (first === undefined)
    throw new ConfigError(
      `--data: expected ${noun} to train on, got none in ${shown}. Check the files with: cloze data inspect`,
    );
  const train = await joinParts(filled.map(({ train: dataset, weight }) => ({ dataset, weight })));
  const held = parts.filter(({ valid }) => valid.size > 0);
  const valid =
    held.length === 0 ? first.valid : await joinParts(held.map((part) => ({ dataset: part.valid, weight: undefined })));
  if (held.length === 0 && validShare > 0 && first.counts !== undefined)
    throw new ConfigError(
      `--data: ${integer(train.size)} ${noun} are too few to hold out ${validShare * 100} % for validation. ` +
        "Raise --valid, or pass --valid 0 to do without.",
    );
  const amounts =
    `${integer(train.size)} ${noun} to train on, ${integer(valid.size)} held ` +
    `out${parts.some(({ counts }) => counts === undefined) ? `, from shards of ${tokenizer.name}` : ""}`;
  const trainOf = async (length: number): Promise<Dataset> => {
    const { window } = request;
    if (window === undefined || window.length === length || filled.every((part) => part.trainOf === undefined))
      return train;
    return joinParts(
      filled.map(({ train: dataset, trainOf: cut, weight }) => ({
        dataset: cut?.({ ...window, length }) ?? dataset,
        weight,
      })),
    );
  };
  return { train, valid, trainOf, summary: [amounts, ...remarks(parts)].join("; ") };
}

/**
 * Groups of names, one group for each part. With weights each name is a part; without weights all files of one kind are
 * a part.
 */
function groupsOf(named: readonly NamedData[]): readonly (readonly NamedData[])[] {
  if (named.some(({ weight }) => weight !== undefined)) return named.map((one) => [one]);
  const groups = new Map<string, NamedData[]>();
  for (const one of named) {
    const kind = one.shards ?? (one.sources.every(({ format }) => format === "fasta") ? "fasta" : "text");
    groups.set(kind, [...(groups.get(kind) ?? []), one]);
  }
  return [...groups.values()];
}

function nounOf(parts: readonly DataPart[], { unit, window }: DataRequest): string {
  if (!parts.every(({ kind }) => kind === "text")) return "sequences";
  return unit === "sentences" ? "sentences" : window === undefined ? "documents" : "windows of documents";
}

/**
 * Throws ConfigError if more than half of the tokens are unknown: this text is not the tokenizer's kind, and its
 * results would mean nothing.
 */
function refuseUnknown({ counts, train, valid }: DataPart, files: string, tokenizer: Tokenizer): void {
  const unknown = counts?.text?.unknownTokens ?? 0;
  if (unknown === 0) return;
  let tokens = 0;
  for (const dataset of [train, valid]) for (let i = 0; i < dataset.size; i++) tokens += dataset.lengthOf(i);
  if (unknown > tokens / 2)
    throw new ConfigError(
      `--data ${files}: expected text for the tokenizer ${tokenizer.name}, got ` +
        `${((100 * unknown) / tokens).toFixed(0)} % unknown tokens. Name another --tokenizer, --field or --format.`,
    );
}

function remarks(parts: readonly DataPart[]): readonly string[] {
  const counts = parts.flatMap((part) => (part.counts === undefined ? [] : [part.counts]));
  const total = (record: Readonly<Record<string, number>>): number => Object.values(record).reduce((n, c) => n + c, 0);
  const rows = counts.flatMap(
    ({ unknown, replaced, dropped, text, empty, emptied }) =>
      [
        [total(unknown), "characters unknown"],
        [total(replaced), "characters replaced"],
        [total(dropped), "characters dropped"],
        [total(unknown) > 0 ? 0 : (text?.unknownTokens ?? 0), "tokens unknown"],
        [text?.invalid ?? 0, "invalid UTF-8 sequences read as U+FFFD"],
        [empty + emptied, "empty records left out"],
      ] as const,
  );
  const sums = new Map<string, number>();
  for (const [count, what] of rows) sums.set(what, (sums.get(what) ?? 0) + count);
  const stops = counts.flatMap(({ innerStops }) => (innerStops === undefined ? [] : [innerStopsIn(innerStops)]));
  return [...[...sums].flatMap(([what, count]) => (count > 0 ? [`${integer(count)} ${what}`] : [])), ...stops];
}

const integer = (value: number): string => value.toLocaleString("en-US");

/** Entropy, in nats, of the regular tokens of a data set: the loss of a model that knows only their frequencies. */
export async function unigramEntropyOf(dataset: Dataset, tokenizer: Tokenizer): Promise<number> {
  const { unigramEntropy } = await import("@cloze/eval");
  const counts = new Float64Array(tokenizer.vocabulary.length);
  for (let i = 0; i < dataset.size; i++)
    for (const id of await dataset.read(i)) counts[id] = (counts[id] as number) + 1;
  for (const id of tokenizer.specialIds) counts[id] = 0;
  return unigramEntropy(counts);
}

/** Ids that frame a sequence, in the form that the batches take. */
export function framingOf({ special: { pad, start, end } }: Pick<Tokenizer, "special">): {
  readonly pad: number;
  readonly start?: number;
  readonly end?: number;
} {
  return { pad, ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
}
