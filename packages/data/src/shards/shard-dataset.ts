/**
 * A split of token shards as a data set. Examples are read from the files on demand.
 *
 * In memory: four bytes an example for lengths (with clusters eight, and four a cluster), and a cache of blocks. An
 * example in a cached block costs no system call. Reading is synchronous: to copy a page that the system holds is
 * faster than to resolve a promise.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset, DatasetHandle, Tokens } from "../rows/dataset.ts";
import { readShardIndex } from "./read-shard-index.ts";
import { HEADER_BYTES, checkShardHeader } from "./shard-header.ts";
import { clusterOrder, type Clusters } from "../rows/cluster-order.ts";
import type { ShardClusters, ShardEntry, ShardIndex, TokenDtype } from "./shard-index.ts";
import type { Order } from "../rows/shuffle.ts";

export interface OpenShardsOptions {
  /** Default "train". */
  readonly split?: string;
  /**
   * "checksums" (default) reads every file once and compares its SHA-256, about 1 s per GB. "sizes" compares only
   * headers, sizes and the checksums of the lengths.
   */
  readonly verify?: "checksums" | "sizes";
  /** If given, shards of another tokenizer are an error. */
  readonly tokenizer?: { readonly name: string; readonly hash: string };
}

/** The place of every STRIDE-th example is stored. The places between are sums of lengths. */
const STRIDE = 64;
const BLOCK_BYTES = 1 << 16;
const BLOCKS_KEPT = 256;
const FILES_KEPT = 64;
const BYTES_PER_TOKEN: Readonly<Record<TokenDtype, number>> = { uint8: 1, uint16: 2, uint32: 4 };

interface Shard {
  readonly path: string;
  readonly bytes: number;
  readonly firstExample: number;
}

export async function openShards(path: string, options: OpenShardsOptions = {}): Promise<ShardDataset> {
  const { index, folder } = await readShardIndex(path);
  const name = options.split ?? "train";
  const split = index.splits[name];
  if (split === undefined)
    throw new ConfigError(
      `openShards: expected one of the splits ${Object.keys(index.splits).join(", ")} of ${path}, got "${name}".`,
    );
  const { tokenizer } = options;
  if (tokenizer !== undefined && tokenizer.hash !== index.tokenizer.hash) {
    throw new ConfigError(
      `openShards: expected shards of the tokenizer ${tokenizer.name} (${tokenizer.hash.slice(0, 12)}), got ` +
        `${index.tokenizer.name} (${index.tokenizer.hash.slice(0, 12)}) in ${path}. Use that tokenizer, or prepare ` +
        "the shards again.",
    );
  }
  const lengths = new Uint32Array(split.shards.reduce((n, shard) => n + shard.documents, 0));
  const width = BYTES_PER_TOKEN[index.dtype];
  const shards: Shard[] = [];
  let firstExample = 0;
  for (const entry of split.shards) {
    const shardPath = join(folder, entry.file);
    await verifyShard(shardPath, entry, width, options.verify ?? "checksums");
    lengths.set(await readLengths(join(folder, entry.lengths.file), entry), firstExample);
    shards.push({ path: shardPath, bytes: HEADER_BYTES + entry.tokens * width, firstExample });
    firstExample += entry.documents;
  }
  const clusters =
    split.clusters === undefined ? undefined : await readClusters(folder, split.clusters, lengths.length);
  return new ShardDataset(index, { kind: "shards", index: path, split: name }, shards, lengths, clusters);
}

async function verifyShard(
  path: string,
  entry: ShardEntry,
  width: number,
  verify: "checksums" | "sizes",
): Promise<void> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new FormatError(
      path,
      "",
      `expected a shard that the index lists, got ${cause instanceof Error ? cause.message : String(cause)}. ` +
        "Copy the missing file, or prepare the shards again.",
      { cause },
    );
  });
  try {
    const header = new Uint8Array(HEADER_BYTES);
    const { bytesRead } = await handle.read(header, 0, HEADER_BYTES, 0);
    checkShardHeader(path, header.subarray(0, bytesRead), entry.tokens);
    const { size } = await handle.stat();
    const expected = HEADER_BYTES + entry.tokens * width;
    if (size !== expected)
      throw new FormatError(
        path,
        "",
        `expected ${expected} bytes, got ${size}. Copy the file again, or prepare the shards again.`,
      );
    if (verify === "sizes") return;
    const hash = createHash("sha256");
    const buffer = new Uint8Array(1 << 20);
    for (let at = HEADER_BYTES; at < size;) {
      const { bytesRead: read } = await handle.read(buffer, 0, buffer.length, at);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      at += read;
    }
    checkSum(path, entry.sha256, hash.digest("hex"));
  } finally {
    await handle.close();
  }
}

async function readClusters(
  folder: string,
  { count, ends, members }: ShardClusters,
  documents: number,
): Promise<Clusters> {
  const read = async ({ file, sha256 }: ShardClusters["ends"], size: number): Promise<Uint32Array> => {
    const path = join(folder, file);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new FormatError(
        path,
        "",
        `expected the clusters of the shards, got ${cause instanceof Error ? cause.message : String(cause)}. ` +
          "Copy the missing file, or prepare the shards again.",
        { cause },
      );
    });
    if (bytes.length !== 4 * size)
      throw new FormatError(
        path,
        "",
        `expected ${4 * size} bytes, got ${bytes.length}. Copy the file again, or prepare the shards again.`,
      );
    checkSum(path, sha256, createHash("sha256").update(bytes).digest("hex"));
    const numbers = new Uint32Array(size);
    new Uint8Array(numbers.buffer).set(bytes);
    return numbers;
  };
  return { ends: await read(ends, count), members: await read(members, documents) };
}

async function readLengths(path: string, entry: ShardEntry): Promise<Uint32Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new FormatError(
      path,
      "",
      `expected the lengths of ${entry.file}, got ${cause instanceof Error ? cause.message : String(cause)}. ` +
        "Copy the missing file, or prepare the shards again.",
      { cause },
    );
  });
  if (bytes.length !== 4 * entry.documents)
    throw new FormatError(
      path,
      "",
      `expected ${4 * entry.documents} bytes for ${entry.documents} documents, got ${bytes.length}. Copy the ` +
        "file again, or prepare the shards again.",
    );
  checkSum(path, entry.lengths.sha256, createHash("sha256").update(bytes).digest("hex"));
  const lengths = new Uint32Array(entry.documents);
  new Uint8Array(lengths.buffer).set(bytes);
  const sum = lengths.reduce((n, length) => n + length, 0);
  if (sum !== entry.tokens)
    throw new FormatError(
      path,
      "",
      `expected lengths with the sum ${entry.tokens}, got ${sum}. Prepare the shards again.`,
    );
  return lengths;
}

export function checkSum(path: string, expected: string, got: string): void {
  if (got !== expected)
    throw new FormatError(
      path,
      "",
      `expected the SHA-256 ${expected}, got ${got}: the file has changed since it was written. Copy it again, ` +
        "or prepare the shards again.",
    );
}

export class ShardDataset implements Dataset {
  readonly size: number;
  readonly index: ShardIndex;
  readonly handle: DatasetHandle;
  /**
   * For shards with clusters: the number of clusters, and the order of an epoch, which shows one example of each
   * cluster.
   */
  readonly places?: number;
  readonly orderOf?: (key: { readonly seed: number; readonly epoch: number }) => Order;
  readonly #shards: readonly Shard[];
  /** Stored lengths, with start and end tokens. */
  readonly #lengths: Uint32Array;
  /** The first byte of every STRIDE-th example in its shard's file. */
  readonly #places: Float64Array;
  readonly #before: number;
  readonly #frame: number;
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #files = new Map<string, number>();

  constructor(
    index: ShardIndex,
    handle: DatasetHandle,
    shards: readonly Shard[],
    lengths: Uint32Array,
    clusters?: Clusters,
  ) {
    this.size = lengths.length;
    if (clusters !== undefined) {
      this.places = clusters.ends.length;
      this.orderOf = (key) => clusterOrder(clusters, key);
    }
    this.index = index;
    this.handle = handle;
    this.#shards = shards;
    this.#lengths = lengths;
    this.#before = index.special.start === null ? 0 : 1;
    this.#frame = this.#before + (index.special.end === null ? 0 : 1);
    this.#places = new Float64Array(Math.ceil(lengths.length / STRIDE));
    const width = BYTES_PER_TOKEN[index.dtype];
    let place = HEADER_BYTES;
    let next = 0;
    for (let i = 0; i < lengths.length; i++) {
      while (shards[next]?.firstExample === i) {
        place = HEADER_BYTES;
        next++;
      }
      if (i % STRIDE === 0) this.#places[i / STRIDE] = place;
      place += (lengths[i] as number) * width;
    }
  }

  lengthOf(example: number): number {
    return (this.#lengths[example] as number) - this.#frame;
  }

  read(example: number): Tokens {
    return this.slice(example, 0, this.lengthOf(example));
  }

  /** The tokens [from, until) of an example. Reads only their bytes, or the block that holds them. */
  slice(example: number, from: number, until: number): Tokens {
    if (!Number.isInteger(example) || example < 0 || example >= this.size)
      throw new ConfigError(`read: expected an example from 0 to ${this.size - 1}, got ${example}.`);
    const shard = this.#shardOf(example);
    const width = BYTES_PER_TOKEN[this.index.dtype];
    // Sum the lengths from the last stored place, or from the beginning of the shard if the shard begins later.
    const stored = example - (example % STRIDE);
    const first = Math.max(stored, shard.firstExample);
    let place = first === stored ? (this.#places[stored / STRIDE] as number) : HEADER_BYTES;
    for (let i = first; i < example; i++) place += (this.#lengths[i] as number) * width;
    const bytes = this.#bytes(shard, place + (this.#before + from) * width, (until - from) * width);
    return viewAs(this.index.dtype, bytes);
  }

  /** Closes the files. The next read opens the file again. */
  close(): void {
    for (const descriptor of this.#files.values()) closeSync(descriptor);
    this.#files.clear();
    this.#blocks.clear();
  }

  #shardOf(example: number): Shard {
    let low = 0;
    let high = this.#shards.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#shards[middle] as Shard).firstExample <= example) low = middle;
      else high = middle;
    }
    return this.#shards[low] as Shard;
  }

  #bytes(shard: Shard, from: number, count: number): Uint8Array {
    const block = Math.floor(from / BLOCK_BYTES);
    const offset = from - block * BLOCK_BYTES;
    if (offset + count <= BLOCK_BYTES) return this.#block(shard, block).subarray(offset, offset + count);
    const bytes = new Uint8Array(count);
    this.#readInto(shard, bytes, from);
    return bytes;
  }

  #block(shard: Shard, block: number): Uint8Array {
    const key = `${shard.path}:${block}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const from = block * BLOCK_BYTES;
    const bytes = new Uint8Array(Math.min(BLOCK_BYTES, shard.bytes - from));
    this.#readInto(shard, bytes, from);
    evictOldest(this.#blocks, BLOCKS_KEPT);
    this.#blocks.set(key, bytes);
    return bytes;
  }

  #readInto(shard: Shard, bytes: Uint8Array, from: number): void {
    let descriptor = this.#files.get(shard.path);
    if (descriptor === undefined) {
      const oldest = evictOldest(this.#files, FILES_KEPT);
      if (oldest !== undefined) closeSync(oldest);
      descriptor = openSync(shard.path, "r");
      this.#files.set(shard.path, descriptor);
    }
    for (let at = 0; at < bytes.length;) {
      const read = readSync(descriptor, bytes, at, bytes.length - at, from + at);
      if (read === 0)
        throw new FormatError(
          shard.path,
          `byte ${from + at}`,
          `expected ${shard.bytes} bytes, got the end of the file: it was cut while in use. Prepare the shards again.`,
        );
      at += read;
    }
  }
}

function evictOldest<Value>(cache: Map<string, Value>, kept: number): Value | undefined {
  if (cache.size < kept) return undefined;
  const [key, value] = cache.entries().next().value as [string, Value];
  cache.delete(key);
  return value;
}

function viewAs(dtype: TokenDtype, bytes: Uint8Array): Tokens {
  if (dtype === "uint8") return bytes;
  return dtype === "uint16"
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
    : new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
