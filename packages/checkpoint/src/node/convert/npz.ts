/**
 * A reader of NumPy archives (`numpy.savez`, `savez_compressed`): zip files with one .npy file per array.
 *
 *     zip:  end record at the end -> central directory -> for each file: method, sizes, offset (zip64 for large ones)
 *     .npy: 0x93 NUMPY, version, header length, a Python dict, the data
 *     dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}
 *
 * Sources: PKWARE APPNOTE 6.3.9; numpy/lib/format.py. Refused by name: Python objects (pickles), text, big-endian
 * numbers, encrypted files, methods other than stored and deflated.
 */
import { crc32, inflateRawSync } from "node:zlib";
import { FormatError, UnsupportedError } from "@cloze/errors";
import { tensorBytes, type SafetensorsDType } from "../../dtype.ts";
import { transposed } from "../../convert/cast.ts";
import { openFile } from "../open-file.ts";
import { onStorage } from "../storage-error.ts";
import type { TensorSet } from "./tensor-set.ts";

interface Member {
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

interface NpyArray {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly fortran: boolean;
  /** Offset of the array's data in the unpacked file. */
  readonly start: number;
}

const descriptors: Readonly<Record<string, SafetensorsDType>> = {
  "<f4": "F32",
  "<f2": "F16",
  "<f8": "F64",
  "<i8": "I64",
  "<i4": "I32",
  "<i2": "I16",
  "|i1": "I8",
  "<u8": "U64",
  "<u4": "U32",
  "<u2": "U16",
  "|u1": "U8",
  "|b1": "BOOL",
};

export async function openNpz(path: string): Promise<TensorSet> {
  return onStorage(path, "read this archive", async () => {
    const { handle, size } = await openFile(path);
    const at = async (offset: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length);
      const { bytesRead } =
        offset < 0 || offset + length > size ? { bytesRead: -1 } : await handle.read(bytes, 0, length, offset);
      if (bytesRead !== length)
        throw new FormatError(
          path,
          `byte ${offset}`,
          `expected ${length} bytes there, got the end of the file. The archive is cut off: fetch it again.`,
        );
      return bytes;
    };
    const unpack = async (name: string, { method, packed, size: whole, crc, offset }: Member): Promise<Buffer> => {
      const local = await at(offset, 30);
      const nameLength = local.readUInt16LE(26);
      // The name stands in the local header and in the directory. No checksum covers it, so the two are compared.
      if (local.readUInt32LE(0) !== 0x04034b50 || (await at(offset + 30, nameLength)).toString("utf8") !== name) {
        throw new FormatError(
          path,
          JSON.stringify(name),
          "expected a file of this name where the directory points, got other bytes. The archive is damaged: " +
            "fetch it again.",
        );
      }
      const bytes = await at(offset + 30 + nameLength + local.readUInt16LE(28), packed);
      if (method !== 0 && method !== 8)
        throw new UnsupportedError(
          `${path}, ${name}: expected a stored or deflated array, got compression method ${method}. Write it ` +
            "with numpy.savez.",
        );
      const plain = method === 0 ? bytes : inflated(path, name, bytes, whole);
      if (plain.length !== whole || crc32(plain) !== crc)
        throw new FormatError(
          path,
          JSON.stringify(name),
          `expected ${whole} bytes with the checksum ${crc.toString(16)}, got others. The archive is damaged: ` +
            "fetch it again.",
        );
      return plain;
    };
    try {
      const members = await directory(path, size, at);
      const entries = new Map<string, NpyArray>();
      const others: string[] = [];
      for (const [file, member] of members) {
        if (!file.endsWith(".npy")) {
          await unpack(file, member);
          others.push(file);
          continue;
        }
        // Unpacks the whole file to read its header, because the archive's checksum covers the whole file.
        entries.set(file.slice(0, -".npy".length), parseNpy(path, file, await unpack(file, member)));
      }
      return {
        source: path,
        entries,
        others,
        close: () => handle.close(),
        read: (name) =>
          onStorage(path, `read the array ${JSON.stringify(name)}`, async () => {
            const array = entries.get(name);
            const member = members.get(`${name}.npy`);
            if (array === undefined || member === undefined)
              throw new FormatError(path, JSON.stringify(name), "expected this array, got none.");
            const data = (await unpack(`${name}.npy`, member)).subarray(array.start);
            const { dtype, shape } = array;
            return array.fortran && shape.length === 2 ? transposed(dtype, [...shape].reverse(), data, name) : data;
          }),
      };
    } catch (error) {
      await handle.close();
      throw error;
    }
  });
}

function inflated(path: string, name: string, bytes: Buffer, whole: number): Buffer {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, whole) });
  } catch (cause) {
    throw new FormatError(
      path,
      JSON.stringify(name),
      "expected deflated bytes of the size the archive says, got others. The archive is damaged: fetch it again.",
      { cause },
    );
  }
}

/** Reads the archive's central directory: file name -> member. */
async function directory(
  path: string,
  size: number,
  at: (offset: number, length: number) => Promise<Buffer>,
): Promise<ReadonlyMap<string, Member>> {
  const fail = (what: string): FormatError =>
    new FormatError(path, "", `expected a zip archive of numpy, got ${what}. Is it an .npz?`);
  const tail = await at(Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0 || end + 22 > tail.length) throw fail("a file without a directory at its end");
  let count = tail.readUInt16LE(end + 10);
  let length = tail.readUInt32LE(end + 12);
  let offset = tail.readUInt32LE(end + 16);
  if (count === 0xffff || length === 0xffffffff || offset === 0xffffffff) {
    const locator = await at(size - tail.length + end - 20, 20);
    if (locator.readUInt32LE(0) !== 0x07064b50) throw fail("a large archive without its zip64 record");
    const record = await at(Number(locator.readBigUInt64LE(8)), 56);
    [count, length, offset] = [
      Number(record.readBigUInt64LE(32)),
      Number(record.readBigUInt64LE(40)),
      Number(record.readBigUInt64LE(48)),
    ];
  }
  const bytes = await at(offset, length);
  const members = new Map<string, Member>();
  for (let i = 0, p = 0; i < count; i++) {
    if (p + 46 > bytes.length || bytes.readUInt32LE(p) !== 0x02014b50) throw fail("a directory that ends early");
    const nameLength = bytes.readUInt16LE(p + 28);
    const extraLength = bytes.readUInt16LE(p + 30);
    const name = bytes.toString("utf8", p + 46, p + 46 + nameLength);
    const member = zip64(
      {
        method: bytes.readUInt16LE(p + 10),
        crc: bytes.readUInt32LE(p + 16),
        packed: bytes.readUInt32LE(p + 20),
        size: bytes.readUInt32LE(p + 24),
        offset: bytes.readUInt32LE(p + 42),
      },
      bytes.subarray(p + 46 + nameLength, p + 46 + nameLength + extraLength),
    );
    if (members.has(name)) throw fail(`the name ${JSON.stringify(name)} twice`);
    members.set(name, member);
    p += 46 + nameLength + extraLength + bytes.readUInt16LE(p + 32);
  }
  return members;
}

/** Replaces each value 2^32 - 1 with the true one from extra field 1. There the order is size, packed size, offset. */
function zip64(member: Member, extra: Buffer): Member {
  for (let p = 0; p + 4 <= extra.length; p += 4 + extra.readUInt16LE(p + 2)) {
    if (extra.readUInt16LE(p) !== 1) continue;
    let q = p + 4;
    const next = (value: number): number => {
      if (value !== 0xffffffff || q + 8 > extra.length) return value;
      q += 8;
      return Number(extra.readBigUInt64LE(q - 8));
    };
    const size = next(member.size);
    const packed = next(member.packed);
    const offset = next(member.offset);
    return { ...member, size, packed, offset };
  }
  return member;
}

function parseNpy(path: string, name: string, bytes: Buffer): NpyArray {
  const fail = (expected: string, got: string): FormatError =>
    new FormatError(path, JSON.stringify(name), `expected ${expected}, got ${got}. Write it again with numpy.savez.`);
  if (bytes.length < 12 || bytes.toString("latin1", 0, 6) !== "\x93NUMPY")
    throw fail("an array of numpy", "other bytes");
  const wide = (bytes[6] ?? 0) >= 2;
  const headerLength = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const start = (wide ? 12 : 10) + headerLength;
  const header = bytes.toString("latin1", wide ? 12 : 10, start);
  const descriptor = /'descr': *'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(header)?.[1];
  const sizes = /'shape': *\(([0-9, ]*)\)/.exec(header)?.[1];
  if (descriptor === undefined || order === undefined || sizes === undefined || start > bytes.length)
    throw fail("the header of an array of numbers", JSON.stringify(header.slice(0, 60)));
  const dtype = descriptors[descriptor];
  const shape = sizes
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "")
    .map(Number);
  const fortran = order === "True" && shape.length > 1;
  if (dtype === undefined)
    throw new UnsupportedError(
      `${path}, ${name}: expected little-endian numbers, got the type ` +
        `${JSON.stringify(descriptor)}${descriptor.includes("O") ? ", Python objects, which are pickles" : ""}. ` +
        `Convert it in Python: array.astype("<f4").`,
    );
  if (fortran && shape.length > 2)
    throw new UnsupportedError(
      `${path}, ${name}: expected an array in C order, got ${shape.length} dimensions in Fortran order. Write it ` +
        "with numpy.ascontiguousarray.",
    );
  if (tensorBytes(dtype, shape) !== bytes.length - start)
    throw fail(
      `${String(tensorBytes(dtype, shape))} bytes for ${dtype} [${shape.join(", ")}]`,
      String(bytes.length - start),
    );
  return { dtype, shape, fortran, start };
}
