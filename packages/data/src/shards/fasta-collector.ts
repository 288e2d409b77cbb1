/**
 * In-memory data sets from FASTA, one for each split: chunks of text in (from a file, a fetch, a browser's File),
 * tokens out.
 *
 * Price: one byte a residue for vocabularies up to 256, eight a record, and the header lines if they are kept.
 */
import { RecordRouter } from "./encode-fasta.ts";
import { FastaParser, type FastaBatch, type FastaReport } from "../formats/fasta-parser.ts";
import { MemoryDataset, sharedTokens } from "../rows/memory-dataset.ts";
import type { ShardCounts } from "./shard-index.ts";
import type { SplitName, SplitRule } from "../corpus/split.ts";
import { contentSplitter } from "../corpus/splitter.ts";
import { TokenBuffer, dtypeOf, encoderOf, type DataTokenizer } from "./token-buffer.ts";

export interface FastaDatasetsOptions {
  readonly tokenizer: DataTokenizer;
  /** Default: everything is training data. */
  readonly split?: SplitRule;
  /** Keep header lines as `names`. Default false. */
  readonly names?: boolean;
  readonly maxRecord?: number;
}

export interface FastaDatasets {
  readonly train: MemoryDataset;
  readonly valid: MemoryDataset;
  readonly test: MemoryDataset;
  readonly counts: ShardCounts;
}

/** Takes files as chunks of text, one file after the other. */
export interface FastaCollector {
  push(chunk: Uint8Array): void;
  /** Ends a file; the next chunk begins another. */
  endFile(): FastaReport;
  finish(): FastaDatasets;
}

/** `file` returns the name of the current input, for messages: several files may follow one another. */
export function fastaCollector(options: FastaDatasetsOptions, file: () => string = () => "FASTA"): FastaCollector {
  const { tokenizer, split, names = false, maxRecord } = options;
  const encode = encoderOf(tokenizer);
  const parts = { train: new Part(tokenizer), valid: new Part(tokenizer), test: new Part(tokenizer) };
  const router = new RecordRouter(contentSplitter(split), (name, batch, record) =>
    parts[name].add(batch, record, names, (start, end, into) =>
      encode(batch.residues, start, end, into, router.issues),
    ),
  );
  const reports: FastaReport[] = [];
  let parser: FastaParser | undefined;
  const current = (): FastaParser => {
    if (parser !== undefined) return parser;
    router.begin(file());
    return (parser = new FastaParser({
      file: file(),
      headers: names,
      ...(maxRecord === undefined ? {} : { maxRecord }),
    }));
  };
  return {
    push: (chunk) => router.take(current().push(chunk)),
    endFile(): FastaReport {
      router.take(current().finish());
      const { report } = current();
      reports.push(report);
      parser = undefined;
      return report;
    },
    finish(): FastaDatasets {
      if (parser !== undefined) this.endFile();
      const done = (name: SplitName): MemoryDataset => parts[name].finish(names);
      return { train: done("train"), valid: done("valid"), test: done("test"), counts: router.counts(reports) };
    },
  };
}

class Part {
  readonly #tokens: TokenBuffer;
  readonly #largest: number;
  readonly #offsets: number[] = [0];
  readonly #names: string[] = [];
  #before = 0;

  constructor(tokenizer: DataTokenizer) {
    this.#tokens = new TokenBuffer(dtypeOf(tokenizer.vocabulary.length), 1 << 16);
    this.#largest = tokenizer.vocabulary.length - 1;
  }

  add(
    batch: FastaBatch,
    record: number,
    names: boolean,
    encode: (start: number, end: number, into: TokenBuffer) => void,
  ): number {
    encode(batch.starts[record] as number, batch.ends[record] as number, this.#tokens);
    const added = this.#tokens.at - this.#before;
    if (added === 0) return 0;
    this.#before = this.#tokens.at;
    this.#offsets.push(this.#tokens.at);
    if (names) this.#names.push(batch.header(record));
    return added;
  }

  finish(names: boolean): MemoryDataset {
    const tokens = sharedTokens(this.#largest, this.#tokens.at);
    tokens.set(this.#tokens.data.subarray(0, this.#tokens.at));
    return new MemoryDataset(tokens, Float64Array.from(this.#offsets), names ? this.#names : undefined);
  }
}
