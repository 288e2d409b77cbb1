/**
 * A parser of bytes to lines of text: takes chunks of a file and returns whole lines.
 *
 * A line ends with LF or CRLF. UTF-8 is decoded as in the WHATWG standard: every invalid sequence becomes U+FFFD.
 * Invalid sequences are counted; a U+FFFD that the file itself holds is not. A byte-order mark at the beginning of the
 * file is dropped. Text that is recognisably another format (UTF-16, an archive, a PDF, Parquet) is an error.
 *
 * Price: one decode for each chunk and one slice for each line. Memory is one chunk, or the longest line, which has a
 * limit.
 */
import { FormatError } from "@cloze/errors";

export interface LineOptions {
  /** Name for error messages. */
  readonly file?: string;
  /** Most bytes in one line. Default 2^26, 64 MiB. */
  readonly maxLine?: number;
}

/** The default limit of bytes in a line, and of characters in a document. */
export const MAX_RECORD: number = 2 ** 26;

const LF = 10;
const REPLACEMENT = "\ufffd";

/** The first bytes of other formats that people pass by mistake, and the format's name for the error message. */
const MISTAKEN: readonly (readonly [string, string])[] = [
  ["\xff\xfe", "UTF-16; convert it with iconv -f UTF-16 -t UTF-8"],
  ["\xfe\xff", "UTF-16; convert it with iconv -f UTF-16 -t UTF-8"],
  ["%PDF", "a PDF"],
  ["PK\x03\x04", "a zip archive; unpack it"],
  ["BZh", "bzip2; decompress it with bunzip2"],
  ["\x1f\x8b", "gzip inside gzip"],
  ["\xfd7zXZ", "xz; decompress it with unxz"],
  ["\x28\xb5\x2f\xfd", "zstd; decompress it with unzstd"],
  ["PAR1", "Parquet; name the format parquet"],
];

export class LineParser {
  readonly #file: string;
  readonly #maxLine: number;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The beginning of an unfinished line, in pieces. */
  #pieces: Uint8Array[] = [];
  #held = 0;
  #begun = false;
  #lines = 0;
  #bytes = 0;
  #invalid = 0;

  constructor(options: LineOptions = {}) {
    this.#file = options.file ?? "text";
    this.#maxLine = options.maxLine ?? MAX_RECORD;
  }

  /** Lines returned so far. */
  get lines(): number {
    return this.#lines;
  }
  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }
  /** Invalid sequences that became U+FFFD so far. */
  get invalid(): number {
    return this.#invalid;
  }

  /** Reads a chunk. Returns the lines that the chunk completed, without their line ends. */
  push(chunk: Uint8Array): readonly string[] {
    this.#bytes += chunk.length;
    const last = chunk.lastIndexOf(LF);
    if (last < 0) {
      this.#hold(chunk);
      return [];
    }
    const first = this.#held === 0 ? -1 : chunk.indexOf(LF);
    const lines: string[] = [];
    if (first >= 0) {
      this.#hold(chunk.subarray(0, first));
      lines.push(withoutReturn(this.#take()));
    }
    if (last > first) {
      if (last - first > this.#maxLine) this.#checkLines(chunk, first, last, lines.length);
      const text = this.#decode(chunk.subarray(first + 1, last));
      for (let from = 0; ;) {
        const end = text.indexOf("\n", from);
        lines.push(withoutReturn(end < 0 ? text.slice(from) : text.slice(from, end)));
        if (end < 0) break;
        from = end + 1;
      }
    }
    this.#hold(chunk.subarray(last + 1));
    this.#lines += lines.length;
    return lines;
  }

  /** After all chunks: returns the last line, if the file does not end with a line end. */
  finish(): readonly string[] {
    if (this.#held === 0) return [];
    this.#lines++;
    return [withoutReturn(this.#take())];
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#held + bytes.length > this.#maxLine) this.#tooLong(this.#lines + 1);
    this.#pieces.push(new Uint8Array(bytes)); // copied, because chunks are reused; a Buffer's slice() is a view
    this.#held += bytes.length;
  }

  /** Checks the lines that lie whole in a chunk. Only a chunk larger than the limit can hold a line above the limit. */
  #checkLines(chunk: Uint8Array, first: number, last: number, before: number): void {
    for (let from = first + 1, line = this.#lines + before + 1; from <= last; line++) {
      const end = chunk.indexOf(LF, from);
      if (end - from > this.#maxLine) this.#tooLong(line);
      from = end + 1;
    }
  }

  #tooLong(line: number): never {
    throw new FormatError(
      this.#file,
      `line ${line}`,
      `expected a line of at most ${this.#maxLine} bytes, got more. Break the text into lines, or raise the limit.`,
    );
  }

  #take(): string {
    const whole = new Uint8Array(this.#held);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#held = 0;
    return this.#decode(whole);
  }

  #decode(bytes: Uint8Array): string {
    let body = bytes;
    if (!this.#begun) {
      this.#begun = true;
      this.#refuseOthers(bytes);
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) body = bytes.subarray(3);
    }
    const text = this.#decoder.decode(body);
    if (text.includes(REPLACEMENT)) this.#invalid += text.split(REPLACEMENT).length - 1 - replacementsIn(body);
    return text;
  }

  #refuseOthers(bytes: Uint8Array): void {
    const head = String.fromCharCode(...bytes.subarray(0, 8));
    const known = MISTAKEN.find(([magic]) => head.startsWith(magic))?.[1];
    if (known !== undefined)
      throw new FormatError(this.#file, "line 1", `expected UTF-8 text, got bytes that look like ${known}.`);
  }
}

const withoutReturn = (line: string): string => (line.endsWith("\r") ? line.slice(0, -1) : line);

/**
 * The number of U+FFFD that the bytes themselves hold (EF BF BD). EF is never a continuation byte in UTF-8, so these
 * three bytes in a row are always that character.
 */
function replacementsIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0xef); at >= 0; at = bytes.indexOf(0xef, at + 1))
    if (bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd) count++;
  return count;
}
