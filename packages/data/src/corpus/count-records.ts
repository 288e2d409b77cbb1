/** The number of records in a source: from the footer for Parquet, else from one pass over the source. */
import { FastaParser } from "../formats/fasta-parser.ts";
import { httpFile } from "../formats/http-file.ts";
import { openParquet } from "../formats/parquet-rows.ts";
import { rangesOfFile } from "../formats/range-file.ts";
import { readChunks } from "../formats/read-chunks.ts";
import { readDocuments, type ReadDocumentsOptions } from "./read-documents.ts";
import { refusePipe, type DataSource } from "./sources.ts";

export async function countRecords(
  source: DataSource,
  reading: Omit<ReadDocumentsOptions, "onRead"> = {},
): Promise<number> {
  const { name, format, place } = source;
  if (format === "parquet") {
    const ranges =
      "path" in place
        ? await rangesOfFile(place.path)
        : { ...(await httpFile(place.url, { ...place, bytes: source.bytes })), close: async () => undefined };
    try {
      return (await openParquet(ranges, name)).rowCount;
    } finally {
      await ranges.close();
    }
  }
  refusePipe(source, "its records are counted before they are read");
  if (format === "fasta" && "path" in place) return countFasta(place.path, reading.maxRecord);
  let records = 0;
  for await (const batch of readDocuments(source, reading).batches()) records += batch.length;
  return records;
}

export async function countFasta(file: string, maxRecord?: number): Promise<number> {
  const parser = new FastaParser({ file, headers: false, ...(maxRecord === undefined ? {} : { maxRecord }) });
  for await (const chunk of readChunks(file)) parser.push(chunk);
  parser.finish();
  return parser.report.records;
}
