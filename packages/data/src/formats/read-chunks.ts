/**
 * The text of a file as chunks of bytes, decompressed. gzip is recognised by its first two bytes, not by the file name.
 * A file of several gzip members (bgzip, `cat`) is read to its end. A gzip file that is cut off is an error.
 *
 * Inflating runs on libuv's threads while the consumer works on the previous chunk: about 260 MB/s of text with 1 MiB
 * chunks.
 */
import { FormatError } from "@cloze/errors";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { TransformOptions } from "node:stream";
import { createGunzip, type ZlibOptions } from "node:zlib";

const CHUNK = 1 << 20;
/** Buffers before and after the inflater, so that the inflater has work while the consumer is busy. */
const GUNZIP: ZlibOptions & TransformOptions = {
  chunkSize: CHUNK,
  readableHighWaterMark: 4 * CHUNK,
  writableHighWaterMark: CHUNK,
};

export interface ReadChunksOptions {
  /** Called with the number of file bytes read so far (compressed bytes, for gzip). */
  readonly onRead?: (bytes: number) => void;
}

/** The chunks of the file, decompressed. The next chunk may overwrite the bytes of this chunk. */
export async function* readChunks(
  file: string,
  options: ReadChunksOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await openFile(file);
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    let { bytesRead } = await handle.read(buffer, 0, CHUNK, 0);
    if (bytesRead < 2 || buffer[0] !== 0x1f || buffer[1] !== 0x8b) {
      for (let at = 0; bytesRead > 0;) {
        at += bytesRead;
        options.onRead?.(at);
        yield buffer.subarray(0, bytesRead);
        ({ bytesRead } = await handle.read(buffer, 0, CHUNK, at));
      }
      return;
    }
  } finally {
    await handle.close();
  }
  yield* inflate(file, options);
}

async function openFile(file: string): ReturnType<typeof open> {
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

async function* inflate(file: string, { onRead }: ReadChunksOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const source = createReadStream(file, { highWaterMark: CHUNK / 4 });
  const gunzip = createGunzip(GUNZIP);
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  let text = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      onRead?.(source.bytesRead);
      text += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    if (!isZlibError(cause)) throw cause;
    const cut = cause.code === "Z_BUF_ERROR";
    throw new FormatError(
      file,
      `after ${text} bytes of text`,
      cut
        ? "expected the end of the gzip data, got the end of the file: it is cut off. Download or copy it again, " +
            "and compare its size."
        : `expected gzip data, got damaged data (${cause.message}). Check it with gzip -t, and download it again.`,
      { cause },
    );
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

function isZlibError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_");
}
