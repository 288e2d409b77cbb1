/** In-memory data sets from FASTA files. */
import { fastaCollector, type FastaDatasets, type FastaDatasetsOptions } from "./fasta-collector.ts";
import type { Pipe } from "../formats/pipe.ts";
import { readChunks } from "../formats/read-chunks.ts";

/**
 * Reads whole files or pipes into memory, one byte a residue; for corpora beyond memory use `prepareShards` and
 * `openShards`.
 */
export async function fastaDatasets(
  files: string | readonly (string | Pipe)[],
  options: FastaDatasetsOptions,
): Promise<FastaDatasets> {
  let current = "";
  const collector = fastaCollector(options, () => current);
  for (const from of typeof files === "string" ? [files] : files) {
    current = typeof from === "string" ? from : from.name;
    for await (const chunk of readChunks(from)) collector.push(chunk);
    collector.endFile();
  }
  return collector.finish();
}
