/** Options for reading data. Pretraining, evaluation and the data commands share them. */
import type { FilterOptions } from "@cloze/data";
import type { ReadDocumentsOptions } from "@cloze/data/node";
import { inGroup, type Values } from "./options.ts";

export const DATA_HELP: string =
  "FASTA, .txt, .jsonl, .csv, .tsv (plain or .gz), .parquet (also a URL), " +
  "hf://datasets/OWNER/NAME[:CONFIG[:SPLIT]], or the .json of token shards";

const READING = {
  format: {
    kind: "choice",
    choices: ["fasta", "text", "jsonl", "csv", "tsv", "parquet"],
    help: "of the data; default: by the ending of the name",
  },
  field: { kind: "string", value: "NAME|N", help: "field or column with the text (default: text, else sequence)" },
  documents: {
    kind: "choice",
    choices: ["blank-line", "line", "file"],
    help: "what is a document in plain text (default: blank-line; line with residues)",
  },
  header: { kind: "boolean", default: true, help: "the first row of CSV and TSV is data; columns are 1, 2, …" },
  quotes: { kind: "boolean", default: true, help: "a quote in CSV and TSV is a character as any other" },
} as const;
export const READING_OPTIONS: typeof READING = inGroup("Data", READING);

export type ReadingOptions = Values<typeof READING_OPTIONS>;

/** The options in the form that the readers take. With `residues`, a line of plain text is a sequence by default. */
export function readingOf(options: ReadingOptions | undefined, residues: boolean): ReadDocumentsOptions {
  const { field, documents, header = true, quotes = true } = options ?? {};
  return {
    documents: documents ?? (residues ? "line" : "blank-line"),
    header,
    quotes,
    ...(field === undefined ? {} : { field }),
  };
}

const FILTERS = {
  dedup: { kind: "boolean", help: "keep the first of documents with the same text" },
  minLength: { kind: "count", min: 0, help: "fewest characters of a document" },
  maxLength: { kind: "count", min: 0, help: "most characters of a document" },
  minTokens: { kind: "count", min: 0, help: "fewest tokens of a document" },
  maxTokens: { kind: "count", min: 0, help: "most tokens of a document" },
} as const;
export const FILTER_OPTIONS: typeof FILTERS = inGroup("Filters", FILTERS);

/** The filters that the user set; undefined if there are none. */
export function filterOf({
  dedup,
  minLength,
  maxLength,
  minTokens,
  maxTokens,
}: Values<typeof FILTER_OPTIONS>): FilterOptions | undefined {
  const given = {
    ...(dedup ? { dedup } : {}),
    ...(minLength === undefined ? {} : { minLength }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(minTokens === undefined ? {} : { minTokens }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
  return Object.keys(given).length === 0 ? undefined : given;
}
