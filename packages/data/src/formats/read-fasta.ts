/**
 * FASTA files, plain or gzip, read in batches of records for speed, or record by record. FastaParser says which input
 * is accepted and which is an error.
 */
import { FastaParser, type FastaBatch, type FastaOptions, type FastaReport } from "./fasta-parser.ts";
import type { Pipe } from "./pipe.ts";
import { readChunks, type ReadChunksOptions } from "./read-chunks.ts";

export interface FastaRecord {
  /** Header line without `>`. */
  readonly header: string;
  /** The residues, as a copy that stays valid. */
  readonly sequence: Uint8Array;
}

export interface FastaFile {
  /** Batches of records. The next batch reuses the bytes of this batch. */
  batches(): AsyncIterable<FastaBatch>;
  records(): AsyncIterable<FastaRecord>;
  /** Counts of the latest pass so far; complete when the pass is complete. */
  readonly report: FastaReport;
}

export type ReadFastaOptions = Omit<FastaOptions, "file"> & ReadChunksOptions;

/**
 * A FASTA file, or a pipe (which can be read once). Each loop reads the file from the beginning.
 *
 * @example
 * for await (const { header, sequence } of readFasta("proteins.fasta.gz").records())
 *   console.log(header, sequence.length);
 */
export function readFasta(from: string | Pipe, options: ReadFastaOptions = {}): FastaFile {
  const file = typeof from === "string" ? from : from.name;
  let parser = new FastaParser({ ...options, file });
  async function* batches(): AsyncGenerator<FastaBatch, void, undefined> {
    parser = new FastaParser({ ...options, file });
    for await (const chunk of readChunks(from, options)) {
      const batch = parser.push(chunk);
      if (batch.count > 0) yield batch;
    }
    const rest = parser.finish();
    if (rest.count > 0) yield rest;
  }
  async function* records(): AsyncGenerator<FastaRecord, void, undefined> {
    for await (const batch of batches()) {
      for (let i = 0; i < batch.count; i++) yield { header: batch.header(i), sequence: batch.sequence(i).slice() };
    }
  }
  return {
    batches,
    records,
    get report(): FastaReport {
      return parser.report;
    },
  };
}
