/**
 * Documents of any source. A source is plain text, a field of JSONL, a column of CSV, TSV or Parquet, or FASTA (a
 * record is a document).
 */
import { readChunks } from "../formats/read-chunks.ts";
import { readFasta } from "../formats/read-fasta.ts";
import { readRows, type RowCounts, type RowOptions } from "./read-rows.ts";
import { inputOf, type DataSource } from "./sources.ts";
import {
  countDocument,
  emptyReport,
  sentencesOfValue,
  textField,
  type MutableReport,
  type TextDocument,
  type TextReport,
} from "../formats/text-document.ts";
import { TextParser, type DocumentRule } from "../formats/text-parser.ts";

export interface ReadDocumentsOptions extends Omit<RowOptions, "columns"> {
  /** For plain text: how the text is divided into documents. Default "blank-line". */
  readonly documents?: DocumentRule;
  /** For rows: the field or column with the text, by name or number. Default "text", else "sequence". */
  readonly field?: string;
}

export interface DocumentReader {
  /** Documents in batches, empty documents included. */
  batches(): AsyncIterable<readonly TextDocument[]>;
  documents(): AsyncIterable<TextDocument>;
  /** Counts of the latest pass so far; complete when the pass is complete. */
  readonly report: TextReport;
}

/**
 * The documents of a source. Each loop reads the source from the beginning. Memory does not grow with the source.
 *
 * Price: 200 to 500 MB/s of plain text and JSONL, about 200 MB/s of CSV (bench/text-data.mjs).
 *
 * @example
 * const [source] = await resolveSources(["wiki.txt.gz"]);
 * for await (const { sentences } of readDocuments(source).documents()) console.log(sentences.length);
 */
export function readDocuments(source: DataSource, options: ReadDocumentsOptions = {}): DocumentReader {
  let current: () => TextReport = emptyReport;
  async function* batches(): AsyncGenerator<readonly TextDocument[], void, undefined> {
    const { format } = source;
    if (format === "text") {
      const parser = new TextParser({ file: source.name, ...options });
      current = () => parser.report;
      yield* ofText(source, parser, options);
      return;
    }
    const report = emptyReport();
    current = () => ({ ...report });
    yield* format === "fasta" ? ofFasta(source, report, options) : ofRows(source, report, options);
  }
  async function* documents(): AsyncGenerator<TextDocument, void, undefined> {
    for await (const batch of batches()) yield* batch;
  }
  return {
    batches,
    documents,
    get report(): TextReport {
      return current();
    },
  };
}

async function* ofText(
  source: DataSource,
  parser: TextParser,
  { onRead }: ReadDocumentsOptions,
): AsyncGenerator<readonly TextDocument[], void, undefined> {
  for await (const chunk of readChunks(inputOf(source), onRead === undefined ? {} : { onRead })) {
    const documents = parser.push(chunk);
    if (documents.length > 0) yield documents;
  }
  const rest = parser.finish();
  if (rest.length > 0) yield rest;
}

async function* ofRows(
  source: DataSource,
  report: MutableReport,
  options: ReadDocumentsOptions,
): AsyncGenerator<readonly TextDocument[], void, undefined> {
  const { name, format } = source;
  const { field: wanted, ...rowOptions } = options;
  const counts: RowCounts = { bytes: 0, invalid: 0 };
  const place = format === "parquet" ? "row" : "line";
  let field: string | undefined;
  const columns = (file: { readonly columns: readonly string[] }): readonly string[] => [
    (field = textField(name, "", file.columns, wanted)),
  ];
  for await (const rows of readRows(source, { ...rowOptions, columns }, counts)) {
    yield rows.map((row) => {
      // The first row decides the field. Objects of JSONL may differ in their keys: an object without the field is an
      // error.
      if (field === undefined || !(field in row.values))
        field = textField(name, `${place} ${row.place}`, Object.keys(row.values), field ?? wanted);
      const sentences = sentencesOfValue(name, `${place} ${row.place}`, field, row.values[field]);
      countDocument(report, sentences);
      return { sentences, place: row.place };
    });
    report.bytes = counts.bytes;
    report.invalid = counts.invalid;
  }
  report.bytes = counts.bytes;
  report.invalid = counts.invalid;
}

async function* ofFasta(
  source: DataSource,
  report: MutableReport,
  { maxRecord, onRead }: ReadDocumentsOptions,
): AsyncGenerator<readonly TextDocument[], void, undefined> {
  const fasta = readFasta(inputOf(source), {
    headers: false,
    ...(maxRecord === undefined ? {} : { maxRecord }),
    ...(onRead === undefined ? {} : { onRead }),
  });
  const decoder = new TextDecoder();
  let record = 0;
  for await (const batch of fasta.batches()) {
    yield Array.from({ length: batch.count }, (_, i) => {
      const sentences = sentencesOfValue(source.name, "", "sequence", decoder.decode(batch.sequence(i)));
      countDocument(report, sentences);
      return { sentences, place: ++record };
    });
    report.bytes = fasta.report.bytes;
  }
}
