/**
 * From FASTA records to tokens: what shards and in-memory data sets have in common. Each record with residues goes to
 * the split its content belongs to; what the tokenizer could not take as it stood is counted by character.
 */
import { IssueCounter } from "@cloze/tokenizer";
import type { FastaBatch, FastaReport } from "../formats/fasta-parser.ts";
import type { ShardCounts } from "./shard-index.ts";
import type { SplitName } from "../corpus/split.ts";
import type { Splitter } from "../corpus/splitter.ts";

/** Takes one record's bytes and returns how many tokens it became; 0 means that it was not kept. */
export type RecordSink = (split: SplitName, batch: FastaBatch, record: number) => number;

export class RecordRouter {
  /** The sink's encoder counts here. */
  readonly issues: IssueCounter = new IssueCounter();
  readonly #splitter: Splitter;
  readonly #sink: RecordSink;
  #emptied = 0;
  #record: number;

  /** `firstRecord`: the number of the first record, where others come before it that are prepared elsewhere. */
  constructor(splitter: Splitter, sink: RecordSink, firstRecord: number = 0) {
    this.#splitter = splitter;
    this.#sink = sink;
    this.#record = firstRecord;
  }

  take(batch: FastaBatch): void {
    const { residues, starts, ends } = batch;
    for (let i = 0; i < batch.count; i++) {
      const start = starts[i] as number;
      const end = ends[i] as number;
      const record = this.#record++;
      if (start === end) continue;
      const split = this.#splitter(residues, start, end, record);
      if (this.#sink(split, batch, i) === 0) this.#emptied++;
    }
  }

  /** The reports of all inputs together, with what the tokenizer changed. */
  counts(reports: readonly FastaReport[]): ShardCounts {
    const sum = (key: "records" | "residues" | "empty" | "unnamed"): number => reports.reduce((n, r) => n + r[key], 0);
    return {
      records: sum("records"),
      residues: sum("residues"),
      empty: sum("empty"),
      emptied: this.#emptied,
      unnamed: sum("unnamed"),
      ...this.issues.issues(),
    };
  }
}
