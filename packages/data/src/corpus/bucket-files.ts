/**
 * Records of three 32-bit words in temporary files, one file for each bucket. Records that are too large to sort at
 * once are sorted bucket by bucket.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const ROOM = 3 * (1 << 12);

export class BucketFiles {
  readonly #paths: readonly string[];
  readonly #buffers = new Map<number, Uint32Array>();
  readonly #used: Uint32Array;

  constructor(folder: string, prefix: string, count: number) {
    this.#paths = Array.from({ length: count }, (_, i) => join(folder, `${prefix}-${i}.tmp`));
    this.#used = new Uint32Array(count);
    for (const path of this.#paths) rmSync(path, { force: true });
  }

  get count(): number {
    return this.#paths.length;
  }

  add(bucket: number, a: number, b: number, c: number): void {
    const buffer = this.#buffers.get(bucket) ?? new Uint32Array(ROOM);
    this.#buffers.set(bucket, buffer);
    let at = this.#used[bucket] as number;
    if (at === ROOM) {
      this.#write(bucket, buffer);
      at = 0;
    }
    buffer[at] = a;
    buffer[at + 1] = b;
    buffer[at + 2] = c;
    this.#used[bucket] = at + 3;
  }

  /** Returns the records of a bucket in the order of the `add` calls, and removes the bucket's file. */
  take(bucket: number): Uint32Array {
    const buffer = this.#buffers.get(bucket);
    const path = this.#paths[bucket] as string;
    if (buffer === undefined) return new Uint32Array();
    this.#write(bucket, buffer.subarray(0, this.#used[bucket]));
    this.#buffers.delete(bucket);
    const bytes = readFileSync(path);
    const records = new Uint32Array(bytes.length / 4);
    new Uint8Array(records.buffer).set(bytes);
    rmSync(path);
    return records;
  }

  close(): void {
    for (const path of this.#paths) rmSync(path, { force: true });
  }

  #write(bucket: number, words: Uint32Array): void {
    const descriptor = openSync(this.#paths[bucket] as string, "a");
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    closeSync(descriptor);
  }
}
