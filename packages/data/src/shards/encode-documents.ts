/**
 * The encoder from documents to tokens, shared by shards and in-memory data sets of text. A document is filtered, goes
 * to the split of its content, and is tokenised sentence by sentence. Tokens that the tokenizer does not know are
 * counted.
 */
import { IssueCounter, type TextTokenizer } from "@cloze/tokenizer";
import type { ShardCounts } from "./shard-index.ts";
import { DocumentFilter, type FilterOptions } from "../corpus/document-filter.ts";
import type { SplitName, SplitRule } from "../corpus/split.ts";
import { contentSplitter, type Splitter } from "../corpus/splitter.ts";
import type { TextDocument, TextReport } from "../formats/text-document.ts";
import { TokenBuffer, dtypeOf, encoderOf, type DataTokenizer } from "./token-buffer.ts";

/**
 * A tokenised document: all its tokens, and the number of tokens in each sentence (never 0). Valid until the next
 * document.
 */
export interface TokenDocument {
  readonly tokens: TokenBuffer;
  readonly sentences: readonly number[];
}

export type DocumentSink = (split: SplitName, document: TokenDocument) => void;

export interface EncodeDocumentsOptions {
  readonly tokenizer: DataTokenizer & Partial<Pick<TextTokenizer, "encodeIds">>;
  /** Default: everything is training data. */
  readonly split?: SplitRule;
  readonly filter?: FilterOptions;
}

export class DocumentEncoder {
  readonly #issues = new IssueCounter();
  readonly #filter: DocumentFilter;
  readonly #splitter: Splitter;
  readonly #sink: DocumentSink;
  readonly #unknown: number;
  readonly #encode: (sentence: string, into: TokenBuffer) => void;
  readonly #tokens: TokenBuffer;
  readonly #utf8 = new TextEncoder();
  #bytes: Uint8Array = new Uint8Array(1 << 16);
  #emptied = 0;
  #record: number;
  #unknownTokens = 0;

  /**
   * `splitter` takes the place of the rule. `firstRecord` is the number of the first document, if other documents come
   * before it.
   */
  constructor(
    {
      tokenizer,
      split,
      filter,
      splitter = contentSplitter(split),
      firstRecord = 0,
    }: EncodeDocumentsOptions & { readonly splitter?: Splitter; readonly firstRecord?: number },
    sink: DocumentSink,
  ) {
    this.#filter = new DocumentFilter(filter);
    this.#splitter = splitter;
    this.#record = firstRecord;
    this.#sink = sink;
    this.#unknown = tokenizer.special.unknown;
    this.#tokens = new TokenBuffer(dtypeOf(tokenizer.vocabulary.length), 1 << 16);
    const { encodeIds } = tokenizer;
    if (encodeIds !== undefined) {
      const ids = encodeIds.bind(tokenizer);
      this.#encode = (sentence, into) => into.append(ids(sentence));
    } else {
      const encode = encoderOf(tokenizer);
      this.#encode = (sentence, into) => {
        const bytes = this.#utf8Of([sentence]);
        encode(bytes, 0, bytes.length, into, this.#issues);
      };
    }
  }

  take({ sentences }: TextDocument): void {
    const record = this.#record++;
    if (sentences.length === 0) return;
    const bytes = this.#utf8Of(sentences);
    if (
      !this.#filter.keepsText(
        sentences.reduce((n, sentence) => n + sentence.length, 0),
        bytes,
      )
    )
      return;
    const split = this.#splitter(bytes, 0, bytes.length, record);
    const tokens = this.#tokens;
    const lengths: number[] = [];
    tokens.at = 0;
    for (const sentence of sentences) {
      const before = tokens.at;
      this.#encode(sentence, tokens);
      if (tokens.at > before) lengths.push(tokens.at - before);
    }
    if (tokens.at === 0) {
      this.#emptied++;
      return;
    }
    if (!this.#filter.keepsTokens(tokens.at)) return;
    for (let i = 0; i < tokens.at; i++) if (tokens.data[i] === this.#unknown) this.#unknownTokens++;
    this.#sink(split, { tokens, sentences: lengths });
  }

  /**
   * The counts of all sources: the sum of the reports, the documents left out, and the characters and tokens that the
   * tokenizer does not know.
   */
  counts(reports: readonly TextReport[]): ShardCounts {
    const sum = (key: keyof TextReport): number => reports.reduce((n, report) => n + report[key], 0);
    return {
      records: sum("records"),
      residues: sum("characters"),
      empty: sum("empty"),
      emptied: this.#emptied,
      unnamed: 0,
      text: {
        sentences: sum("sentences"),
        invalid: sum("invalid"),
        bytes: sum("bytes"),
        unknownTokens: this.#unknownTokens,
        ...this.#filter.counts,
      },
      ...this.#issues.issues(),
    };
  }

  /** Sentences as UTF-8, with line ends between them. */
  #utf8Of(sentences: readonly string[]): Uint8Array {
    let at = 0;
    for (const [i, sentence] of sentences.entries()) {
      const need = at + 1 + 3 * sentence.length;
      if (need > this.#bytes.length) {
        const larger = new Uint8Array(2 * need);
        larger.set(this.#bytes.subarray(0, at));
        this.#bytes = larger;
      }
      if (i > 0) this.#bytes[at++] = 10;
      at += this.#utf8.encodeInto(sentence, this.#bytes.subarray(at)).written;
    }
    return this.#bytes.subarray(0, at);
  }
}
