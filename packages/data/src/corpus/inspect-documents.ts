/**
 * The contents of a source of text, as plain data. One pass; memory does not grow with the source unless duplicates are
 * counted.
 */
import { contentHash } from "./content-hash.ts";
import { HashSet } from "./hash-set.ts";
import { LengthCounts, type LengthSummary } from "./length-counts.ts";
import { readDocuments, type ReadDocumentsOptions } from "./read-documents.ts";
import type { DataFormat, DataSource } from "./sources.ts";
import type { TextReport } from "../formats/text-document.ts";

export interface DocumentInspection {
  readonly kind: "text";
  readonly path: string;
  readonly format: DataFormat;
  readonly report: TextReport;
  /** Characters of each document that has text. */
  readonly lengths: LengthSummary;
  readonly sentenceLengths: LengthSummary;
  /** Documents with the text of an earlier document; undefined if duplicates were not counted. */
  readonly duplicates: number | undefined;
}

export interface InspectDocumentsOptions extends ReadDocumentsOptions {
  /** Count duplicates too, with 16 to 32 bytes of memory for each document. Default false. */
  readonly dedup?: boolean;
}

export async function inspectDocuments(
  source: DataSource,
  options: InspectDocumentsOptions = {},
): Promise<DocumentInspection> {
  const { dedup = false, ...reading } = options;
  const reader = readDocuments(source, reading);
  const lengths = new LengthCounts();
  const sentenceLengths = new LengthCounts();
  const seen = dedup ? new HashSet() : undefined;
  const utf8 = new TextEncoder();
  let filled = 0;
  for await (const batch of reader.batches()) {
    for (const { sentences } of batch) {
      if (sentences.length === 0) continue;
      filled++;
      let characters = 0;
      for (const sentence of sentences) {
        characters += sentence.length;
        sentenceLengths.add(sentence.length);
      }
      lengths.add(characters);
      if (seen === undefined) continue;
      const bytes = utf8.encode(sentences.join("\n"));
      seen.add(contentHash(bytes, 0, 0, bytes.length, false));
    }
  }
  return {
    kind: "text",
    path: source.name,
    format: source.format,
    report: reader.report,
    lengths: lengths.summary(),
    sentenceLengths: sentenceLengths.summary(),
    duplicates: seen === undefined ? undefined : filled - seen.size,
  };
}
