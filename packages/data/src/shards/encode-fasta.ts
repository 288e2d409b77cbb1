/**
 * The encoder from FASTA records to tokens, shared by shards and in-memory data sets. Each record with residues goes to
 * the split of its content. Characters that the tokenizer replaced, dropped or did not know are counted, each on its
 * own.
 */
import { IssueCounter } from "@cloze/tokenizer";
import type { FastaBatch, FastaReport } from "../formats/fasta-parser.ts";
import { InnerStopCounter } from "../formats/inner-stops.ts";
import type { ShardCounts } from "./shard-index.ts";
import type { SplitName } from "../corpus/split.ts";
import type { Splitter } from "../corpus/splitter.ts";

const STOP = 42;

/** Takes the bytes of one record and returns the number of its tokens. 0 means that the record was not kept. */
export type RecordSink = (split: SplitName, batch: FastaBatch, record: number) => number;

export class RecordRouter {
  /** The counter that the sink's encoder uses. */
  readonly issues: IssueCounter = new IssueCounter();
  readonly #splitter: Splitter;
  readonly #sink: RecordSink;
  readonly #stops = new InnerStopCounter();
  #emptied = 0;
  #record: number;

  /** `firstRecord`: the number of the first record, if earlier records are prepared elsewhere. */
  constructor(splitter: Splitter, sink: RecordSink, firstRecord: number = 0) {
    this.#splitter = splitter;
    this.#sink = sink;
    this.#record = firstRecord;
  }

  /** The next records are of this file. */
  begin(file: string): void {
    this.#stops.begin(file);
  }

  take(batch: FastaBatch): void {
    const { residues, starts, ends } = batch;
    const unknown = this.issues.unknown.ascii;
    for (let i = 0; i < batch.count; i++) {
      const start = starts[i] as number;
      const end = ends[i] as number;
      const record = this.#record++;
      const stopsBefore = unknown[STOP];
      if (start !== end) {
        const split = this.#splitter(residues, start, end, record);
        if (this.#sink(split, batch, i) === 0) this.#emptied++;
      }
      this.#stops.add(residues, start, end, unknown[STOP] !== stopsBefore);
    }
  }

  /** The counts of all inputs: the sum of the reports, and the characters that the tokenizer changed. */
  counts(reports: readonly FastaReport[]): ShardCounts {
    const sum = (key: "records" | "residues" | "empty" | "unnamed"): number => reports.reduce((n, r) => n + r[key], 0);
    return {
      records: sum("records"),
      residues: sum("residues"),
      empty: sum("empty"),
      emptied: this.#emptied,
      unnamed: sum("unnamed"),
      ...(this.#stops.found === undefined ? {} : { innerStops: this.#stops.found }),
      ...this.issues.issues(),
    };
  }
}
