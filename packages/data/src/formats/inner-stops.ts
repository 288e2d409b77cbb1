/**
 * Stops (`*`) inside of proteins. At the end of a sequence a stop codon, or several, is what translation tools write,
 * and tokenizers drop it. Before a residue it is a sign of a wrong reading frame or of a pseudogene: it becomes the
 * unknown token, and somebody should know where.
 */

export interface InnerStops {
  /** Records with a stop before a residue. */
  readonly records: number;
  /** The first of them. Record and residue count from 1. */
  readonly first: { readonly file: string; readonly record: number; readonly residue: number };
}

const STOP = 42;

/** The place, from 1, of the first stop of `bytes[start, end)` before a residue; undefined if there is none. */
export function innerStop(bytes: Uint8Array, start: number, end: number): number | undefined {
  let last = end;
  while (last > start && bytes[last - 1] === STOP) last--;
  const at = bytes.subarray(start, last).indexOf(STOP);
  return at < 0 ? undefined : at + 1;
}

/** Counts the records of files, in order, and those with inner stops. */
export class InnerStopCounter {
  #file = "";
  #record = 0;
  #records = 0;
  #first: InnerStops["first"] | undefined;

  /** The next records are of this file. */
  begin(file: string): void {
    this.#file = file;
    this.#record = 0;
  }

  /** Counts the next record. `mayHave` false saves the search. */
  add(bytes: Uint8Array, start: number, end: number, mayHave: boolean): void {
    this.#record++;
    const residue = mayHave ? innerStop(bytes, start, end) : undefined;
    if (residue === undefined) return;
    this.#records++;
    this.#first ??= { file: this.#file, record: this.#record, residue };
  }

  /** What was found; undefined if nothing. */
  get found(): InnerStops | undefined {
    return this.#first && { records: this.#records, first: this.#first };
  }
}
