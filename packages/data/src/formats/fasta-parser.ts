/**
 * A parser of FASTA bytes: takes chunks of a file and returns batches of records, without a string or an array for each
 * line.
 *
 *   > header line
 *   residues, on any number of lines
 *
 * Accepted: LF, CRLF and CR line ends; white space inside sequences (removed); `;` comment lines (skipped and counted);
 * a byte-order mark; records without residues (kept and counted).
 * Errors, each with its place: text before the first `>`, bytes that are not text, a record above the limit.
 * The tokenizer decides which letters a sequence may hold. This parser takes every printable character as a letter.
 *
 * Price: one pass over the bytes. Memory holds the records of one chunk and the longest record so far.
 */
import { FormatError } from "@cloze/errors";
import { mistakenFormat } from "./mistaken-formats.ts";

export interface FastaOptions {
  /** Name for error messages. */
  readonly file?: string;
  /** Keep header lines. Default true; without them reading is faster. */
  readonly headers?: boolean;
  /** Most residues in one record. Default 2^30. */
  readonly maxRecord?: number;
}

/** Counts of everything in a file, so that the parser drops nothing silently. */
export interface FastaReport {
  /** All records, empty records included. */
  readonly records: number;
  readonly residues: number;
  /** Records without residues. */
  readonly empty: number;
  /** Records whose header line is a bare `>`. */
  readonly unnamed: number;
  /** `;` comment lines. */
  readonly comments: number;
  readonly longest: number;
  /** Bytes of text read, after decompression. */
  readonly bytes: number;
}

/** The records that one chunk completed. The next `push` reuses the bytes: copy the bytes that you need for longer. */
export interface FastaBatch {
  readonly count: number;
  /** All residues of the batch; record i is `residues[starts[i], ends[i])`. */
  readonly residues: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** A view of record i's residues. */
  sequence(i: number): Uint8Array;
  /** Header line of record i without `>`; empty when headers are not kept. */
  header(i: number): string;
}

const KEEP = 1;
const BINARY = 2;
const SEMICOLON = 4;
const LF = 10;
const CR = 13;
const GT = 62;
const START = 0;
const HEADER = 1;
const BODY = 2;
const COMMENT = 3;
const MAX_HEADER = 1 << 20;
const MAX_RECORD = 2 ** 30;
const NAME_BYTES = 64;

/** The kind of each byte in a sequence: 0 is white space (removed), KEEP a printable character, BINARY no text. */
const KIND: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 32 || (byte >= 9 && byte <= 13)) return 0;
  if (byte < 32 || byte > 126) return BINARY;
  return byte === 59 ? KEEP | SEMICOLON : KEEP;
});

/** The first characters of other formats of text that people pass by mistake, and their names for the error message. */
const FASTQ = "FASTQ; convert it to FASTA, for example with seqtk seq -A";
const MISTAKEN: readonly (readonly [string, string])[] = [
  ["@", FASTQ],
  ["LOCUS", "GenBank; convert it to FASTA"],
  ["ID   ", "UniProt or EMBL text; download the FASTA form"],
  ["{", "JSON"],
  ["<", "XML or HTML"],
];

/** What a text's beginning is, if it is the four lines of FASTQ: `@name`, letters, `+`, qualities. */
export const fastqFault = (head: string): string | undefined =>
  /^@[^\r\n]*[\r\n]+[A-Za-z.*-]+([\r\n]+\+|$)/.test(head) ? FASTQ : undefined;

export class FastaParser implements FastaBatch {
  readonly #file: string;
  readonly #keepHeaders: boolean;
  readonly #maxRecord: number;
  #state = START;
  #afterComment: typeof START | typeof BODY = START;
  #lastByte = LF;
  #line = 1;
  #bytes = 0;
  #at = 0;
  #headerAt = 0;
  #headerBytes: Uint8Array = new Uint8Array(1024);
  #headerEnds: Uint32Array = new Uint32Array(64);
  readonly #report: { -readonly [K in keyof FastaReport]: FastaReport[K] } = {
    records: 0,
    residues: 0,
    empty: 0,
    unnamed: 0,
    comments: 0,
    longest: 0,
    bytes: 0,
  };

  count = 0;
  residues: Uint8Array = new Uint8Array(1 << 16);
  starts: Uint32Array = new Uint32Array(64);
  ends: Uint32Array = new Uint32Array(64);

  constructor(options: FastaOptions = {}) {
    this.#file = options.file ?? "FASTA";
    this.#keepHeaders = options.headers ?? true;
    this.#maxRecord = options.maxRecord ?? MAX_RECORD;
  }

  /** Counts so far. */
  get report(): FastaReport {
    return { ...this.#report, bytes: this.#bytes };
  }

  sequence(i: number): Uint8Array {
    return this.residues.subarray(this.starts[i], this.ends[i]);
  }

  header(i: number): string {
    if (!this.#keepHeaders) return "";
    const start = i === 0 ? 0 : (this.#headerEnds[i - 1] as number);
    return new TextDecoder().decode(this.#headerBytes.subarray(start, this.#headerEnds[i]));
  }

  /** Reads a chunk. Returns the records that the chunk completed: often none, if records are long. */
  push(chunk: Uint8Array): FastaBatch {
    this.#beginBatch();
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === BODY) at = this.#body(chunk, at);
      else if (this.#state === HEADER) at = this.#header(chunk, at);
      else if (this.#state === COMMENT) at = this.#comment(chunk, at);
      else at = this.#start(chunk, at);
    }
    if (chunk.length > 0) this.#lastByte = chunk[chunk.length - 1] as number;
    this.#bytes += chunk.length;
    return this;
  }

  /** Returns the last record, after all chunks. */
  finish(): FastaBatch {
    this.#beginBatch();
    if (this.#state === HEADER) this.#endHeader();
    if (this.#state === BODY || (this.#state === COMMENT && this.#afterComment === BODY)) this.#endRecord();
    this.#state = START;
    return this;
  }

  /** Drops the records of the last batch and moves the unfinished record to the front of the buffers. */
  #beginBatch(): void {
    if (this.count === 0) return;
    const from = this.ends[this.count - 1] as number;
    const size = this.#at - from;
    this.residues.copyWithin(0, from, this.#at);
    if (this.#keepHeaders) {
      const headerFrom = this.#headerEnds[this.count - 1] as number;
      this.#headerBytes.copyWithin(0, headerFrom, this.#headerAt);
      this.#headerEnds[0] = (this.#headerEnds[this.count] as number) - headerFrom;
      this.#headerAt -= headerFrom;
    }
    this.#at = size;
    this.starts[0] = 0;
    this.count = 0;
  }

  #start(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      const offset = this.#bytes + at;
      if (byte === GT) {
        this.#beginRecord();
        return at + 1;
      }
      if (byte === 59) {
        this.#state = COMMENT;
        this.#afterComment = START;
        return at;
      }
      if (byte === LF || byte === CR) {
        const before = at > 0 ? chunk[at - 1] : this.#lastByte;
        if (byte === CR || before !== CR) this.#line++;
      } else if (KIND[byte] !== 0 && !(offset < 3 && byte === [0xef, 0xbb, 0xbf][offset])) this.#notFasta(chunk, at);
    }
    return chunk.length;
  }

  #notFasta(chunk: Uint8Array, at: number): never {
    const head = String.fromCharCode(...chunk.subarray(at, at + 24));
    const known = mistakenFormat(chunk.subarray(at)) ?? MISTAKEN.find(([magic]) => head.startsWith(magic))?.[1];
    const next =
      known === undefined ? "Give each sequence a header line that starts with '>'." : `This looks like ${known}.`;
    throw new FormatError(
      this.#file,
      `line ${this.#line}`,
      `expected a '>' header line before any text, got ${JSON.stringify(head.split(/[\r\n]/)[0])}. ${next}`,
    );
  }

  #beginRecord(): void {
    if (this.count + 1 >= this.starts.length) {
      const size = this.starts.length * 2;
      this.starts = enlarge32(this.starts, size);
      this.ends = enlarge32(this.ends, size);
      this.#headerEnds = enlarge32(this.#headerEnds, size);
    }
    this.starts[this.count] = this.#at;
    this.#headerEnds[this.count] = this.#headerAt = this.#headerStart();
    this.#state = HEADER;
  }

  #headerStart(): number {
    return this.#keepHeaders && this.count > 0 ? (this.#headerEnds[this.count - 1] as number) : 0;
  }

  #header(chunk: Uint8Array, from: number): number {
    let end = from;
    for (; end < chunk.length; end++) {
      const byte = chunk[end];
      if (byte === LF || byte === CR) break;
    }
    const used = this.#headerAt - this.#headerStart();
    if (used + end - from > MAX_HEADER)
      throw new FormatError(
        this.#file,
        this.#record(),
        `expected a header line of at most ${MAX_HEADER} bytes, got more. Is this a FASTA file with line breaks?`,
      );
    const take = this.#keepHeaders ? end - from : Math.min(end - from, NAME_BYTES - used);
    if (take > 0) {
      if (this.#headerAt + take > this.#headerBytes.length)
        this.#headerBytes = enlarge(this.#headerBytes, 2 * (this.#headerAt + take));
      this.#headerBytes.set(chunk.subarray(from, from + take), this.#headerAt);
      this.#headerAt += take;
    }
    if (end === chunk.length) return end;
    this.#endHeader();
    return end; // #body reads the line end: as white space, and as the sign that a line begins
  }

  #endHeader(): void {
    if (this.#headerAt === this.#headerStart()) this.#report.unnamed++;
    this.#headerEnds[this.count] = this.#headerAt;
    this.#state = BODY;
  }

  #body(chunk: Uint8Array, from: number): number {
    let end = chunk.length;
    for (let search = from; search < chunk.length;) {
      const found = chunk.indexOf(GT, search);
      if (found < 0) break;
      const before = found > 0 ? chunk[found - 1] : this.#lastByte;
      if (before === LF || before === CR) {
        end = found;
        break;
      }
      search = found + 1;
    }
    this.#reserve(end - from);
    const out = this.residues;
    let at = this.#at;
    let flags = 0;
    for (let i = from; i < end; i++) {
      const byte = chunk[i] as number;
      const kind = KIND[byte] as number;
      out[at] = byte;
      at += kind & KEEP;
      flags |= kind;
    }
    if ((flags & SEMICOLON) !== 0) {
      const comment = this.#bodyToComment(chunk, from, end);
      if (comment >= 0) return comment;
    }
    if ((flags & BINARY) !== 0) this.#notText(chunk, from);
    this.#at = at;
    if (at - (this.starts[this.count] as number) > this.#maxRecord) this.#tooLong();
    if (end < chunk.length) {
      this.#endRecord();
      this.#beginRecord();
      return end + 1;
    }
    return end;
  }

  /**
   * Handles the rare region with a `;`. If a comment line begins in the region, takes the residues before the comment
   * and returns the comment's place. Otherwise returns -1.
   */
  #bodyToComment(chunk: Uint8Array, from: number, end: number): number {
    let at = this.#at;
    let flags = 0;
    for (let i = from; i < end; i++) {
      const byte = chunk[i] as number;
      const kind = KIND[byte] as number;
      const before = i > 0 ? chunk[i - 1] : this.#lastByte;
      if (byte === 59 && (before === LF || before === CR)) {
        if ((flags & BINARY) !== 0) this.#notText(chunk, from);
        this.#at = at;
        this.#state = COMMENT;
        this.#afterComment = BODY;
        return i;
      }
      this.residues[at] = byte;
      at += kind & KEEP;
      flags |= kind;
    }
    return -1;
  }

  #comment(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      if (chunk[at] === LF || chunk[at] === CR) {
        this.#report.comments++;
        this.#state = this.#afterComment;
        return at;
      }
    }
    return chunk.length;
  }

  #endRecord(): void {
    const length = this.#at - (this.starts[this.count] as number);
    this.ends[this.count] = this.#at;
    this.#report.records++;
    this.#report.residues += length;
    if (length === 0) this.#report.empty++;
    if (length > this.#report.longest) this.#report.longest = length;
    this.count++;
  }

  /**
   * Makes room for `more` residues. Beyond 4 MiB the buffer grows by 256 MiB at once. A memory page costs nothing until
   * it is written, but each old buffer stays resident until the next garbage collection.
   */
  #reserve(more: number): void {
    const need = this.#at + more;
    if (need <= this.residues.length) return;
    this.residues = enlarge(this.residues, need < 1 << 22 ? 2 * need : need + (1 << 28));
  }

  #record(): string {
    const name = new TextDecoder().decode(
      this.#headerBytes.subarray(this.#headerStart(), this.#headerAt).subarray(0, NAME_BYTES),
    );
    return `record ${this.#report.records + 1}${name === "" ? "" : ` (${name})`}`;
  }

  #tooLong(): never {
    throw new FormatError(
      this.#file,
      this.#record(),
      `expected at most ${this.#maxRecord} residues, got more. Split the record, or raise maxRecord.`,
    );
  }

  #notText(chunk: Uint8Array, from: number): never {
    let at = from;
    while (((KIND[chunk[at] as number] as number) & BINARY) === 0) at++;
    const byte = (chunk[at] as number).toString(16).padStart(2, "0");
    throw new FormatError(
      this.#file,
      this.#record(),
      `expected letters, got the byte 0x${byte} at byte ${this.#bytes + at} of the text. Sequences are ASCII: is ` +
        "this file FASTA, and is it whole?",
    );
  }
}

function enlarge(array: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(size);
  larger.set(array);
  return larger;
}

function enlarge32(array: Uint32Array, size: number): Uint32Array {
  const larger = new Uint32Array(size);
  larger.set(array);
  return larger;
}
