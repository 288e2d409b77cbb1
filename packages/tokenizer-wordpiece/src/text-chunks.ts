/**
 * A reader of a text file in chunks of bytes. Chunks end between words, so each chunk can be counted alone. The first
 * two bytes of a file tell whether it is gzip.
 *
 * A chunk ends at ASCII white space, which in UTF-8 is never a part of another character. Where there is no white
 * space, the chunk grows up to LONGEST and is then cut between two characters. So memory is bounded for every file.
 */
import { FormatError } from "@cloze/errors";
import { createReadStream, statSync, type ReadStream } from "node:fs";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

const CHUNK = 1 << 22;
const LONGEST = 1 << 26;

/** A text that the caller reads: a pipe, or a file of which the caller knows more. */
export interface TextStream {
  readonly name: string;
  /** Size, in the unit of `onRead`; 0 if it is not known. */
  readonly bytes: number;
  /** The text's bytes, decompressed. A chunk may be overwritten after the next one. */
  chunks(onRead: (bytes: number) => void): AsyncIterable<Uint8Array>;
}

/** @param onRead called with the number of the file's bytes read so far (compressed bytes for gzip). */
export async function* textChunks(
  file: string | TextStream,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const bytes of typeof file === "string" ? bytesOf(file, onRead) : copied(file.chunks(onRead))) {
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
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new FormatError(file, "", "expected a file of text, got a folder. Name the files in it.");
  const source = createReadStream(file, { highWaterMark: 1 << 20 });
  try {
    const chunks = fromStart(file, source);
    const first = await chunks.next();
    if (first.done === true) return;
    const all = (async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield first.value;
      yield* chunks;
    })();
    const isGzip = first.value[0] === 0x1f && first.value[1] === 0x8b;
    for await (const chunk of isGzip ? inflated(file, all) : all) {
      onRead(source.bytesRead);
      yield chunk;
    }
  } finally {
    source.destroy();
  }
}

/** The chunks of a file, or of a pipe, which is opened once. The first has two bytes or more, if there are as many. */
async function* fromStart(file: string, source: ReadStream): AsyncGenerator<Uint8Array, void, undefined> {
  let head: Uint8Array = new Uint8Array();
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      head = head.length === 0 ? chunk : joined([head, chunk], head.length + chunk.length);
      if (head.length < 2) continue;
      yield head;
      head = new Uint8Array();
    }
  } catch (cause) {
    throw new FormatError(
      file,
      "",
      `expected a file of text, got ${cause instanceof Error ? cause.message : String(cause)}. Check the path.`,
      { cause },
    );
  }
  if (head.length > 0) yield head;
}

async function* inflated(file: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: 1 << 20 });
  const source = Readable.from(bytes);
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  let text = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      text += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    if (FormatError.isInstance(cause)) throw cause;
    const said = cause instanceof Error ? cause.message : String(cause);
    // zlib forgets the text before bytes that are no header, so their place is not known.
    const isCut = cause instanceof Error && "code" in cause && cause.code === "Z_BUF_ERROR";
    throw new FormatError(
      file,
      isCut ? `after ${text} bytes of text` : "",
      `expected gzip data ${isCut ? "to its end" : "and nothing after it"}, but ${said}. Check it with gzip -t, and ` +
        "download it again.",
      { cause },
    );
  } finally {
    source.destroy();
    gunzip.destroy();
  }
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
