/**
 * Documents, the output of every reader of text: each document is a list of sentences.
 *
 * One rule holds for all formats: a line is a sentence. In plain text blank lines separate the documents, or each line
 * or each file is a document. In JSONL, CSV and Parquet a row is a document: its text is split at line ends, or is
 * already a list. A consumer that does not need sentences (masked language modelling) reads the sentences one after
 * another.
 */
import { FormatError } from "@cloze/errors";
import { NumberText } from "./number-text.ts";

export interface TextDocument {
  /** No sentence is empty, and none begins or ends with white space. */
  readonly sentences: readonly string[];
  /** Where the document begins, from 1: the line (text, JSONL, CSV), the row (Parquet) or the record (FASTA). */
  readonly place: number;
}

/** Counts of everything in a source, so that a reader drops nothing silently. */
export interface TextReport {
  /** All documents, empty documents included. */
  readonly records: number;
  /** Documents without text. */
  readonly empty: number;
  readonly sentences: number;
  /** Characters (UTF-16 units) in the sentences. */
  readonly characters: number;
  /** Characters of the longest document. */
  readonly longest: number;
  /** Invalid UTF-8 sequences, each read as U+FFFD. */
  readonly invalid: number;
  /** Bytes of text read, after decompression. For Parquet: bytes fetched. */
  readonly bytes: number;
}

export type MutableReport = { -readonly [K in keyof TextReport]: TextReport[K] };

export const emptyReport = (): MutableReport => ({
  records: 0,
  empty: 0,
  sentences: 0,
  characters: 0,
  longest: 0,
  invalid: 0,
  bytes: 0,
});

/** Adds a document to the counts of a report. */
export function countDocument(report: MutableReport, sentences: readonly string[]): void {
  let characters = 0;
  for (const sentence of sentences) characters += sentence.length;
  report.records++;
  if (sentences.length === 0) report.empty++;
  report.sentences += sentences.length;
  report.characters += characters;
  if (characters > report.longest) report.longest = characters;
}

/** The sentences of a text: its lines that are not blank. */
export function sentencesOf(text: string): readonly string[] {
  if (!text.includes("\n") && !text.includes("\r")) {
    const only = text.trim();
    return only === "" ? [] : [only];
  }
  return text
    .split(/[\r\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** A row of a table or of JSONL: values by name. */
export interface Row {
  readonly values: Readonly<Record<string, unknown>>;
  /** Line or row number, from 1. */
  readonly place: number;
}

/** The fields that may hold the text if the caller names no field. The first field that exists is taken. */
export const TEXT_FIELDS: readonly string[] = ["text", "sequence"];

/**
 * The name of the field that holds the text of a row. `wanted` is the field's name or its number (from 1). Without
 * `wanted`, the field is the first of TEXT_FIELDS that exists. Throws FormatError if the field does not exist.
 */
export function textField(file: string, place: string, names: readonly string[], wanted: string | undefined): string {
  const found =
    wanted === undefined
      ? TEXT_FIELDS.find((field) => names.includes(field))
      : names.includes(wanted)
        ? wanted
        : /^\d+$/.test(wanted)
          ? names[Number(wanted) - 1]
          : undefined;
  if (found !== undefined) return found;
  const expected = wanted === undefined ? TEXT_FIELDS.map((name) => `"${name}"`).join(" or ") : `"${wanted}"`;
  const shown =
    names.length === 0
      ? "none"
      : names
          .slice(0, 12)
          .map((name) => JSON.stringify(name))
          .join(", ") + (names.length > 12 ? ", …" : "");
  throw new FormatError(
    file,
    place,
    `expected a field ${expected} with the text, got ${shown}. Name the field that holds it.`,
  );
}

/** The sentences in a row's value: a text, a list of texts, or null. Each line of a text is a sentence. */
export function sentencesOfValue(file: string, place: string, field: string, value: unknown): readonly string[] {
  if (typeof value === "string") return sentencesOf(value);
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => {
      if (typeof item === "string") return sentencesOf(item);
      throw new FormatError(
        file,
        place,
        `expected texts in the list "${field}", got ${kindOf(item)}. Name a field of texts.`,
      );
    });
  }
  throw new FormatError(
    file,
    place,
    `expected a text or a list of texts in "${field}", got ${kindOf(value)}. Name a field of texts.`,
  );
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "a list";
  if (value instanceof NumberText) return "a number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
