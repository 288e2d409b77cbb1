/**
 * The cluster of each record: a join of a table of (cluster, member) with the ids in the records' headers. The join
 * goes through files, so that memory does not grow with the data.
 *
 *   members and ids are hashed (64 bits) -> 256 buckets by hash -> each bucket is joined in memory
 *     -> the clusters' hashes, in the order of the records
 *
 * The hash of a cluster's name stands for the cluster. A record that the table does not name is a cluster of its own. A
 * member with two clusters is an error: the table is of another level, or its columns are in the wrong order.
 *
 * Price: temporary files of 24 bytes for each row of the table and 12 bytes for each record. Memory is a 256th of that.
 */
import { FormatError } from "@cloze/errors";
import { BucketFiles } from "./bucket-files.ts";
import { contentHash, type ContentHash } from "./content-hash.ts";

const BUCKETS = 256;
/** The number of records that `join` puts in order at once. */
const RUN = 1 << 20;

export class ClusterMap {
  readonly #table: BucketFiles;
  readonly #clusters: BucketFiles;
  readonly #ids: BucketFiles;
  readonly #folder: string;
  readonly #utf8 = new TextEncoder();
  #rows = 0;
  #records = 0;

  /** `folder` holds the temporary files. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#table = new BucketFiles(folder, "members", BUCKETS);
    this.#clusters = new BucketFiles(folder, "clusters", BUCKETS);
    this.#ids = new BucketFiles(folder, "ids", BUCKETS);
  }

  addRow(cluster: string, member: string): void {
    const m = this.#hash(member);
    const c = this.#hash(cluster);
    const bucket = m.high >>> 24;
    this.#table.add(bucket, m.high, m.low, this.#rows++ % 2 ** 32);
    this.#clusters.add(bucket, c.high, c.low, 0);
  }

  /** Adds the next record. The id is the first word of the record's header. */
  addRecord(id: string): void {
    const { high, low } = this.#hash(id);
    this.#ids.add(high >>> 24, high, low, this.#records++);
  }

  /**
   * The hash of each record's cluster, in the order of the records. Each array holds a run of records, with the words
   * (high, low) for each record.
   */
  *join(table: string, report: ClusterReport): Generator<Uint32Array, void, undefined> {
    const runs = new BucketFiles(this.#folder, "runs", Math.ceil(this.#records / RUN));
    try {
      for (let bucket = 0; bucket < BUCKETS; bucket++) this.#joinBucket(bucket, runs, table, report);
      for (let run = 0; run < runs.count; run++) {
        const clusters = new Uint32Array(2 * Math.min(RUN, this.#records - run * RUN));
        const found = runs.take(run);
        for (let at = 0; at < found.length; at += 3) {
          const place = (found[at] as number) - run * RUN;
          clusters[2 * place] = found[at + 1] as number;
          clusters[2 * place + 1] = found[at + 2] as number;
        }
        yield clusters;
      }
    } finally {
      runs.close();
    }
  }

  close(): void {
    for (const files of [this.#table, this.#clusters, this.#ids]) files.close();
  }

  #joinBucket(bucket: number, runs: BucketFiles, table: string, report: ClusterReport): void {
    const members = this.#table.take(bucket);
    const clusters = this.#clusters.take(bucket);
    const ids = this.#ids.take(bucket);
    let size = 16;
    while (size < (2 * members.length) / 3) size *= 2;
    const slots = new Uint32Array(size); // a place in `members` plus one; 0 is an empty slot
    const slotOf = (high: number, low: number): number => {
      let slot = low & (size - 1);
      for (
        let at = slots[slot] as number;
        at !== 0 && (members[at - 1] !== high || members[at] !== low);
        at = slots[slot] as number
      )
        slot = (slot + 1) & (size - 1);
      return slot;
    };
    for (let at = 0; at < members.length; at += 3) {
      const slot = slotOf(members[at] as number, members[at + 1] as number);
      const known = slots[slot] as number;
      if (known === 0) slots[slot] = at + 1;
      else if (clusters[known - 1] !== clusters[at] || clusters[known] !== clusters[at + 1]) {
        throw new FormatError(
          table,
          `rows ${(members[known + 1] as number) + 1} and ${(members[at + 2] as number) + 1}`,
          "expected a member to be of one cluster, got two. Are the columns the right way round, cluster first?",
        );
      }
    }
    for (let at = 0; at < ids.length; at += 3) {
      const high = ids[at] as number;
      const low = ids[at + 1] as number;
      const record = ids[at + 2] as number;
      const known = slots[slotOf(high, low)] as number;
      if (known === 0) report.unmapped++;
      runs.add(
        Math.floor(record / RUN),
        record,
        known === 0 ? high : (clusters[known - 1] as number),
        known === 0 ? low : (clusters[known] as number),
      );
    }
  }

  #hash(text: string): ContentHash {
    const bytes = this.#utf8.encode(text);
    return contentHash(bytes, 0, 0, bytes.length, false);
  }
}

export interface ClusterReport {
  /** Records that the table does not name. */
  unmapped: number;
}
