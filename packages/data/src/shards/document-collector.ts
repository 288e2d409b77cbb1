/**
 * In-memory data sets of text, one for each split: documents in, tokens out.
 *
 * Price: two bytes a token for vocabularies from 257 to 65,536, sixteen for each document and eight for each sentence.
 */
import { SentenceDocuments, type DocumentDataset } from "../rows/document-dataset.ts";
import { DocumentEncoder, type EncodeDocumentsOptions, type TokenDocument } from "./encode-documents.ts";
import { MemoryDataset, sharedTokens } from "../rows/memory-dataset.ts";
import type { ShardCounts } from "./shard-index.ts";
import type { TextDocument, TextReport } from "../formats/text-document.ts";
import { TokenBuffer, dtypeOf } from "./token-buffer.ts";

/**
 * Two views of the same tokens: whole documents, for masked language modelling, and sentences that know their
 * documents, for sentence pairs.
 */
export interface TextDataset {
  readonly documents: MemoryDataset;
  readonly sentences: DocumentDataset;
}

export interface TextDatasets {
  readonly train: TextDataset;
  readonly valid: TextDataset;
  readonly test: TextDataset;
  readonly counts: ShardCounts;
}

export interface DocumentCollector {
  push(document: TextDocument): void;
  /** Returns the data sets. `reports`: the readers' counts, one for each source. */
  finish(reports: readonly TextReport[]): TextDatasets;
}

export function documentCollector(options: EncodeDocumentsOptions): DocumentCollector {
  const size = options.tokenizer.vocabulary.length;
  const parts = { train: new Part(size), valid: new Part(size), test: new Part(size) };
  const encoder = new DocumentEncoder(options, (split, document) => parts[split].add(document));
  return {
    push: (document) => encoder.take(document),
    finish: (reports) => ({
      train: parts.train.finish(),
      valid: parts.valid.finish(),
      test: parts.test.finish(),
      counts: encoder.counts(reports),
    }),
  };
}

class Part {
  readonly #largest: number;
  readonly #tokens: TokenBuffer;
  readonly #documentEnds: number[] = [0];
  readonly #sentenceEnds: number[] = [0];
  /** The number of sentences before each document. */
  readonly #starts: number[] = [0];

  constructor(vocabularySize: number) {
    this.#largest = vocabularySize - 1;
    this.#tokens = new TokenBuffer(dtypeOf(vocabularySize), 1 << 16);
  }

  add({ tokens, sentences }: TokenDocument): void {
    let end = this.#tokens.at;
    for (const length of sentences) this.#sentenceEnds.push((end += length));
    this.#tokens.append(tokens.data.subarray(0, tokens.at));
    this.#documentEnds.push(this.#tokens.at);
    this.#starts.push(this.#sentenceEnds.length - 1);
  }

  finish(): TextDataset {
    const tokens = sharedTokens(this.#largest, this.#tokens.at);
    tokens.set(this.#tokens.data.subarray(0, this.#tokens.at));
    return {
      documents: new MemoryDataset(tokens, Float64Array.from(this.#documentEnds)),
      sentences: new SentenceDocuments(
        new MemoryDataset(tokens, Float64Array.from(this.#sentenceEnds)),
        Float64Array.from(this.#starts),
      ),
    };
  }
}
