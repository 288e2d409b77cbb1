/**
 * A parser of plain text to documents.
 *
 *   "blank-line"  lines are sentences, blank lines end a document (the input of BERT's own data tool)
 *   "line"        every line is a document of one sentence
 *   "file"        the whole file is one document, its lines are the sentences
 */
import { FormatError } from "@cloze/errors";
import { LineParser, MAX_RECORD } from "./text-lines.ts";
import { countDocument, emptyReport, type TextDocument, type TextReport } from "./text-document.ts";

export const DOCUMENT_RULES = ["blank-line", "line", "file"] as const;
export type DocumentRule = (typeof DOCUMENT_RULES)[number];

export interface TextOptions {
  /** Name for error messages. */
  readonly file?: string;
  /** How the text is divided into documents. Default "blank-line". */
  readonly documents?: DocumentRule;
  /** Most bytes in a line and most characters in a document. Default 2^26. */
  readonly maxRecord?: number;
}

/**
 * @example
 * const parser = new TextParser();
 * [...parser.push(new TextEncoder().encode("One.\nTwo.\n\nThree.")), ...parser.finish()].map((d) => d.sentences)
 * // => [["One.", "Two."], ["Three."]]
 */
export class TextParser {
  readonly #file: string;
  readonly #rule: DocumentRule;
  readonly #max: number;
  readonly #lines: LineParser;
  readonly #report = emptyReport();
  #sentences: string[] = [];
  #characters = 0;
  #begin = 1;
  #line = 0;

  constructor(options: TextOptions = {}) {
    this.#file = options.file ?? "text";
    this.#rule = options.documents ?? "blank-line";
    this.#max = options.maxRecord ?? MAX_RECORD;
    this.#lines = new LineParser({ file: this.#file, maxLine: this.#max });
  }

  /** Counts so far. */
  get report(): TextReport {
    return { ...this.#report, invalid: this.#lines.invalid, bytes: this.#lines.bytes };
  }

  /** Reads a chunk. Returns the documents that the chunk completed. */
  push(chunk: Uint8Array): readonly TextDocument[] {
    return this.#take(this.#lines.push(chunk));
  }

  /** Returns the last document, after all chunks. */
  finish(): readonly TextDocument[] {
    const documents = this.#take(this.#lines.finish());
    return this.#sentences.length === 0 ? documents : [...documents, this.#end()];
  }

  #take(lines: readonly string[]): readonly TextDocument[] {
    const documents: TextDocument[] = [];
    for (const line of lines) {
      this.#line++;
      const sentence = line.trim();
      if (sentence === "") {
        if (this.#rule === "blank-line" && this.#sentences.length > 0) documents.push(this.#end());
        continue;
      }
      if (this.#sentences.length === 0) this.#begin = this.#line;
      this.#sentences.push(sentence);
      this.#characters += sentence.length;
      if (this.#rule === "line") documents.push(this.#end());
      else if (this.#characters > this.#max) this.#tooLong();
    }
    return documents;
  }

  #end(): TextDocument {
    const document = { sentences: this.#sentences, place: this.#begin };
    countDocument(this.#report, this.#sentences);
    this.#sentences = [];
    this.#characters = 0;
    return document;
  }

  #tooLong(): never {
    const next =
      this.#rule === "file"
        ? "Read it by blank lines or by line"
        : "Is it one document a line? Then read it by line; else separate the documents with blank lines";
    throw new FormatError(
      this.#file,
      `line ${this.#begin}`,
      `expected a document of at most ${this.#max} characters, got more. ${next}, or raise the limit.`,
    );
  }
}
