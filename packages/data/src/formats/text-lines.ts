/**
 * A parser of bytes to lines of text: takes chunks of a file and returns whole lines.
 *
 * A line ends with LF, CRLF or CR, also mixed in one file: Python's universal newlines. UTF-8 is decoded as in the
 * WHATWG standard: every invalid sequence becomes U+FFFD.
 * Invalid sequences are counted; a U+FFFD that the file itself holds is not. A byte-order mark at the beginning of the
 * file is dropped. Text that is recognisably another format (UTF-16, an archive, a PDF, Parquet) is an error.
 *
 * Price: one decode for each chunk and one slice for each line. Memory is one chunk, or the longest line, which has a
 * limit.
 */
import { FormatError } from "@cloze/errors";
import { expectText } from "./mistaken-formats.ts";

export interface LineOptions {
  /** Name for error messages. */
  readonly file?: string;
  /** Most bytes in one line. Default 2^26, 64 MiB. */
  readonly maxLine?: number;
}

/** The default limit of bytes in a line, and of characters in a document. */
export const MAX_RECORD: number = 2 ** 26;

const LF = 10;
const CR = 13;
const LINE_END = /\r\n?|\n/g;
const REPLACEMENT = "\ufffd";

export class LineParser {
  readonly #file: string;
  readonly #maxLine: number;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The beginning of an unfinished line, in pieces. */
  #pieces: Uint8Array[] = [];
  #held = 0;
  /** The last byte of the last chunk was a CR, which is not among the held bytes. */
  #heldReturn = false;
  /** Line ends of the last lines, where they are not LF. */
  #ends: string[] = [];
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
    this.#ends = [];
    if (chunk.length === 0) return [];
    const lines: string[] = [];
    let from = 0;
    if (this.#heldReturn) {
      from = chunk[0] === LF ? 1 : 0;
      lines.push(this.#takeLine(from === 1 ? "\r\n" : "\r"));
    }
    const last = lastLineEnd(chunk);
    if (last >= from) {
      if (this.#held > 0) {
        const first = firstLineEnd(chunk, from);
        const isPair = chunk[first] === CR && first < last && chunk[first + 1] === LF;
        this.#hold(chunk.subarray(from, first));
        lines.push(this.#takeLine(isPair ? "\r\n" : chunk[first] === CR ? "\r" : "\n"));
        from = first + (isPair ? 2 : 1);
      }
      if (last >= from) this.#wholeLines(chunk.subarray(from, last + 1), lines);
      from = last + 1;
    }
    // A CR at the end of a chunk may be one half of a CRLF.
    this.#heldReturn = from < chunk.length && chunk[chunk.length - 1] === CR;
    this.#hold(chunk.subarray(from, this.#heldReturn ? chunk.length - 1 : chunk.length));
    this.#lines += lines.length;
    return lines;
  }

  /** After all chunks: returns the last line, if the file does not end with a line end. */
  finish(): readonly string[] {
    this.#ends = [];
    if (this.#held === 0 && !this.#heldReturn) return [];
    this.#lines++;
    return [this.#takeLine(this.#heldReturn ? "\r" : "")];
  }

  /** The line end of line `i` of the last `push` or `finish`; "" at the end of the file. */
  endOf(i: number): string {
    return this.#ends[i] ?? "\n";
  }

  #wholeLines(bytes: Uint8Array, lines: string[]): void {
    if (bytes.length > this.#maxLine) this.#checkLines(bytes, lines.length);
    const text = this.#decode(bytes);
    if (!text.includes("\r")) {
      for (let from = 0, end = text.indexOf("\n"); end >= 0; from = end + 1, end = text.indexOf("\n", from))
        lines.push(text.slice(from, end));
      return;
    }
    let from = 0;
    for (const { 0: lineEnd, index } of text.matchAll(LINE_END)) {
      this.#ends[lines.length] = lineEnd;
      lines.push(text.slice(from, index));
      from = index + lineEnd.length;
    }
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#held + bytes.length > this.#maxLine) this.#tooLong(this.#lines + 1);
    this.#pieces.push(new Uint8Array(bytes)); // copied, because chunks are reused; a Buffer's slice() is a view
    this.#held += bytes.length;
  }

  /** Checks the lines that lie whole in a chunk. Only a chunk larger than the limit can hold a line above the limit. */
  #checkLines(bytes: Uint8Array, before: number): void {
    for (let from = 0, line = this.#lines + before + 1; from < bytes.length; line++) {
      const end = firstLineEnd(bytes, from);
      if (end - from > this.#maxLine) this.#tooLong(line);
      from = end + (bytes[end] === CR && bytes[end + 1] === LF ? 2 : 1);
    }
  }

  #tooLong(line: number): never {
    throw new FormatError(
      this.#file,
      `line ${line}`,
      `expected a line of at most ${this.#maxLine} bytes, got more. Break the text into lines, or raise the limit.`,
    );
  }

  /** The held line, which ends with `lineEnd`. */
  #takeLine(lineEnd: string): string {
    this.#ends = [lineEnd];
    this.#heldReturn = false;
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
      expectText(bytes, this.#file);
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) body = bytes.subarray(3);
    }
    const text = this.#decoder.decode(body);
    if (text.includes(REPLACEMENT)) this.#invalid += text.split(REPLACEMENT).length - 1 - replacementsIn(body);
    return text;
  }
}

/** The place of the first CR or LF from `from` on. Only for bytes that hold one. */
function firstLineEnd(bytes: Uint8Array, from: number): number {
  const feed = bytes.indexOf(LF, from);
  const carriage = (feed < 0 ? bytes : bytes.subarray(0, feed)).indexOf(CR, from);
  return carriage < 0 ? feed : carriage;
}

/** The place of the last LF, or of the last CR before the last byte; -1 if there is neither. */
const lastLineEnd = (bytes: Uint8Array): number =>
  Math.max(bytes.lastIndexOf(LF), bytes.length < 2 ? -1 : bytes.lastIndexOf(CR, bytes.length - 2));

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
