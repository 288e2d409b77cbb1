/**
 * Counts of distinct words, in a hash table without strings. The training of a vocabulary starts from these counts.
 *
 * Price: as for slice-table.ts, and 8 bytes more per word.
 */
import { HASH_PRIME, HASH_SEED, SliceTable } from "./slice-table.ts";

/** Words with their counts. The order has no meaning. */
export interface WordCounts {
  readonly size: number;
  word(entry: number): string;
  count(entry: number): number;
}

export class CountTable implements WordCounts {
  readonly table: SliceTable = new SliceTable();
  #counts: Float64Array = new Float64Array(1 << 10);

  get size(): number {
    return this.table.size;
  }

  add(text: string, start: number, end: number, hash: number, times: number): void {
    const found = this.table.find(text, start, end, hash);
    const entry = found < 0 ? this.table.add(text, start, end, hash) : found;
    if (entry >= this.#counts.length) {
      const counts = new Float64Array(2 * this.#counts.length);
      counts.set(this.#counts);
      this.#counts = counts;
    }
    this.#counts[entry] = (this.#counts[entry] as number) + times;
  }

  word(entry: number): string {
    return this.table.at(entry);
  }

  count(entry: number): number {
    return this.#counts[entry] as number;
  }
}

/** The hash of a word, as a SliceTable needs it. */
export function hashOf(text: string): number {
  let hash = HASH_SEED;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), HASH_PRIME);
  return hash;
}
