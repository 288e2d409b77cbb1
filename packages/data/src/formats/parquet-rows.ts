/**
 * A reader of Parquet rows, one row group at a time. It reads only the footer and the requested columns of a file,
 * which is on a disk or behind HTTP.
 *
 * Memory is the requested columns of one row group, decoded. All codecs of the format are read (Snappy, GZIP, Brotli,
 * ZSTD, LZ4). The decoder is hyparquet. Its errors on damaged files become a FormatError that names the file and the
 * row group. Numbers keep every digit, and dates are text: see parquet-values.ts.
 */
import { ClozeError, FormatError } from "@cloze/errors";
import type { FileMetaData } from "hyparquet";
import { RAW, columnConversion, rawSchema } from "./parquet-values.ts";
import type { Row } from "./text-document.ts";

/** Bytes that are read by range: from a file, a URL or a buffer. */
export interface RangeReader {
  readonly byteLength: number;
  /** The bytes [start, end). */
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

export interface ParquetFile {
  /** Names of the columns, in their order. */
  readonly columns: readonly string[];
  readonly rowCount: number;
  /** The rows with the given columns, one batch for each row group. */
  rows(columns: readonly string[]): AsyncGenerator<readonly Row[], void, undefined>;
}

/** Reads the footer. Throws FormatError if the file is not Parquet or is cut off. */
export async function openParquet(reader: RangeReader, file: string): Promise<ParquetFile> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet");
  if (reader.byteLength < 12)
    throw new FormatError(file, "", `expected a Parquet file, got ${reader.byteLength} bytes. Is it whole?`);
  const metadata = await told(file, "footer", () => parquetMetadataAsync(reader));
  const tree = parquetSchema(metadata).children;
  const columns = tree.map(({ element }) => element.name);
  const raw: FileMetaData = { ...metadata, schema: rawSchema(metadata.schema) };
  return {
    columns,
    rowCount: Number(metadata.num_rows),
    async *rows(wanted) {
      const missing = wanted.find((name) => !columns.includes(name));
      if (missing !== undefined)
        throw new FormatError(
          file,
          "",
          `expected a column ${JSON.stringify(missing)}, got ` +
            `${columns.map((name) => JSON.stringify(name)).join(", ")}.`,
        );
      const conversions = tree.flatMap((column) => {
        const convert = wanted.includes(column.element.name) ? columnConversion(file, column) : undefined;
        return convert === undefined ? [] : [[column.element.name, convert] as const];
      });
      const { compressors } = await import("hyparquet-compressors");
      for (const { group, rowStart, rowEnd } of groupsOf(metadata)) {
        const values = await told(file, `row group ${group + 1}`, () =>
          parquetReadObjects({
            ...RAW,
            file: reader,
            metadata: raw,
            columns: [...wanted],
            rowStart,
            rowEnd,
            compressors,
          }),
        );
        if (values.length !== rowEnd - rowStart)
          throw new FormatError(
            file,
            `row group ${group + 1}`,
            `expected ${rowEnd - rowStart} rows, got ${values.length}. Write or download the file again.`,
          );
        yield values.map((row: Record<string, unknown>, i) => {
          for (const [name, convert] of conversions) row[name] = convert(row[name]) ?? null;
          return { values: row, place: rowStart + i + 1 };
        });
      }
    },
  };
}

function* groupsOf(
  metadata: FileMetaData,
): Generator<{ readonly group: number; readonly rowStart: number; readonly rowEnd: number }> {
  let rowStart = 0;
  for (const [group, { num_rows }] of metadata.row_groups.entries()) {
    const rowEnd = rowStart + Number(num_rows);
    if (rowEnd > rowStart) yield { group, rowStart, rowEnd };
    rowStart = rowEnd;
  }
}

async function told<T>(file: string, place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (ClozeError.isInstance(cause)) throw cause;
    throw new FormatError(
      file,
      place,
      `expected Parquet, got bytes that are not (${cause instanceof Error ? cause.message : String(cause)}). Is ` +
        "the file whole? Write or download it again.",
      { cause },
    );
  }
}
