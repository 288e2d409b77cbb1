/** In-memory data sets of text from files. */
import { documentCollector, type TextDatasets } from "./document-collector.ts";
import type { EncodeDocumentsOptions } from "./encode-documents.ts";
import { readDocuments, type ReadDocumentsOptions } from "../corpus/read-documents.ts";
import type { DataSource } from "../corpus/sources.ts";
import type { TextReport } from "../formats/text-document.ts";

export interface TextDatasetsOptions extends EncodeDocumentsOptions {
  readonly reading?: ReadDocumentsOptions;
}

/** Reads whole sources into memory; for corpora beyond memory use `prepareDocuments` and `openShards`. */
export async function textDatasets(
  sources: readonly DataSource[],
  options: TextDatasetsOptions,
): Promise<TextDatasets> {
  const collector = documentCollector(options);
  const reports: TextReport[] = [];
  for (const source of sources) {
    const reader = readDocuments(source, options.reading);
    for await (const batch of reader.batches()) for (const document of batch) collector.push(document);
    reports.push(reader.report);
  }
  return collector.finish(reports);
}
