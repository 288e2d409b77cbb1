/**
 * A range of a plain FASTA file: the records whose `>` lies in a range of bytes. Consecutive ranges give each record
 * exactly once, wherever the boundaries are.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Pipe } from "./pipe.ts";
import { readChunks } from "./read-chunks.ts";

export interface FastaRange {
  readonly file: string;
  /** What is read instead of the file, for something that can be read once. */
  readonly pipe?: Pipe;
  /** Bytes [from, until) of a file that is not compressed. Without both, the whole file, which may be gzip. */
  readonly from?: number;
  readonly until?: number;
}

const CHUNK = 1 << 20;
const GT = 62;
const LF = 10;
const CR = 13;

/** The text of the records, in chunks. `onRead` receives the number of bytes of the range read so far. */
export async function* readRange(
  { file, pipe, from = 0, until = Infinity }: FastaRange,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (from === 0 && until === Infinity) {
    yield* readChunks(pipe ?? file, { onRead });
    return;
  }
  const descriptor = openSync(file, "r");
  const buffer = new Uint8Array(CHUNK);
  try {
    const size = fstatSync(descriptor).size;
    // Reading starts one byte before `from`: that byte tells whether a `>` at `from` begins a line.
    let at = Math.max(0, from - 1);
    let before = LF;
    let started = from === 0;
    while (at < size) {
      const read = readSync(descriptor, buffer, 0, CHUNK, at);
      if (read === 0) return;
      const chunk = buffer.subarray(0, read);
      const begin = started ? 0 : recordStart(chunk, before, from - at);
      started ||= begin >= 0;
      const end = at + read > until ? recordStart(chunk, before, until - at) : -1;
      if (begin >= 0 && (end < 0 || end > begin)) yield chunk.subarray(begin, end < 0 ? read : end);
      if (end >= 0) return;
      before = chunk[read - 1] as number;
      at += read;
      onRead(Math.min(at, until) - from);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The place of the first `>` that begins a line, at `least` or after it; -1 if there is none. */
function recordStart(chunk: Uint8Array, before: number, least: number): number {
  for (let at = chunk.indexOf(GT, Math.max(0, least)); at >= 0; at = chunk.indexOf(GT, at + 1)) {
    const previous = at === 0 ? before : chunk[at - 1];
    if (previous === LF || previous === CR) return at;
  }
  return -1;
}

/** Whether the file begins with the two bytes of gzip. */
export function isGzip(file: string): boolean {
  const descriptor = openSync(file, "r");
  const head = new Uint8Array(2);
  try {
    return readSync(descriptor, head, 0, 2, 0) === 2 && head[0] === 0x1f && head[1] === 0x8b;
  } finally {
    closeSync(descriptor);
  }
}
