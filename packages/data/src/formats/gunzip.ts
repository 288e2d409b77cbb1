/**
 * gzip as a stream: the text of all members, with zeros between them and after them (padding) skipped, as Python's gzip
 * module does. Anything else after a member is an error that names its place.
 *
 * Inflating runs on libuv's threads while the consumer works on the previous chunk: about 260 MB/s of text with 1 MiB
 * chunks. zlib's stream joins members, so a file of many small ones (bgzip) costs no more.
 */
import { FormatError } from "@cloze/errors";
import { Readable, type TransformOptions } from "node:stream";
import { createGunzip, type Gunzip, type ZlibOptions } from "node:zlib";

const CHUNK = 1 << 20;
/** Buffers before and after the inflater, so that the inflater has work while the consumer is busy. */
const OPTIONS: ZlibOptions & TransformOptions = {
  chunkSize: CHUNK,
  readableHighWaterMark: 4 * CHUNK,
  writableHighWaterMark: CHUNK,
};

export interface GunzipOptions {
  /** Name for error messages. */
  readonly file: string;
  /** The same bytes from the beginning, to find the place of a mistake; undefined for a pipe. */
  readonly again: (() => AsyncIterable<Uint8Array>) | undefined;
}

export const isGzipMagic = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** The text of gzip data. A chunk of `bytes` is copied, so that it may be overwritten after the next one. */
export async function* gunzipped(
  bytes: AsyncIterable<Uint8Array>,
  { file, again }: GunzipOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = new Input(bytes);
  let text = 0;
  try {
    do {
      const member = new Member(input);
      try {
        for await (const chunk of member.gunzip as AsyncIterable<Uint8Array>) {
          text += chunk.length;
          yield chunk;
        }
        await member.fed; // it may hold a chunk that comes late
        input.back(member.taken);
      } catch (cause) {
        if (!isZlibError(cause)) throw cause;
        throw await explained(cause, { file, text, again, safe: member.taken, size: input.at });
      } finally {
        member.close();
      }
      await input.skipZeros();
      const rest = await input.peek();
      if (rest !== undefined && rest[0] !== 0x1f) throw trailing(file, input.at, text, rest);
    } while ((await input.peek()) !== undefined);
  } finally {
    await input.close();
  }
}

/** Bytes that can be given back, with their place in the file. */
class Input {
  /** The place of the next byte. */
  at = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  #waiting: Uint8Array[] = [];
  /** The chunks that were taken last, for `back`. */
  #taken: Uint8Array[] = [];

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#source = bytes[Symbol.asyncIterator]();
  }

  async peek(): Promise<Uint8Array | undefined> {
    while (this.#waiting.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      if (next.value.length > 0) this.#waiting.push(new Uint8Array(next.value));
    }
    return this.#waiting[0];
  }

  async take(): Promise<Uint8Array | undefined> {
    const chunk = await this.peek();
    if (chunk === undefined) return undefined;
    this.#waiting.shift();
    this.at += chunk.length;
    this.#taken.push(chunk);
    return chunk;
  }

  /** Forgets chunks before the place `at`. */
  forget(at: number): void {
    let from = this.#taken.reduce((place, { length }) => place - length, this.at);
    while (this.#taken.length > 1 && from + (this.#taken[0] as Uint8Array).length <= at)
      from += (this.#taken.shift() as Uint8Array).length;
  }

  /** Gives back what was taken from the place `at` on. */
  back(at: number): void {
    for (let chunk = this.#taken.pop(); chunk !== undefined && this.at > at; chunk = this.#taken.pop()) {
      const rest = chunk.subarray(Math.max(0, chunk.length - (this.at - at)));
      if (rest.length > 0) this.#waiting.unshift(rest);
      this.at -= rest.length;
    }
    this.#taken = [];
  }

  async skipZeros(): Promise<void> {
    for (let chunk = await this.peek(); chunk !== undefined; chunk = await this.peek()) {
      const zeros = chunk.findIndex((byte) => byte !== 0);
      const count = zeros < 0 ? chunk.length : zeros;
      this.at += count;
      if (count < chunk.length) {
        this.#waiting[0] = chunk.subarray(count);
        return;
      }
      this.#waiting.shift();
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

/** One run of zlib's stream: members without zeros between them. */
class Member {
  readonly gunzip: Gunzip = createGunzip(OPTIONS);
  /** Resolves when the member takes no more of the input. */
  readonly fed: Promise<void>;
  readonly #from: number;
  #isOver = false;
  #wake = (): void => undefined;

  constructor(input: Input) {
    this.#from = input.at;
    const stop = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    this.gunzip
      .on("end", stop)
      .on("close", stop)
      .on("drain", () => this.#wake());
    this.fed = this.#feed(input).catch((error: Error) => void this.gunzip.destroy(error));
  }

  /** The place after the last byte that belongs to the members. */
  get taken(): number {
    return this.#from + this.gunzip.bytesWritten;
  }

  close(): void {
    this.gunzip.destroy();
  }

  async #feed(input: Input): Promise<void> {
    while (!this.#isOver) {
      const chunk = await input.take();
      if (this.#isOver) return;
      if (chunk === undefined) {
        this.gunzip.end();
        return;
      }
      input.forget(this.taken);
      if (!this.gunzip.write(chunk)) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

type ZlibError = Error & { readonly code: string };

function isZlibError(error: unknown): error is ZlibError {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_");
}

function trailing(file: string, at: number, text: number, bytes: Uint8Array, cause?: unknown): FormatError {
  const head = JSON.stringify(String.fromCharCode(...bytes.subarray(0, 12)));
  return new FormatError(
    file,
    `byte ${at}`,
    `expected the end of the file or more gzip data after the ${text} bytes of text, got ${head}. Remove what ` +
      "follows the gzip data, or download the file again.",
    { cause },
  );
}

/** The error for a user. A header that is none lies after a whole member: its place is looked for. */
async function explained(
  cause: ZlibError,
  { file, text, again, safe, size }: GunzipOptions & Readonly<Record<"text" | "safe" | "size", number>>,
): Promise<FormatError> {
  const place = `after ${text} bytes of text`;
  if (cause.code === "Z_BUF_ERROR") {
    // A single byte is too short for zlib to tell that it is no header.
    const last = again === undefined ? new Uint8Array() : await bytesAt(again(), size - 1);
    if (again !== undefined && last[0] !== 0x1f && (await isWhole(again(), size - 1)))
      return trailing(file, size - 1, text, last, cause);
    return new FormatError(
      file,
      place,
      "expected the end of the gzip data, got the end of the file: it is cut off. Download or copy it again, and " +
        "compare its size.",
      { cause },
    );
  }
  const ahead = HEADER_BYTES[cause.message];
  const found = ahead === undefined || again === undefined ? undefined : await placeOfMistake(again, safe, ahead);
  if (found !== undefined) return trailing(file, found.at, found.text, found.bytes, cause);
  const said = `expected gzip data, got damaged data (${cause.message}).`;
  return ahead === undefined
    ? new FormatError(file, place, `${said} Check it with gzip -t, and download it again.`, { cause })
    : new FormatError(
        file,
        `byte ${safe} or later`,
        `${said} Is there something else after the gzip data? Check it with gzip -t, and download it again.`,
        { cause },
      );
}

/** Errors of zlib about the header of a member, with the number of its bytes that zlib takes before the error. */
const HEADER_BYTES: Readonly<Record<string, number>> = {
  "incorrect header check": 1,
  "unknown compression method": 3,
  "unknown header flags set": 3,
};

/**
 * The place of a header that is none. zlib forgets the text of the write that fails, so the data is written again: up
 * to `safe` in chunks as they come, then in small pieces, and once more with single bytes at the end.
 */
async function placeOfMistake(
  again: () => AsyncIterable<Uint8Array>,
  safe: number,
  ahead: number,
): Promise<{ readonly at: number; readonly text: number; readonly bytes: Uint8Array } | undefined> {
  const near = await writeUntilError(again(), safe, PIECE);
  const exact = near && (await writeUntilError(again(), near.at, 1));
  const at = exact === undefined ? 0 : exact.at - ahead;
  return exact === undefined || at <= 0 ? undefined : { at, text: exact.text, bytes: await bytesAt(again(), at) };
}

const PIECE = 512;

/** The place of the write that fails, and the bytes of text before; undefined if none fails. */
async function writeUntilError(
  bytes: AsyncIterable<Uint8Array>,
  safe: number,
  step: number,
): Promise<{ readonly at: number; readonly text: number } | undefined> {
  const gunzip = createGunzip(OPTIONS);
  let text = 0;
  let failed = false;
  gunzip.on("data", (chunk: Uint8Array) => (text += chunk.length));
  gunzip.on("error", () => (failed = true));
  let at = 0;
  for await (const chunk of bytes) {
    for (let from = 0; from < chunk.length;) {
      const bulk = Math.min(chunk.length - from, safe - at);
      const piece = Buffer.from(chunk.subarray(from, from + (bulk > 0 ? bulk : step)));
      await new Promise<void>((resolve) => {
        gunzip.once("error", () => resolve());
        gunzip.write(piece, () => resolve());
      });
      gunzip.removeAllListeners("error").on("error", () => (failed = true));
      if (failed || gunzip.destroyed) return { at, text };
      from += piece.length;
      at += piece.length;
    }
  }
  return undefined;
}

/** Whether the first `size` bytes are whole gzip data. */
async function isWhole(bytes: AsyncIterable<Uint8Array>, size: number): Promise<boolean> {
  const part = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    let left = size;
    for await (const chunk of bytes) {
      yield chunk.slice(0, left);
      left -= Math.min(left, chunk.length);
    }
  };
  const gunzip = Readable.from(part()).pipe(createGunzip(OPTIONS));
  return new Promise((resolve) => {
    gunzip
      .on("error", () => resolve(false))
      .on("end", () => resolve(true))
      .resume();
  });
}

async function bytesAt(bytes: AsyncIterable<Uint8Array>, at: number): Promise<Uint8Array> {
  let from = 0;
  for await (const chunk of bytes) {
    if (from + chunk.length > at) return chunk.slice(at - from);
    from += chunk.length;
  }
  return new Uint8Array();
}
