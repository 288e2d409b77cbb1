/**
 * A reader of TensorFlow checkpoints: `NAME.index` is a sorted table of the tensors, `NAME.data-0000i-of-0000n` holds
 * their bytes.
 *
 *     .index: blocks … | 48-byte footer (place of the index block, magic 0xdb4775248b80fb57)
 *     block:  entries … | restarts | number of restarts | compression 0 | crc32c
 *     entry:  shared, unshared, value length (varints) | last `unshared` bytes of the key | value
 *     value:  BundleEntryProto { dtype 1, shape 2 { dim 2 { size 1 } }, shard_id 3, offset 4, size 5, crc32c 6,
 *             slices 7 }
 *
 * A key begins with the first `shared` bytes of the previous key. The entries of the index block give the places of the
 * other blocks. The entry with the key "" is the header: number of data files, byte order.
 * Sources: LevelDB `doc/table_format.md`; tensorflow `core/protobuf/tensor_bundle.proto`, `core/util/tensor_bundle`,
 * `core/lib/hash/crc32c.h` (checksums are masked). Refused by name: partitioned variables, big-endian files, compressed
 * blocks.
 */
import { readFile, stat, type FileHandle } from "node:fs/promises";
import { FormatError, UnsupportedError } from "@cloze/errors";
import { tensorBytes, type SafetensorsDType } from "../../dtype.ts";
import { openFile } from "../open-file.ts";
import { onStorage } from "../storage-error.ts";
import type { TensorSet } from "./tensor-set.ts";

/** Our dtype for each number of TensorFlow's enum DataType. */
const dtypes: Readonly<Record<number, SafetensorsDType>> = {
  1: "F32",
  2: "F64",
  3: "I32",
  4: "U8",
  5: "I16",
  6: "I8",
  9: "I64",
  10: "BOOL",
  14: "BF16",
  17: "U16",
  19: "F16",
  22: "U32",
  23: "U64",
};

interface Entry {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  readonly crc: number | undefined;
}

/** Opens a checkpoint. `prefix` is its path without `.index`. */
export async function openTfCheckpoint(prefix: string): Promise<TensorSet> {
  const file = `${prefix}.index`;
  return onStorage(file, "read this checkpoint", async () => {
    const { entries, others, shards } = parseIndex(file, await readFile(file));
    const handles: { readonly path: string; readonly handle: FileHandle; readonly size: number }[] = [];
    const close = async (): Promise<void> => {
      for (const { handle } of handles) await handle.close();
    };
    try {
      const digits = (n: number): string => String(n).padStart(5, "0");
      for (let i = 0; i < shards; i++) {
        const path = `${prefix}.data-${digits(i)}-of-${digits(shards)}`;
        if ((await stat(path).catch(() => undefined)) === undefined)
          throw new FormatError(path, "", "expected this file beside the index, got none. Fetch it.");
        handles.push({ path, ...(await openFile(path)) });
      }
      return {
        source: file,
        entries,
        others,
        close,
        read: async (name) => {
          const entry = entries.get(name);
          const data = handles[entry?.shard ?? 0];
          if (entry === undefined || data === undefined)
            throw new FormatError(file, JSON.stringify(name), "expected this tensor, got none.");
          const bytes = new Uint8Array(entry.size);
          const { bytesRead } =
            entry.offset + entry.size > data.size
              ? { bytesRead: -1 }
              : await data.handle.read(bytes, 0, entry.size, entry.offset);
          if (bytesRead !== entry.size)
            throw new FormatError(
              data.path,
              `byte ${entry.offset}`,
              `expected ${entry.size} bytes of ${JSON.stringify(name)}, got the end of the file. It is cut off: ` +
                "fetch it again.",
            );
          if (entry.crc !== undefined && maskedCrc(bytes) !== entry.crc)
            throw new FormatError(
              data.path,
              JSON.stringify(name),
              "expected the bytes of its checksum, got others. The file is damaged: fetch it again.",
            );
          return bytes;
        },
      };
    } catch (error) {
      await close();
      throw error;
    }
  });
}

function parseIndex(
  file: string,
  bytes: Buffer,
): { readonly entries: ReadonlyMap<string, Entry>; readonly others: readonly string[]; readonly shards: number } {
  const fail = (expected: string): FormatError =>
    new FormatError(
      file,
      "",
      `expected ${expected}, got other bytes. Is it the .index of a TensorFlow checkpoint, and whole?`,
    );
  if (bytes.length < 48 || bytes.readBigUInt64LE(bytes.length - 8) !== 0xdb4775248b80fb57n)
    throw fail("a sorted table, which ends in its magic number");
  const footer = new Reader(bytes.subarray(bytes.length - 48), file);
  footer.varint(); // place of the filter block: there is none
  footer.varint();
  const index = block(file, bytes, footer.varint(), footer.varint());
  const entries = new Map<string, Entry>();
  const others: string[] = [];
  let shards = 0;
  for (const { value: where } of index) {
    const handle = new Reader(where, file);
    for (const { key, value } of block(file, bytes, handle.varint(), handle.varint())) {
      if (key === "") {
        const header = new Map(
          [...new Reader(value, file).fields()].map(({ number, value: field }) => [number, field]),
        );
        shards = Number(header.get(1) ?? 0);
        if (Number(header.get(2) ?? 0) !== 0)
          throw new UnsupportedError(
            `${file}: expected little-endian numbers, got big-endian ones. Convert it on the machine that wrote it.`,
          );
        continue;
      }
      const entry = parseEntry(file, key, value);
      if (entry === undefined) others.push(key);
      else entries.set(key, entry);
    }
  }
  if (shards < 1 || shards > 99_999 || [...entries.values()].some(({ shard }) => shard >= shards))
    throw fail("a header with the number of data files");
  return { entries, others, shards };
}

/** Parses a BundleEntryProto. Undefined for a tensor of text. */
function parseEntry(file: string, name: string, bytes: Buffer): Entry | undefined {
  let type = 0;
  let shard = 0;
  let offset = 0;
  let size = 0;
  let crc: number | undefined;
  const shape: number[] = [];
  for (const { number, value } of new Reader(bytes, file).fields()) {
    if (number === 1) type = Number(value);
    else if (number === 2 && typeof value !== "number") {
      for (const dim of new Reader(value, file).fields()) {
        if (dim.number !== 2 || typeof dim.value === "number") continue;
        shape.push(Number([...new Reader(dim.value, file).fields()].find((each) => each.number === 1)?.value ?? 0));
      }
    } else if (number === 3) shard = Number(value);
    else if (number === 4) offset = Number(value);
    else if (number === 5) size = Number(value);
    else if (number === 6) crc = Number(value);
    else if (number === 7)
      throw new UnsupportedError(
        `${file}, ${JSON.stringify(name)}: expected a whole variable, got one in slices. Save it without ` +
          "partitions: tf.compat.v1.train.Saver in a graph of one device.",
      );
  }
  const dtype = dtypes[type];
  if (dtype === undefined) {
    if (type === 7) return undefined;
    throw new UnsupportedError(
      `${file}, ${JSON.stringify(name)}: expected numbers of up to 64 bits, got TensorFlow's type ${type}. ` +
        "Remove the variable before saving.",
    );
  }
  if (tensorBytes(dtype, shape) !== size)
    throw new FormatError(
      file,
      JSON.stringify(name),
      `expected ${String(tensorBytes(dtype, shape))} bytes for ${dtype} [${shape.join(", ")}], got ${size}. The ` +
        "index is damaged: fetch it again.",
    );
  return { dtype, shape, shard, offset, size, crc };
}

/** Checks a block's checksum and reads its entries. */
function block(
  file: string,
  bytes: Buffer,
  offset: number,
  length: number,
): readonly { readonly key: string; readonly value: Buffer }[] {
  if (offset + length + 5 > bytes.length)
    throw new FormatError(
      file,
      `byte ${offset}`,
      `expected a block of ${length} bytes, got the end of the file. It is cut off: fetch it again.`,
    );
  const whole = bytes.subarray(offset, offset + length + 1);
  const compression = bytes[offset + length];
  if (compression !== 0)
    throw new UnsupportedError(
      `${file}: expected plain blocks, as TensorFlow writes them, got compression ${compression}. Save it again ` +
        "with tf.train.Checkpoint.",
    );
  if (maskedCrc(whole) !== bytes.readUInt32LE(offset + length + 1))
    throw new FormatError(
      file,
      `byte ${offset}`,
      "expected the bytes of the block's checksum, got others. The file is damaged: fetch it again.",
    );
  const restarts = length >= 4 ? bytes.readUInt32LE(offset + length - 4) : 0;
  const reader = new Reader(bytes.subarray(offset, offset + Math.max(0, length - 4 * (restarts + 1))), file);
  const entries: { readonly key: string; readonly value: Buffer }[] = [];
  let key: Buffer = Buffer.alloc(0);
  while (!reader.done) {
    const shared = reader.varint();
    const unshared = reader.varint();
    const size = reader.varint();
    key = Buffer.concat([key.subarray(0, shared), reader.take(unshared)]);
    entries.push({ key: key.toString("utf8"), value: reader.take(size) });
  }
  return entries;
}

/** A reader of varints and protocol buffer fields. It throws FormatError at the end of its bytes. */
class Reader {
  #at: number = 0;
  readonly #bytes: Buffer;
  readonly #file: string;

  constructor(bytes: Buffer, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.take(1)[0] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > BigInt(Number.MAX_SAFE_INTEGER)) break;
        return Number(value);
      }
    }
    throw new FormatError(
      this.#file,
      "",
      "expected a number below 2^53, got a larger one. The file is damaged: fetch it again.",
    );
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length)
      throw new FormatError(
        this.#file,
        "",
        `expected ${length} more bytes, got the end. The file is damaged: fetch it again.`,
      );
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  *fields(): Generator<{ readonly number: number; readonly value: number | Buffer }> {
    while (!this.done) {
      const tag = this.varint();
      const wire = tag & 7;
      const number = Math.floor(tag / 8);
      if (wire === 0) yield { number, value: this.varint() };
      else if (wire === 2) yield { number, value: this.take(this.varint()) };
      else if (wire === 5) yield { number, value: this.take(4).readUInt32LE(0) };
      else if (wire === 1) yield { number, value: this.take(8) };
      else
        throw new FormatError(
          this.#file,
          "",
          `expected a field of a protocol buffer, got wire type ${wire}. The file is damaged: fetch it again.`,
        );
    }
  }
}

/** CRC-32C (Castagnoli) of bytes, masked as TensorFlow stores it: rotated right by 15 bits, plus 0xa282ead8. */
export function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0;
}

const crcTable: Uint32Array = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});
