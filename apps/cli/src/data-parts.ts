/**
 * The parts of a run's data: each a file or several of one kind, opened; and parts joined, one after another or by
 * weight.
 *
 * Sequences of FASTA, and of residues in tables, stay whole: a batch crops those that are too long, as ESM-2 was
 * trained. Documents of text become consecutive windows where it is said how long.
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
  /** `[WEIGHT:]NAME` each. */
  readonly files: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Share of the documents held out, where they are not split already. */
  readonly validShare: number;
  readonly path: (given: string) => string;
  /** Default: by the names' endings. */
  readonly reading?: ReadingOptions;
  /** Of the process: where and as whom the Hub is asked. Default: empty. */
  readonly env?: Io["env"];
  /**
   * Examples of text are documents (default), or, for sentence pairs, sentences that know their documents
   * (`DocumentDataset`).
   */
  readonly unit?: "documents" | "sentences";
  /**
   * Cut documents of text into windows, so that an epoch holds every token. Default: they stay whole, as sequences of
   * FASTA do.
   */
  readonly window?: WindowOptions;
}

/** Of every run: which sequences are held out does not depend on the seed, so that runs compare. */
export const SPLIT_SEED = 0;

export interface DataPart {
  readonly weight: number | undefined;
  readonly train: Dataset;
  readonly valid: Dataset;
  /** The documents to train on in windows of another length. Absent: they are not cut. */
  readonly trainOf?: (window: WindowOptions) => Dataset;
  /** Undefined for shards: they were counted when they were made. */
  readonly counts?: ShardCounts;
  readonly kind: "sequences" | "text";
}

/** Of shards, or of files that are all FASTA or all something else. */
export async function openPart(group: readonly NamedData[], request: DataRequest): Promise<DataPart> {
  const { tokenizer, validShare, reading, unit = "documents", window } = request;
  const weight = group[0]?.weight;
  const index = group[0]?.shards;
  if (index !== undefined) return { weight, ...(await openIndex(index, request)) };
  const sources = group.flatMap((one) => one.sources);
  const split: SplitRule = { seed: SPLIT_SEED, valid: validShare };
  const residues = isProteinTokenizer(tokenizer);
  const { fastaDatasets, textDatasets } = await import("@cloze/data/node");
  if (sources.every(({ format }) => format === "fasta")) {
    const { train, valid, counts } = await fastaDatasets(
      sources.flatMap(({ place }) => ("path" in place ? [place.path] : [])),
      { tokenizer, split },
    );
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

/** One after another, each example once; or by weight, of tokens. */
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
