/** The contents of a FASTA file or of a set of shards, as plain data. One pass; memory does not grow with the file. */
import { FormatError } from "@cloze/errors";
import { stat } from "node:fs/promises";
import type { FastaReport } from "../formats/fasta-parser.ts";
import { LengthCounts, type LengthSummary } from "../corpus/length-counts.ts";
import type { Pipe } from "../formats/pipe.ts";
import { InnerStopCounter, type InnerStops } from "../formats/inner-stops.ts";
import { readFasta } from "../formats/read-fasta.ts";
import { readShardIndex } from "./read-shard-index.ts";
import { openShards } from "./shard-dataset.ts";
import type { ShardIndex } from "./shard-index.ts";

/** Sequences and the characters (or tokens) in them. */
export interface Contents {
  /** Sequences with residues. */
  readonly sequences: number;
  readonly residues: number;
  readonly lengths: LengthSummary;
  /** Occurrences by character, or by token for shards (by id if the index has no vocabulary), most frequent first. */
  readonly histogram: Readonly<Record<string, number>>;
  /** Occurrences of the twenty standard residues, in either case. */
  readonly standardResidues: number;
  /** Entropy of the standard residues' frequencies in nats: the loss of a model that knows frequencies only. */
  readonly unigramEntropy: number;
}

export type Inspection =
  | {
      readonly kind: "fasta";
      readonly path: string;
      readonly contents: Contents;
      readonly report: FastaReport;
      readonly innerStops: InnerStops | undefined;
    }
  | {
      readonly kind: "shards";
      readonly path: string;
      readonly index: ShardIndex;
      readonly splits: Readonly<Record<string, Contents>>;
    };

const STOP = 42;

export interface InspectOptions {
  readonly onRead?: (bytes: number) => void;
}

/**
 * Reads a FASTA file (plain or gzip), or the JSON index of shards and the shards themselves, and compares their
 * checksums.
 */
export async function inspect(from: string | Pipe, options: InspectOptions = {}): Promise<Inspection> {
  const path = typeof from === "string" ? from : from.name;
  if (path.endsWith(".json")) return inspectShards(path);
  if (path.endsWith(".bin"))
    throw new FormatError(
      path,
      "",
      "expected a FASTA file or the NAME.json of token shards, got a single shard. Give the index beside it.",
    );
  const lengths = new LengthCounts();
  const counts = new Float64Array(256);
  const fasta = readFasta(from, { headers: false, ...options });
  const stops = new InnerStopCounter();
  stops.begin(path);
  let sequences = 0;
  for await (const { count, residues, starts, ends } of fasta.batches()) {
    for (let i = 0; i < count; i++) {
      const start = starts[i] as number;
      const end = ends[i] as number;
      const stopsBefore = counts[STOP];
      for (let at = start; at < end; at++)
        counts[residues[at] as number] = (counts[residues[at] as number] as number) + 1;
      stops.add(residues, start, end, counts[STOP] !== stopsBefore);
      if (start === end) continue;
      sequences++;
      lengths.add(end - start);
    }
  }
  const { report } = fasta;
  return {
    kind: "fasta",
    path,
    report,
    innerStops: stops.found,
    contents: contentsOf(sequences, lengths, counts, (byte) => String.fromCharCode(byte)),
  };
}

async function inspectShards(path: string): Promise<Inspection> {
  await stat(path).catch((cause: unknown) => {
    throw new FormatError(path, "", "expected a file to read, found nothing there. Check the path.", { cause });
  });
  const { index } = await readShardIndex(path);
  const splits: Record<string, Contents> = {};
  for (const split of Object.keys(index.splits)) {
    const data = await openShards(path, { split });
    const lengths = new LengthCounts();
    const counts = new Float64Array(index.tokenizer.vocabularySize);
    for (let i = 0; i < data.size; i++) {
      const tokens = data.read(i);
      lengths.add(tokens.length);
      for (let t = 0; t < tokens.length; t++) counts[tokens[t] as number] = (counts[tokens[t] as number] as number) + 1;
    }
    data.close();
    splits[split] = contentsOf(data.size, lengths, counts, (id) => index.tokenizer.vocabulary?.[id] ?? String(id));
  }
  return { kind: "shards", path, index, splits };
}

function contentsOf(
  sequences: number,
  lengths: LengthCounts,
  counts: Float64Array,
  nameOf: (value: number) => string,
): Contents {
  const named: (readonly [name: string, count: number])[] = [];
  const standard = new Map<string, number>();
  let residues = 0;
  let standardResidues = 0;
  counts.forEach((count, value) => {
    if (count === 0) return;
    const name = nameOf(value);
    const residue = name.toUpperCase();
    named.push([name, count]);
    residues += count;
    if (residue.length !== 1 || !"ACDEFGHIKLMNPQRSTVWY".includes(residue)) return;
    standard.set(residue, (standard.get(residue) ?? 0) + count);
    standardResidues += count;
  });
  let unigramEntropy = 0;
  for (const count of standard.values())
    unigramEntropy -= (count / standardResidues) * Math.log(count / standardResidues);
  return {
    sequences,
    residues,
    lengths: lengths.summary(),
    histogram: Object.fromEntries(named.toSorted((a, b) => b[1] - a[1])),
    standardResidues,
    unigramEntropy,
  };
}
