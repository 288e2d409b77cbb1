/**
 * The data of a run: it turns a source into sequences or documents of tokens, and those into rows for training and
 * evaluation. The split by content, and the rows as a function of (seed, step), are those of the command line.
 */
import {
  contentHash,
  documentCollector,
  fastaCollector,
  framingLength,
  packedBatches,
  paddedBatches,
  pairBatches,
  pairEvaluationBatches,
  TextParser,
  windowed,
  type Batches,
  type Dataset,
  type FastaDatasets,
  type PaddedBatches,
  type TextDatasets,
} from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { unigramEntropy } from "@cloze/eval";
import type { Objective } from "@cloze/objective";
import type { Tokenizer } from "@cloze/tokenizer";
import type { DataSummary, Example, Settings, Side, Source } from "../protocol.ts";
import { readSource } from "./read-source.ts";
import { checkSource } from "./source-check.ts";

/** The split of the command line. It does not depend on the run's seed. */
const SPLIT = { seed: 0, valid: 0.05 };
const EXAMPLES = 40;
const EXAMPLE_LENGTHS = [40, 250] as const;
/** Where blank lines separate fewer documents than this, each line is a document. */
const FEWEST_DOCUMENTS = 20;

export interface OpenedData {
  readonly side: Side;
  readonly source: Source;
  readonly hash: string;
  readonly tokenizer: Tokenizer;
  readonly summary: DataSummary;
  readonly sets: FastaDatasets | TextDatasets;
}

export interface OpenRequest {
  readonly side: Side;
  readonly source: Source;
  /** For text: number of tokens of the new vocabulary. */
  readonly vocabulary: number;
  /** For text: the tokenizer of a resumed run, instead of a new one. */
  readonly tokenizer?: Tokenizer;
}

export async function openData(request: OpenRequest): Promise<OpenedData> {
  const bytes = await readSource(request.side, request.source);
  checkSource(request.side, request.source.name, bytes);
  const { high, low } = contentHash(bytes, 0, 0, bytes.length);
  const hash = [high, low].map((part) => part.toString(16).padStart(8, "0")).join("");
  return request.side === "protein" ? openProteins(request, bytes, hash) : openText(request, bytes, hash);
}

async function openProteins({ side, source }: OpenRequest, bytes: Uint8Array, hash: string): Promise<OpenedData> {
  const { esm2 } = await import("@cloze/tokenizer-protein");
  const tokenizer = esm2();
  const collector = fastaCollector({ tokenizer, split: SPLIT, names: true }, () => source.name);
  collector.push(bytes);
  const sets = collector.finish();
  const { train, valid } = sets;
  if (train.size === 0)
    throw new ConfigError(
      `${source.name}: expected proteins to train on, got none. Is it a FASTA file of amino acids?`,
    );
  const unknown = Object.keys(sets.counts.unknown);
  const summary: DataSummary = {
    name: source.name,
    train: train.size,
    valid: valid.size,
    tokens: tokensOf(train) + tokensOf(valid),
    unigramEntropy: await floorOf(valid.size > 0 ? valid : train, tokenizer),
    remark:
      unknown.length > 0
        ? `Letters that are no amino acid: ${unknown.slice(0, 8).join(" ")}`
        : valid.size === 0
          ? "Too few proteins to hold some out: there will be no validation loss."
          : "",
    examples: await examplesOf(valid.size > 0 ? valid : train, tokenizer),
  };
  return { side, source, hash, tokenizer, summary, sets };
}

async function openText(
  { side, source, vocabulary, tokenizer: given }: OpenRequest,
  bytes: Uint8Array,
  hash: string,
): Promise<OpenedData> {
  const documents = documentsIn(bytes, source.name);
  const tokenizer = given ?? (await trainedTokenizer(documents.all, vocabulary));
  const collector = documentCollector({ tokenizer, split: SPLIT });
  for (const document of documents.all) collector.push(document);
  const sets = collector.finish([documents.report]);
  const { train, valid } = sets;
  const held = valid.documents.size;
  if (train.documents.size === 0)
    throw new ConfigError(`${source.name}: expected text to train on, got none. Paste at least a few paragraphs.`);
  const counted = held > 0 ? valid.documents : train.documents;
  const summary: DataSummary = {
    name: source.name,
    train: train.documents.size,
    valid: held,
    tokens: tokensOf(train.documents) + tokensOf(valid.documents),
    unigramEntropy: await floorOf(counted, tokenizer),
    remark: [
      documents.byLine ? "Few blank lines: each line is taken as a document." : "",
      held === 0 ? "Too little text to hold some out: there will be no validation loss." : "",
    ]
      .filter((line) => line !== "")
      .join(" "),
    examples: documents.all
      .slice(0, EXAMPLES)
      .map(({ sentences }, i) => ({ name: `Document ${i + 1}`, sequence: sentences.join(" ").slice(0, 400) })),
    vocabulary: tokenizer.vocabulary.length,
  };
  return { side, source, hash, tokenizer, summary, sets };
}

type Documents = ReturnType<TextParser["push"]>;

function documentsIn(
  bytes: Uint8Array,
  file: string,
): { readonly all: Documents; readonly report: TextParser["report"]; readonly byLine: boolean } {
  const read = (rule: "blank-line" | "line"): { readonly all: Documents; readonly report: TextParser["report"] } => {
    const parser = new TextParser({ file, documents: rule });
    const all = [...parser.push(bytes), ...parser.finish()];
    return { all, report: parser.report };
  };
  const found = read("blank-line");
  return found.all.length < FEWEST_DOCUMENTS ? { ...read("line"), byLine: true } : { ...found, byLine: false };
}

async function trainedTokenizer(documents: Documents, size: number): Promise<Tokenizer> {
  const { trainVocabulary, WordCounter } = await import("@cloze/tokenizer-wordpiece/train");
  const { wordPiece } = await import("@cloze/tokenizer-wordpiece");
  const counter = new WordCounter();
  for (const { sentences } of documents) counter.add(sentences.join("\n"));
  return wordPiece({ name: "wordpiece", vocabulary: trainVocabulary(counter.words(), { size }), lowercase: true });
}

function tokensOf(dataset: Dataset): number {
  let sum = 0;
  for (let i = 0; i < dataset.size; i++) sum += dataset.lengthOf(i);
  return sum;
}

async function floorOf(dataset: Dataset, tokenizer: Tokenizer): Promise<number | undefined> {
  const counts = new Float64Array(tokenizer.vocabulary.length);
  for (let i = 0; i < dataset.size; i++)
    for (const id of await dataset.read(i)) counts[id] = (counts[id] as number) + 1;
  for (const id of tokenizer.specialIds) counts[id] = 0;
  return counts.some((count) => count > 0) ? unigramEntropy(counts) : undefined;
}

/** Proteins of 40 to 250 residues, which fit into the view. Where there are none: the first proteins, cut to 250. */
async function examplesOf(dataset: FastaDatasets["valid"], tokenizer: Tokenizer): Promise<readonly Example[]> {
  const [shortest, longest] = EXAMPLE_LENGTHS;
  const all = Array.from({ length: dataset.size }, (_, i) => i);
  const fitting = all.filter((i) => dataset.lengthOf(i) >= shortest && dataset.lengthOf(i) <= longest);
  return (fitting.length > 0 ? fitting : all).slice(0, EXAMPLES).map((i) => ({
    name: dataset.names?.[i]?.slice(0, 80) || `Protein ${i + 1}`,
    sequence: Array.from(dataset.read(i).subarray(0, longest), (id) => tokenizer.vocabulary[id] ?? "X").join(""),
  }));
}

export interface Rows {
  readonly train: Batches;
  /** Rows for evaluation. Undefined where too little data is held out. */
  readonly valid: PaddedBatches | undefined;
}

export function rowsOf(
  { sets, tokenizer }: OpenedData,
  { seed, length, rows: rowsPerBatch }: Settings,
  { rows = "sequences" }: Objective,
): Rows {
  const { pad, start, end } = tokenizer.special;
  const special = { pad, ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
  const tokens = Math.max(length, 4096);
  if (rows !== "sequences") {
    if (!("counts" in sets) || !isText(sets))
      throw new ConfigError("next sentences: expected text, got proteins. Choose another objective.");
    const held = sets.valid.sentences;
    const { second } = rows;
    return {
      train: pairBatches(sets.train.sentences, { seed, length, rowsPerBatch, special, second }),
      valid:
        held.documents < 2
          ? undefined
          : pairEvaluationBatches(held, {
              special,
              length,
              rowsPerBatch: Math.max(1, Math.floor(tokens / length)),
              second,
            }),
    };
  }
  const cut = (dataset: Dataset, windowSeed: number): Dataset =>
    windowed(dataset, { length: length - framingLength(special), seed: windowSeed });
  const train = isText(sets) ? cut(sets.train.documents, seed) : sets.train;
  const valid = isText(sets) ? cut(sets.valid.documents, 0) : sets.valid;
  return {
    train: packedBatches(train, { seed, length, rowsPerBatch, special }),
    valid:
      valid.size === 0 ? undefined : paddedBatches(valid, { special, maxSequence: length, tokensPerBatch: tokens }),
  };
}

const isText = (sets: FastaDatasets | TextDatasets): sets is TextDatasets => "documents" in sets.train;
