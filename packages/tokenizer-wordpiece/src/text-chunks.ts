/**
 * A reader of a text file in chunks of bytes. Chunks end between words, so each chunk can be counted alone. The first
 * two bytes of a file tell whether it is gzip.
 *
 * A chunk ends at ASCII white space, which in UTF-8 is never a part of another character. Where there is no white
 * space, the chunk grows up to LONGEST and is then cut between two characters. So memory is bounded for every file.
 */
import { FormatError } from "@cloze/errors";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip } from "node:zlib";

const CHUNK = 1 << 22;
const LONGEST = 1 << 26;

/** A text that is no file: its bytes, decompressed. A chunk may be overwritten after the next one. */
export interface TextStream {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** @param onRead called with the number of the file's bytes read so far (compressed bytes for gzip). */
export async function* textChunks(
  file: string | TextStream,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const bytes of typeof file === "string" ? bytesOf(file, onRead) : copied(file.chunks)) {
    parts.push(bytes);
    held += bytes.length;
    if (held < CHUNK) continue;
    const all = joined(parts, held);
    const cut = cutOf(all);
    if (cut === 0) {
      parts = [all];
      continue;
    }
    yield all.slice(0, cut);
    parts = [all.slice(cut)];
    held -= cut;
  }
  if (held > 0) yield joined(parts, held);
}

async function* copied(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) yield new Uint8Array(chunk);
}

async function* bytesOf(file: string, onRead: (bytes: number) => void): AsyncGenerator<Uint8Array, void, undefined> {
  const zipped = await isGzip(file);
  const source = createReadStream(file, { highWaterMark: 1 << 20 });
  if (!zipped) {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      onRead(source.bytesRead);
      yield chunk;
    }
    return;
  }
  const gunzip = createGunzip({ chunkSize: 1 << 20 });
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  let text = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      onRead(source.bytesRead);
      text += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(
      file,
      `after ${text} bytes of text`,
      `expected gzip data to its end, but ${said}. Check it with gzip -t, and download it again.`,
      { cause },
    );
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

async function isGzip(file: string): Promise<boolean> {
  const head = new Uint8Array(2);
  try {
    const handle = await open(file, "r");
    try {
      if ((await handle.stat()).isDirectory()) throw new Error("a folder");
      await handle.read(head, 0, 2, 0);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new FormatError(
      file,
      "",
      `expected a file of text, got ${cause instanceof Error ? cause.message : String(cause)}. Check the path.`,
      { cause },
    );
  }
  return head[0] === 0x1f && head[1] === 0x8b;
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The place of the cut: after the last white space. Without white space it is 0 (read on), or from LONGEST bytes on a
 * place between two characters.
 */
function cutOf(bytes: Uint8Array): number {
  for (let i = bytes.length; i > 0; i--) {
    const byte = bytes[i - 1] as number;
    if (byte === 32 || (byte >= 9 && byte <= 13)) return i;
  }
  if (bytes.length < LONGEST) return 0;
  let at = bytes.length;
  while (at > 0 && ((bytes[at - 1] as number) & 0xc0) === 0x80) at--;
  return Math.max(1, at - 1);
}
