/**
 * The cluster part of `prepareShards`: the split of each record by its cluster, and the files that list the members of
 * each cluster.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { createHash } from "node:crypto";
import { mkdirSync, openSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { BucketFiles } from "../corpus/bucket-files.ts";
import { ClusterMap, type ClusterReport } from "../corpus/cluster-map.ts";
import { NumberText } from "../formats/number-text.ts";
import { readFasta } from "../formats/read-fasta.ts";
import { rowJson } from "../formats/row-json.ts";
import { readRows } from "../corpus/read-rows.ts";
import type { Writers } from "./shard-folder.ts";
import type { ShardClusters, ShardInput } from "./shard-index.ts";
import { publish, writeAll } from "./shard-writer.ts";
import type { DataSource } from "../corpus/sources.ts";
import { splitOf, type SplitName, type SplitRule } from "../corpus/split.ts";
import type { Splitter } from "../corpus/splitter.ts";
import { textField } from "../formats/text-document.ts";
import type { TokenBuffer } from "./token-buffer.ts";

export interface ClusterTable {
  /**
   * Rows of CSV, TSV, JSONL or Parquet. A row names a cluster, and a member or a list of members. A member's name is
   * the first word of its header line.
   */
  readonly source: DataSource;
  /** Columns of the cluster and of the member, by name or number. Default the first two. */
  readonly fields?: readonly [cluster: string, member: string];
  /** The first row names the columns. Default true. */
  readonly header?: boolean;
}

export interface ClusterOptions {
  readonly table: ClusterTable;
  readonly files: readonly string[];
  readonly split: SplitRule;
  readonly out: string;
  readonly name: string;
}

export const fieldsOf = ({ fields = ["1", "2"] }: ClusterTable): readonly [string, string] => fields;

export function clusterInput(table: ClusterTable): ShardInput & { readonly fields: string } {
  const { name, place, bytes, modified } = table.source;
  return { file: "path" in place ? basename(name) : name, bytes, modified, fields: fieldsOf(table).join(",") };
}

const CLUSTER = "name of a cluster";

/** The number of buckets of documents by cluster: the first 8 bits of a cluster's hash are its bucket. */
const BUCKETS = 256;

export class ClusterPreparation {
  readonly report: ClusterReport = { unmapped: 0 };
  readonly #options: ClusterOptions;
  readonly #folder: string;
  readonly #found: Partial<Record<SplitName, BucketFiles>> = {};
  readonly #documents: Record<SplitName, number> = { train: 0, valid: 0, test: 0 };
  readonly #cluster: Uint32Array = new Uint32Array(2);

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#folder = join(options.out, `${options.name}.tmp`);
  }

  /** Reads the table and the headers. The splitter must be given the records in order. */
  async splitter(): Promise<Splitter> {
    const { table, files, split } = this.#options;
    const [wantedCluster, wantedMember] = fieldsOf(table);
    const { source, header } = table;
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder);
    const map = new ClusterMap(this.#folder);
    for await (const rows of readRows(source, header === undefined ? {} : { header })) {
      for (const { values, place } of rows) {
        const names = Object.keys(values);
        const [cluster, member] = [wantedCluster, wantedMember].map(
          (wanted) => values[textField(source.name, `row ${place}`, names, wanted)],
        );
        const nameOf = (value: unknown, what: string): string => {
          if (typeof value === "string" && (value !== "" || what !== CLUSTER)) return value;
          if (Number.isFinite(value) || value instanceof NumberText) return String(value);
          throw new FormatError(
            source.name,
            `row ${place}`,
            `expected the ${what}, got ${rowJson(value)}. Name the columns: cluster first.`,
          );
        };
        const clusterName = nameOf(cluster, CLUSTER);
        for (const each of Array.isArray(member) ? (member as readonly unknown[]) : [member])
          map.addRow(clusterName, nameOf(each, "id of a member"));
      }
    }
    for (const file of files) {
      for await (const batch of readFasta(file).batches())
        for (let i = 0; i < batch.count; i++) map.addRecord(/^\S*/.exec(batch.header(i))?.[0] ?? "");
    }
    const runs = map.join(source.name, this.report);
    const key = new Uint8Array(this.#cluster.buffer);
    let run: Uint32Array = new Uint32Array();
    let first = 0;
    return (_, __, ___, record) => {
      while (record >= first + run.length / 2) {
        const next = runs.next();
        if (next.done === true)
          throw new ConfigError(
            "prepareShards: expected as many records as in the pass before, got more. Do not change the files " +
              "meanwhile.",
          );
        first += run.length / 2;
        run = next.value;
      }
      this.#cluster.set(run.subarray(2 * (record - first), 2 * (record - first) + 2));
      return splitOf(key, split);
    };
  }

  /** Writers that also remember the cluster of each document. */
  following(writers: Writers): Writers {
    const follow = (split: SplitName): Writers[SplitName] => ({
      add: (longest: number, append: (into: TokenBuffer) => void, sentences?: readonly number[]) => {
        const added = writers[split].add(longest, append, sentences);
        const high = this.#cluster[0] as number;
        const low = this.#cluster[1] as number;
        if (added > 0)
          (this.#found[split] ??= new BucketFiles(this.#folder, split, BUCKETS)).add(
            high >>> 24,
            high,
            low,
            this.#documents[split]++,
          );
        return added;
      },
    });
    return { train: follow("train"), valid: follow("valid"), test: follow("test") };
  }

  /** Writes a split's clusters, in the order of their hashes. */
  finish(split: SplitName): ShardClusters {
    const { out, name } = this.#options;
    const found = this.#found[split];
    const prefix = join(out, `${name}_${split}`);
    const ends = new NumberWriter(`${prefix}.ends`);
    const members = new NumberWriter(`${prefix}.members`);
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const records = found?.take(bucket) ?? new Uint32Array();
      const word = (i: number, k: number): number => records[3 * i + k] as number;
      const order = Uint32Array.from({ length: records.length / 3 }, (_, i) => i).sort(
        (i, j) => word(i, 0) - word(j, 0) || word(i, 1) - word(j, 1) || i - j,
      );
      for (const [place, i] of order.entries()) {
        members.add(word(i, 2));
        total++;
        const next = order[place + 1];
        if (next === undefined || word(next, 0) !== word(i, 0) || word(next, 1) !== word(i, 1)) ends.add(total);
      }
    }
    return { count: ends.count, ends: ends.finish(), members: members.finish() };
  }

  /** Removes the temporary files. */
  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

class NumberWriter {
  count = 0;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #hash = createHash("sha256");
  readonly #buffer: Uint32Array = new Uint32Array(1 << 14);

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(`${path}.tmp`, "w");
  }

  add(number: number): void {
    this.#buffer[this.count++ % this.#buffer.length] = number;
    if (this.count % this.#buffer.length === 0) this.#write(this.#buffer.length);
  }

  finish(): { readonly file: string; readonly sha256: string } {
    this.#write(this.count % this.#buffer.length);
    publish(this.#descriptor, this.#path);
    return { file: basename(this.#path), sha256: this.#hash.digest("hex") };
  }

  #write(numbers: number): void {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, 4 * numbers);
    this.#hash.update(bytes);
    writeAll(this.#descriptor, bytes);
  }
}
