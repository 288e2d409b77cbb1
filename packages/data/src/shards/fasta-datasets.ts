/** In-memory data sets from FASTA files. */
import { fastaCollector, type FastaDatasets, type FastaDatasetsOptions } from "./fasta-collector.ts";
import { readChunks } from "../formats/read-chunks.ts";

/**
 * Reads whole files into memory, one byte a residue; for corpora beyond memory use `prepareShards` and `openShards`.
 */
export async function fastaDatasets(
  files: string | readonly string[],
  options: FastaDatasetsOptions,
): Promise<FastaDatasets> {
  let current = "";
  const collector = fastaCollector(options, () => current);
  for (current of typeof files === "string" ? [files] : files) {
    for await (const chunk of readChunks(current)) collector.push(chunk);
    collector.endFile();
  }
  return collector.finish();
}
