/**
 * Documents made of sentences: a data set whose examples are sentences, and which knows the sentences of each document.
 *
 * Code that needs only sentences sees a `Dataset`. Sentence pairs (`pairBatches`) use the documents. Sentences are
 * numbered in reading order, so a document is a range of sentences.
 */
import type { Dataset, DatasetHandle, Tokens } from "./dataset.ts";
import { memoryDataset } from "./memory-dataset.ts";

export interface DocumentDataset extends Dataset {
  /** Documents, numbered 0 to documents - 1. */
  readonly documents: number;
  /**
   * The sentences of a document: examples `first` to before `end`. The ranges ascend with the document's number and
   * leave no example out. A document has at least one sentence, and a sentence at least one token.
   */
  sentencesOf(document: number): readonly [first: number, end: number];
  /**
   * For a data set that repeats documents under new numbers (mixtures): the same number for all copies of a document.
   * Default: the document's own number.
   */
  originalOf?(document: number): number;
}

/** Whether a data set knows its documents. */
export const isDocumentDataset = (dataset: Dataset): dataset is DocumentDataset =>
  "documents" in dataset && "sentencesOf" in dataset;

/** Documents over any data set of sentences: document d is the examples `[starts[d], starts[d + 1])`. */
export class SentenceDocuments implements DocumentDataset {
  readonly size: number;
  readonly documents: number;
  readonly handle?: DatasetHandle;
  readonly #sentences: Dataset;
  readonly #starts: Float64Array;

  constructor(sentences: Dataset, starts: Float64Array) {
    this.size = sentences.size;
    this.documents = starts.length - 1;
    if (sentences.handle !== undefined) this.handle = { kind: "documents", of: sentences.handle, starts };
    this.#sentences = sentences;
    this.#starts = starts;
  }

  lengthOf(example: number): number {
    return this.#sentences.lengthOf(example);
  }

  read(example: number, epoch?: number): Tokens | Promise<Tokens> {
    return this.#sentences.read(example, epoch);
  }

  sentencesOf(document: number): readonly [first: number, end: number] {
    return [this.#starts[document] as number, this.#starts[document + 1] as number];
  }
}

/**
 * Documents in memory. Each document is a list of sentences, and each sentence a list of token ids without special
 * tokens. Empty documents and empty sentences are left out.
 *
 * @example
 * memoryDocuments([[[5, 6], [7]], [[8]]]).sentencesOf(1)  // => [2, 3]
 */
export function memoryDocuments(documents: readonly (readonly ArrayLike<number>[])[]): SentenceDocuments {
  const filled = documents
    .map((sentences) => sentences.filter((s) => s.length > 0))
    .filter((sentences) => sentences.length > 0);
  const starts = new Float64Array(filled.length + 1);
  for (const [d, sentences] of filled.entries()) starts[d + 1] = (starts[d] as number) + sentences.length;
  return new SentenceDocuments(memoryDataset(filled.flat()), starts);
}
