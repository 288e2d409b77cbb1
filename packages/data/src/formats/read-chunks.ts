/**
 * The text of a file as chunks of bytes, decompressed. gzip is recognised by its first two bytes, not by the file name.
 * A file of several gzip members (bgzip, `cat`) is read to its end. A gzip file that is cut off is an error, and so is
 * anything but zeros after the gzip data.
 *
 * A file is opened once and read from its beginning to its end, so that a FIFO or `/dev/fd/63` is read like any file.
 */
import { FormatError } from "@cloze/errors";
import { open, type FileHandle } from "node:fs/promises";
import { gunzipped, isGzipMagic, type GunzipOptions } from "./gunzip.ts";
import type { Pipe } from "./pipe.ts";

const CHUNK = 1 << 20;

export interface ReadChunksOptions {
  /** Called with the number of file bytes read so far (compressed bytes, for gzip). */
  readonly onRead?: (bytes: number) => void;
}

/** The chunks of the file or pipe, decompressed. The next chunk may overwrite the bytes of this chunk. */
export async function* readChunks(
  from: string | Pipe,
  options: ReadChunksOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof from !== "string") {
    yield* from.read(options);
    return;
  }
  const handle = await openFile(from);
  try {
    const isFile = (await handle.stat()).isFile();
    yield* decompressed(chunksOf(handle), { ...options, file: from, again: isFile ? () => bytesOf(from) : undefined });
  } finally {
    await handle.close();
  }
}

/** The bytes of a file or pipe as they are. The next chunk overwrites this chunk. */
export async function* bytesOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await openFile(path);
  try {
    yield* chunksOf(handle);
  } finally {
    await handle.close();
  }
}

/** The chunks of plain text or gzip, decompressed. */
export async function* decompressed(
  bytes: AsyncIterable<Uint8Array>,
  { onRead, ...options }: GunzipOptions & ReadChunksOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = bytes[Symbol.asyncIterator]();
  let read = 0;
  const next = async (): Promise<Uint8Array | undefined> => {
    const { value, done } = await source.next();
    if (done === true) return undefined;
    onRead?.((read += value.length));
    return value;
  };
  try {
    // A pipe may give a single byte at first.
    let first = await next();
    while (first !== undefined && first.length < 2) {
      const head = Buffer.from(first);
      const more = await next();
      if (more === undefined) {
        first = head;
        break;
      }
      first = Buffer.concat([head, more]);
    }
    const all = (async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for (let chunk = first; chunk !== undefined; chunk = await next()) yield chunk;
    })();
    yield* first !== undefined && isGzipMagic(first) ? gunzipped(all, options) : all;
  } finally {
    await source.return?.();
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (;;) {
    // Without a place: a pipe has none, and a file goes on where it is.
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file, "r");
    if (!(await handle.stat()).isDirectory()) return handle;
    await handle.close();
  } catch (cause) {
    throw new FormatError(
      file,
      "",
      `expected a file to read, got ${cause instanceof Error ? cause.message : String(cause)}. Check the path.`,
      { cause },
    );
  }
  throw new FormatError(file, "", "expected a file, got a folder. Name the files in it.");
}
