/**
 * The preparation of token shards from FASTA files, in one pass: inflate (on libuv's threads), parse, hash, split,
 * encode, write. A split by row number first takes a pass to count the records. Clusters first take a pass to read the
 * ids.
 */
import { ConfigError } from "@cloze/errors";
import { statSync } from "node:fs";
import { basename } from "node:path";
import { countFasta } from "../corpus/count-records.ts";
import { RecordRouter } from "./encode-fasta.ts";
import { FastaParser, type FastaReport } from "../formats/fasta-parser.ts";
import { ClusterPreparation, clusterInput, type ClusterTable } from "./prepare-clusters.ts";
import type { Pipe } from "../formats/pipe.ts";
import { readRange, type FastaRange } from "../formats/fasta-range.ts";
import { DEFAULT_SPLIT, makeShards, type ShardFolderOptions, type Writers } from "./shard-folder.ts";
import type { ShardCounts, ShardIndex, ShardInput } from "./shard-index.ts";
import type { SplitName } from "../corpus/split.ts";
import { isShuffled, splitterOf, type Splitter } from "../corpus/splitter.ts";
import { encoderOf, type DataTokenizer } from "./token-buffer.ts";

export interface PrepareProgress {
  readonly file: string;
  /** Bytes of all input files read so far and in total; compressed bytes, for gzip. */
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly records: number;
  readonly residues: number;
}

export interface PrepareOptions extends ShardFolderOptions {
  /** Paths of files, or pipes. Clusters and a split by row number need files, which they read twice. */
  readonly files: readonly (string | Pipe)[];
  readonly maxRecord?: number;
  /**
   * The table of clusters. An epoch then shows one sequence of each cluster, drawn anew, and a cluster is in one split.
   */
  readonly clusters?: ClusterTable;
  readonly onProgress?: (progress: PrepareProgress) => void;
}

export interface PreparedShards {
  /** Path of the JSON index, the argument of `openShards`. */
  readonly path: string;
  readonly index: ShardIndex;
  /** True if the shards existed before the call. */
  readonly reused: boolean;
  /** True if the remains of an interrupted preparation were removed, and everything was made again. */
  readonly interrupted: boolean;
}

/** Makes the shards, or returns existing shards of the same inputs and options (see `makeShards`). */
export async function prepareShards(options: PrepareOptions): Promise<PreparedShards> {
  const { files, tokenizer, maxRecord, onProgress } = options;
  if (files.length === 0) throw new ConfigError("prepareShards: expected at least one FASTA file, got none.");
  const { clusters } = options;
  const split = options.split ?? DEFAULT_SPLIT;
  if (clusters !== undefined && isShuffled(split))
    throw new ConfigError(
      "prepareShards: expected a split by content with clusters, so that no cluster is parted, got one by row.",
    );
  const pipe = files.find((file) => typeof file !== "string");
  if (pipe !== undefined && (clusters !== undefined || isShuffled(split)))
    throw new ConfigError(
      `${pipe.name}: expected a file, since ${clusters === undefined ? "splits by row number" : "clusters"} ` +
        "need a reading before, got a pipe, which can be read only once. Save it to a file first, and name the file.",
    );
  const paths = files.map((file) => (typeof file === "string" ? file : file.name));
  const grouping =
    clusters === undefined || isShuffled(split)
      ? undefined
      : new ClusterPreparation({
          table: clusters,
          files: paths,
          split,
          out: options.out,
          name: options.name ?? "tokens",
        });
  const inputs = files.map(describeInput);
  const bytesTotal = inputs.reduce((n, input) => n + input.bytes, 0);
  const origin = {
    inputs,
    ...(clusters === undefined || grouping === undefined
      ? {}
      : { clusters: { table: clusterInput(clusters), finish: (part: SplitName) => grouping.finish(part) } }),
  };
  return makeShards(options, origin, async (writers) => {
    const splitter =
      grouping !== undefined
        ? await grouping.splitter()
        : await splitterOf(split, async () =>
            Promise.all(paths.map(async (name) => ({ name, records: await countFasta(name, maxRecord) }))),
          );
    const counts = await fillFromFasta({
      ranges: files.map((file) => (typeof file === "string" ? { file } : { file: file.name, pipe: file })),
      tokenizer,
      splitter,
      writers: grouping?.following(writers) ?? writers,
      maxRecord,
      ...(onProgress === undefined ? {} : { onProgress: (progress) => onProgress({ ...progress, bytesTotal }) }),
    });
    return grouping === undefined ? counts : { ...counts, unmapped: grouping.report.unmapped };
  }).finally(() => grouping?.close());
}

export interface FillFasta {
  readonly ranges: readonly FastaRange[];
  readonly tokenizer: DataTokenizer;
  readonly splitter: Splitter;
  readonly writers: Writers;
  readonly maxRecord: number | undefined;
  readonly onProgress?: (progress: Omit<PrepareProgress, "bytesTotal">) => void;
}

/** Reads the ranges in order and writes their records. */
export async function fillFromFasta({
  ranges,
  tokenizer,
  splitter,
  writers,
  maxRecord,
  onProgress,
}: FillFasta): Promise<ShardCounts> {
  const encode = encoderOf(tokenizer);
  const reports: FastaReport[] = [];
  const sum = (key: "records" | "residues"): number => reports.reduce((n, report) => n + report[key], 0);
  const router = new RecordRouter(splitter, (part, batch, record) => {
    const from = batch.starts[record] as number;
    const until = batch.ends[record] as number;
    return writers[part].add(until - from, (into) => encode(batch.residues, from, until, into, router.issues));
  });
  let before = 0;
  for (const range of ranges) {
    const { file } = range;
    router.begin(basename(file));
    const parser = new FastaParser({ file, headers: false, ...(maxRecord === undefined ? {} : { maxRecord }) });
    let read = 0;
    for await (const chunk of readRange(range, (bytes) => {
      read = bytes;
    })) {
      router.take(parser.push(chunk));
      if (onProgress === undefined) continue;
      const { records, residues } = parser.report;
      onProgress({
        file,
        bytesRead: before + read,
        records: sum("records") + records,
        residues: sum("residues") + residues,
      });
    }
    router.take(parser.finish());
    reports.push(parser.report);
    before += read;
  }
  return router.counts(reports);
}

function describeInput(file: string | Pipe): ShardInput {
  // A pipe is never the same twice, so that shards of another one are not taken for its own.
  if (typeof file !== "string") return { file: basename(file.name), bytes: 0, modified: new Date().toISOString() };
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    throw new ConfigError(`prepareShards: expected a FASTA file at ${file}, found nothing there. Check the path.`);
  return { file: basename(file), bytes: found.size, modified: found.mtime.toISOString() };
}
