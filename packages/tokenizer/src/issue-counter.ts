/**
 * The counter of an encoding's issues: replaced, unknown and dropped characters, each as written in the text.
 *
 * One counter serves many calls, so a corpus needs no allocation per record. `issues()` gives the counts as plain data.
 * ASCII is in a typed array, all other characters in a map.
 */
import type { EncodingIssues } from "./encoding.ts";

/** Number of occurrences of each character. */
export class CharacterCounts {
  /** [128] Counts of U+0000 to U+007F. Hot loops add to it directly. */
  readonly ascii: Float64Array = new Float64Array(128);
  readonly #other = new Map<number, number>();

  add(codePoint: number, times = 1): void {
    if (codePoint < 128) this.ascii[codePoint] = (this.ascii[codePoint] as number) + times;
    else this.#other.set(codePoint, (this.#other.get(codePoint) ?? 0) + times);
  }

  get total(): number {
    let sum = 0;
    for (const n of this.ascii) sum += n;
    for (const n of this.#other.values()) sum += n;
    return sum;
  }

  reset(): void {
    this.ascii.fill(0);
    this.#other.clear();
  }

  /** The counts above 0 by character, in code point order. */
  toRecord(): Record<string, number> {
    const record: Record<string, number> = {};
    for (let code = 0; code < 128; code++) {
      const n = this.ascii[code] as number;
      if (n > 0) record[String.fromCharCode(code)] = n;
    }
    for (const [code, n] of [...this.#other].toSorted((a, b) => a[0] - b[0]))
      if (n > 0) record[String.fromCodePoint(code)] = n;
    return record;
  }

  addRecord(record: Readonly<Record<string, number>>): void {
    for (const [character, n] of Object.entries(record)) this.add(character.codePointAt(0) as number, n);
  }
}

/**
 * @example
 * const counter = new IssueCounter();
 * counter.unknown.add(0x2a);
 * counter.issues().unknown  // => { "*": 1 }
 */
export class IssueCounter {
  readonly replaced: CharacterCounts = new CharacterCounts();
  readonly unknown: CharacterCounts = new CharacterCounts();
  readonly dropped: CharacterCounts = new CharacterCounts();

  /** Number of issues of all three kinds. */
  get total(): number {
    return this.replaced.total + this.unknown.total + this.dropped.total;
  }

  reset(): void {
    this.replaced.reset();
    this.unknown.reset();
    this.dropped.reset();
  }

  /** Adds the counts of another encoding, for example from a worker. */
  add(issues: EncodingIssues): void {
    this.replaced.addRecord(issues.replaced);
    this.unknown.addRecord(issues.unknown);
    this.dropped.addRecord(issues.dropped);
  }

  /** The counts so far, as plain data. */
  issues(): EncodingIssues {
    return { replaced: this.replaced.toRecord(), unknown: this.unknown.toRecord(), dropped: this.dropped.toRecord() };
  }
}
