/**
 * The parts of a run's data. A part is one file, or several files of one kind. Parts are joined, or mixed by weight.
 *
 * Protein sequences, of FASTA or of tables, stay whole: a batch crops a sequence that is too long, as in the training
 * of ESM-2. Documents of text become consecutive windows if the request gives their length.
 */
import {
  isDocumentDataset,
  mix,
  mixDocuments,
  windowed,
  type Dataset,
  type ShardCounts,
  type SplitRule,
  type WindowOptions,
} from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { readingOf, type ReadingOptions } from "./data-options.ts";
import type { NamedData } from "./data-sources.ts";
import type { Io } from "./io.ts";
import { isProteinTokenizer } from "./tokenizers.ts";

export interface DataRequest {
  /** Each name is `[WEIGHT:]NAME`. */
  readonly files: readonly string[];
  /** These names, if they are resolved already. */
  readonly named?: readonly NamedData[];
  readonly tokenizer: Tokenizer;
  /** Share of the documents to hold out. Token shards are split already. */
  readonly validShare: number;
  readonly path: (given: string) => string;
  /** Default: the ending of a name decides its format. */
  readonly reading?: ReadingOptions;
  /** Standard input, which the name "-" stands for. */
  readonly stdin?: Io["stdin"];
  /** The environment of the process. It holds the settings for the Hub. Default: empty. */
  readonly env?: Io["env"];
  /**
   * The examples of text: documents (default), or sentences that know their documents (`DocumentDataset`), for sentence
   * pairs.
   */
  readonly unit?: "documents" | "sentences";
  /**
   * Cuts documents of text into windows, so that an epoch holds every token. Default: documents stay whole, as FASTA
   * sequences do.
   */
  readonly window?: WindowOptions;
}

/**
 * The seed of the split, the same in every run. The held-out sequences do not depend on a run's own seed, so runs
 * compare.
 */
export const SPLIT_SEED = 0;

export interface DataPart {
  readonly weight: number | undefined;
  readonly train: Dataset;
  readonly valid: Dataset;
  /** The training documents in windows of another length. Absent for data that is not cut: sequences and sentences. */
  readonly trainOf?: (window: WindowOptions) => Dataset;
  /** Undefined for shards: they were counted in their preparation. */
  readonly counts?: ShardCounts;
  readonly kind: "sequences" | "text";
}

/** Opens a part: token shards, or files that are all FASTA, or files that are all in other formats. */
export async function openPart(group: readonly NamedData[], request: DataRequest): Promise<DataPart> {
  const { tokenizer, validShare, reading, unit = "documents", window } = request;
  const weight = group[0]?.weight;
  const index = group[0]?.shards;
  if (index !== undefined) return { weight, ...(await openIndex(index, request)) };
  const sources = group.flatMap((one) => one.sources);
  const split: SplitRule = { seed: SPLIT_SEED, valid: validShare };
  const residues = isProteinTokenizer(tokenizer);
  const { fastaDatasets, inputOf, textDatasets } = await import("@cloze/data/node");
  if (sources.every(({ format }) => format === "fasta")) {
    const { train, valid, counts } = await fastaDatasets(sources.map(inputOf), { tokenizer, split });
    return { weight, train, valid, counts, kind: "sequences" };
  }
  const { train, valid, counts } = await textDatasets(sources, {
    tokenizer,
    split,
    reading: readingOf(reading, residues),
  });
  if (unit === "sentences") return { weight, train: train.sentences, valid: valid.sentences, counts, kind: "text" };
  const cut = (dataset: Dataset): Dataset => (residues || window === undefined ? dataset : windowed(dataset, window));
  return {
    weight,
    train: cut(train.documents),
    valid: cut(valid.documents),
    ...(residues ? {} : { trainOf: (other: WindowOptions) => windowed(train.documents, other) }),
    counts,
    kind: residues ? "sequences" : "text",
  };
}

async function openIndex(index: string, { tokenizer, unit, window }: DataRequest): Promise<Omit<DataPart, "weight">> {
  const { openSentenceShards, openShards } = await import("@cloze/data/node");
  const open = (split: string): ReturnType<typeof openShards> => openShards(index, { split, tokenizer });
  const train = await open("train");
  const valid = await open("valid");
  if (train.index.reading === undefined || isProteinTokenizer(tokenizer)) return { train, valid, kind: "sequences" };
  if (unit === "sentences")
    return {
      train: await openSentenceShards(index, { split: "train", verify: "sizes" }),
      valid: await openSentenceShards(index, { split: "valid", verify: "sizes" }),
      kind: "text",
    };
  return {
    train: window === undefined ? train : windowed(train, window),
    valid: window === undefined ? valid : windowed(valid, window),
    trainOf: (other) => windowed(train, other),
    kind: "text",
  };
}

/**
 * Joins parts. Without weights an epoch has every example once. With weights the tokens of an epoch have these
 * proportions.
 */
export async function joinParts(
  parts: readonly { readonly dataset: Dataset; readonly weight: number | undefined }[],
): Promise<Dataset> {
  const [first] = parts;
  const by = first?.weight === undefined ? "examples" : "tokens";
  if (first !== undefined && parts.length === 1) return first.dataset;
  const documents = parts.flatMap(({ dataset, weight }) =>
    isDocumentDataset(dataset) ? [{ dataset, weight: weight ?? dataset.documents }] : [],
  );
  if (documents.length === parts.length) return mixDocuments(documents, { by });
  if (documents.length > 0)
    throw new ConfigError(
      "--data: expected documents with sentences in all parts, got FASTA or shards of FASTA among them. Leave " +
        "those out.",
    );
  return mix(
    parts.map(({ dataset, weight }) => ({ dataset, weight: weight ?? dataset.size })),
    { by },
  );
}
