/** Rows of JSONL, CSV, TSV and Parquet, from a file (plain or gzip). Parquet is also read by ranges over HTTP. */
import { ConfigError, FormatError } from "@cloze/errors";
import { CsvParser } from "../formats/csv-parser.ts";
import { httpFile } from "../formats/http-file.ts";
import { JsonlParser } from "../formats/jsonl-parser.ts";
import { openParquet, type ParquetFile } from "../formats/parquet-rows.ts";
import { readChunks } from "../formats/read-chunks.ts";
import { rangesOfFile } from "../formats/range-file.ts";
import { inputOf, type DataSource } from "./sources.ts";
import type { Row } from "../formats/text-document.ts";
import { MAX_RECORD } from "../formats/text-lines.ts";

export interface RowOptions {
  /** CSV and TSV: the first row names the columns. Default true. Without a header the columns are "1", "2", …. */
  readonly header?: boolean;
  /** CSV and TSV: fields may be quoted. Default true. */
  readonly quotes?: boolean;
  /** Parquet: the columns to read. Default all. */
  readonly columns?: readonly string[] | ((file: ParquetFile) => readonly string[]);
  /** Most bytes in a line, and most characters in a quoted field and in a text of Parquet. Default 2^26. */
  readonly maxRecord?: number;
  /** Called with the number of file bytes read so far. */
  readonly onRead?: (bytes: number) => void;
}

/** Counts of a pass so far. */
export interface RowCounts {
  bytes: number;
  invalid: number;
}

/**
 * Batches of rows, in order. `counts` is kept up to date while the rows are read.
 *
 * @example
 * const [source] = await resolveSources(["reviews.csv"]);
 * for await (const rows of readRows(source)) for (const { values } of rows) console.log(values["label"]);
 */
export async function* readRows(
  source: DataSource,
  options: RowOptions = {},
  counts: RowCounts = { bytes: 0, invalid: 0 },
): AsyncGenerator<readonly Row[], void, undefined> {
  const { name, format, place } = source;
  const { header, quotes, columns, maxRecord, onRead } = options;
  const limit = maxRecord === undefined ? {} : { maxRecord, maxLine: maxRecord };
  if (format === "parquet") {
    const read = (bytes: number): void => {
      counts.bytes = bytes;
      onRead?.(bytes);
    };
    const ranges =
      "path" in place
        ? await rangesOfFile(place.path, read)
        : {
            ...(await httpFile(place.url, { ...place, bytes: source.bytes, onRead: read })),
            close: async () => undefined,
          };
    try {
      const file = await openParquet(ranges, name);
      for await (const rows of file.rows(typeof columns === "function" ? columns(file) : (columns ?? file.columns))) {
        for (const row of rows) refuseLong(name, row, maxRecord ?? MAX_RECORD);
        yield rows;
      }
    } finally {
      await ranges.close();
    }
    return;
  }
  if (format === "text" || format === "fasta")
    throw new ConfigError(`${name}: expected rows (jsonl, csv, tsv, parquet), got ${format}.`);
  const parser =
    format === "jsonl"
      ? new JsonlParser({ file: name, ...limit })
      : new CsvParser({
          file: name,
          delimiter: format === "tsv" ? "\t" : ",",
          ...(header === undefined ? {} : { header }),
          ...(quotes === undefined ? {} : { quotes }),
          ...limit,
        });
  for await (const chunk of readChunks(inputOf(source), onRead === undefined ? {} : { onRead })) {
    const rows = parser.push(chunk);
    counts.bytes = parser.bytes;
    counts.invalid = parser.invalid;
    if (rows.length > 0) yield rows;
  }
  const rest = parser.finish();
  counts.invalid = parser.invalid;
  if (rest.length > 0) yield rest;
}

/** Throws FormatError for a row of Parquet with a text above the limit. In other formats the line has the limit. */
function refuseLong(file: string, { values, place }: Row, limit: number): void {
  for (const [name, value] of Object.entries(values)) {
    const length = charactersOf(value);
    if (length > limit)
      throw new FormatError(
        file,
        `row ${place}`,
        `expected a text of at most ${limit} characters in "${name}", got ${length}. Divide it into several rows, or ` +
          "raise the limit.",
      );
  }
}

/** Characters of a text, or of all texts in a list. */
function charactersOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return Array.isArray(value) ? value.reduce((sum: number, each) => sum + charactersOf(each), 0) : 0;
}
