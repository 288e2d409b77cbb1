/**
 * A reader and a writer of one safetensors file on disk, tensor by tensor.
 *
 * Memory: the header, and one tensor at a time where the caller reads or passes one tensor at a time.
 */
import type { FileHandle } from "node:fs/promises";
import { constants } from "node:buffer";
import { FormatError, UnsupportedError } from "@cloze/errors";
import type { TensorEntry } from "../dtype.ts";
import { checkData, layoutSafetensors, type EncodeOptions, type TensorBytes, type TensorSpec } from "../encode.ts";
import { entryOf, parseHeader, readHeaderLength } from "../header.ts";
import { writeFileAtomic } from "./atomic.ts";
import { openFile } from "./open-file.ts";
import { onStorage } from "./storage-error.ts";

export interface SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The tensors by name, in the order of their bytes in the file. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Reads the bytes of one tensor into new memory. */
  read(name: string): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/**
 * A tensor to write. Where `data` is a function, the writer calls it once, just before it writes the tensor, and does
 * not keep the result.
 */
export interface TensorSource extends TensorSpec {
  readonly data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

/**
 * Opens a file and checks its header. Only `read` reads the bytes of tensors. Throws: FormatError, StorageError.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return onStorage(path, "read this file", async () => {
    const { handle, size } = await openFile(path);
    try {
      const source = { file: path, fileSize: size };
      const start = await readRange(handle, path, 0, Math.min(8, size));
      const length = readHeaderLength(start, source); // bounded by the file's size before the next line allocates
      const { metadata, entries } = parseHeader(await readRange(handle, path, 0, 8 + length), source);
      return {
        path,
        metadata,
        entries,
        read: (name) => {
          return onStorage(path, `read the tensor ${JSON.stringify(name)}`, async () => {
            const entry = entryOf(entries, name, path);
            return readRange(handle, path, entry.byteOffset, entry.byteLength);
          });
        },
        close: () => handle.close(),
      };
    } catch (error) {
      await handle.close();
      throw error;
    }
  });
}

/** Reads a whole file into memory: its tensors by name. For large files use `openSafetensors`. */
export async function readSafetensors(path: string): Promise<{
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorBytes>;
}> {
  const file = await openSafetensors(path);
  try {
    const tensors = new Map<string, TensorBytes>();
    for (const [name, { dtype, shape }] of file.entries)
      tensors.set(name, { name, dtype, shape, data: await file.read(name) });
    return { metadata: file.metadata, tensors };
  } finally {
    await file.close();
  }
}

/**
 * Writes a file atomically. The same tensors give the same bytes, in whatever order the caller passes them.
 *
 * The header comes first, so the writer reads the whole list of tensors before it writes the first byte. Where all
 * tensors together do not fit into memory, pass `data` as functions.
 * Throws: ConfigError for a tensor that cannot be written, StorageError. After an error `path` is unchanged.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorSource> | AsyncIterable<TensorSource>,
  options: EncodeOptions = {},
): Promise<void> {
  const specs: TensorSource[] = [];
  for await (const tensor of tensors) specs.push(tensor);
  const layout = layoutSafetensors(specs, options);
  for (const { spec } of layout.tensors) if (typeof spec.data !== "function") checkData(spec, spec.data);
  await writeFileAtomic(path, async (handle) => {
    await writeAll(handle, layout.header);
    for (const { spec } of layout.tensors) {
      const data = typeof spec.data === "function" ? await spec.data() : spec.data;
      checkData(spec, data);
      await writeAll(handle, data);
    }
  });
}

/** Bytes for one read or write. One call of the operating system moves less than 2^31 bytes. */
const maxChunk = 1 << 30;

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(maxChunk, bytes.length - at));
    at += bytesWritten;
  }
}

async function readRange(
  handle: FileHandle,
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (length > constants.MAX_LENGTH)
    throw new UnsupportedError(
      `${path}: expected a tensor of at most ${constants.MAX_LENGTH} bytes, got ${length}. Split the tensor, or ` +
        "use a newer Node.",
    );
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(maxChunk, length - at), offset + at);
    if (bytesRead === 0)
      throw new FormatError(
        path,
        `byte ${offset + at}`,
        `expected ${length - at} more bytes, got the end of the file: it was cut off while open. Write it again.`,
      );
    at += bytesRead;
  }
  return bytes;
}
