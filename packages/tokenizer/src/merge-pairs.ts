/**
 * Byte-pair merging over counted words: join the most frequent pair of neighbours into one token, again and again.
 *
 * Each distinct word is a row of token ids; a table knows how often each pair stands side by side and in which words it
 * may be found; a queue gives the next pair. Only the words of a merged pair are touched. Of two pairs that are equally
 * frequent, the one with the smaller first id goes first, then the smaller second. Pairs keep their count after they
 * were merged and come up again for words they were found in later: as in Python `tokenizers`, whose merges these are,
 * one for one (BpeTrainer of 0.23.3). Price: memory by distinct words; time by the occurrences in distinct words that
 * the merges touch, times log of the queue.
 */
import { grown } from "./body.ts";

/** Words as rows of token ids, with how often each occurs in the corpus. */
export interface SymbolRows {
  readonly symbols: Int32Array;
  /** Row r is symbols [starts[r], starts[r + 1]). */
  readonly starts: Int32Array;
  readonly counts: Float64Array;
}

export interface MergeOptions {
  /** Rarer pairs are not joined. */
  readonly minFrequency: number;
  /** The token that a pair becomes; called once for each merge. */
  readonly join: (first: number, second: number) => number;
  /** Asked before each merge. */
  readonly enough: () => boolean;
}

/** Runs merges until there are enough, or none is frequent enough. Rows are rewritten in place. */
export function mergePairs(
  { symbols, starts, counts }: SymbolRows,
  { minFrequency, join, enough }: MergeOptions,
): void {
  const pairs = new PairTable();
  const queue: Candidate[] = [];
  const lengths = new Int32Array(counts.length);
  for (let row = 0; row < counts.length; row++) {
    const from = starts[row] as number;
    const until = starts[row + 1] as number;
    const times = counts[row] as number;
    lengths[row] = until - from;
    for (let i = from; i + 1 < until; i++) pairs.change(symbols[i] as number, symbols[i + 1] as number, times, row);
  }
  pairs.enqueue(queue);
  while (!enough()) {
    const top = pop(queue);
    if (top === undefined) return;
    const count = pairs.countOf(top.pair);
    if (count !== top.count) {
      push(queue, { ...top, count });
      continue;
    }
    if (count < 1 || count < minFrequency) return;
    const { first, second } = top;
    const joined = join(first, second);
    for (let place = top.place; place >= 0; place = pairs.next(place)) {
      const row = pairs.row(place);
      lengths[row] = mergeRow(
        symbols,
        starts[row] as number,
        lengths[row] as number,
        first,
        second,
        joined,
        counts[row] as number,
        row,
        pairs,
      );
    }
    pairs.enqueue(queue);
  }
}

/** Joins the pair everywhere in one row, tells the table what neighbours came and went, and gives the new length. */
function mergeRow(
  symbols: Int32Array,
  start: number,
  length: number,
  first: number,
  second: number,
  joined: number,
  times: number,
  row: number,
  pairs: PairTable,
): number {
  let to = start;
  const end = start + length;
  for (let from = start; from < end; from++) {
    const here = symbols[from] as number;
    if (here !== first || from + 1 >= end || symbols[from + 1] !== second) {
      symbols[to++] = here;
      continue;
    }
    if (to > start) {
      const before = symbols[to - 1] as number;
      pairs.change(before, first, -times, row);
      pairs.change(before, joined, times, row);
    }
    if (from + 2 < end) {
      const after = symbols[from + 2] as number;
      pairs.change(second, after, -times, row);
      pairs.change(joined, after, times, row);
    }
    symbols[to++] = joined;
    from++;
  }
  return to - start;
}

/** A pair that may be merged next, in the rows of its chain of places; its count may have changed since. */
interface Candidate {
  readonly pair: number;
  readonly first: number;
  readonly second: number;
  readonly count: number;
  readonly place: number;
}

/** Pairs by number, each with its count and a chain of rows that it was newly found in. */
class PairTable {
  #slots: Int32Array = new Int32Array(1 << 12).fill(-1);
  #size = 0;
  #first: Int32Array = new Int32Array(1 << 11);
  #second: Int32Array = new Int32Array(1 << 11);
  #counts: Float64Array = new Float64Array(1 << 11);
  /** Last place of the pair's open chain, -1 for none. */
  #heads: Int32Array = new Int32Array(1 << 11);
  #rows: Int32Array = new Int32Array(1 << 12);
  #nexts: Int32Array = new Int32Array(1 << 12);
  #places = 0;
  /** Pairs with an open chain. */
  #open: number[] = [];

  countOf(pair: number): number {
    return this.#counts[pair] as number;
  }
  next(place: number): number {
    return this.#nexts[place] as number;
  }
  row(place: number): number {
    return this.#rows[place] as number;
  }

  /** Adds to a pair's count; where it grows, the row joins the pair's open chain. */
  change(first: number, second: number, by: number, row: number): void {
    const pair = this.#pairOf(first, second);
    this.#counts[pair] = (this.#counts[pair] as number) + by;
    if (by <= 0) return;
    const head = this.#heads[pair] as number;
    if (head >= 0 && this.#rows[head] === row) return;
    if (head < 0) this.#open.push(pair);
    if (this.#places === this.#rows.length) {
      this.#rows = grown(this.#rows, 2 * this.#places);
      this.#nexts = grown(this.#nexts, 2 * this.#places);
    }
    this.#rows[this.#places] = row;
    this.#nexts[this.#places] = head;
    this.#heads[pair] = this.#places++;
  }

  /** Closes the open chains: each becomes a candidate, if its pair is there at all. */
  enqueue(queue: Candidate[]): void {
    for (const pair of this.#open) {
      const count = this.#counts[pair] as number;
      const place = this.#heads[pair] as number;
      if (count > 0)
        push(queue, { pair, first: this.#first[pair] as number, second: this.#second[pair] as number, count, place });
      this.#heads[pair] = -1;
    }
    this.#open = [];
  }

  #pairOf(first: number, second: number): number {
    let slot = this.#slot(first, second);
    let pair = this.#slots[slot] as number;
    if (pair >= 0) return pair;
    pair = this.#size++;
    if (pair === this.#first.length) this.#grow();
    if (2 * this.#size > this.#slots.length) {
      this.#rehash(pair);
      slot = this.#slot(first, second);
    }
    this.#slots[slot] = pair;
    this.#first[pair] = first;
    this.#second[pair] = second;
    this.#heads[pair] = -1;
    return pair;
  }

  #slot(first: number, second: number): number {
    const mask = this.#slots.length - 1;
    const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    for (
      let pair = this.#slots[slot] as number;
      pair >= 0 && (this.#first[pair] !== first || this.#second[pair] !== second);
      pair = this.#slots[slot] as number
    )
      slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const length = 2 * this.#first.length;
    const counts = new Float64Array(length);
    counts.set(this.#counts);
    this.#counts = counts;
    this.#first = grown(this.#first, length);
    this.#second = grown(this.#second, length);
    this.#heads = grown(this.#heads, length);
  }

  #rehash(pairs: number): void {
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    for (let pair = 0; pair < pairs; pair++)
      this.#slots[this.#slot(this.#first[pair] as number, this.#second[pair] as number)] = pair;
  }
}

/** Whether `a` is merged before `b`. */
function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.first !== b.first ? a.first < b.first : a.second < b.second;
}

/** A binary heap in an array, the next candidate first. */
function push(heap: Candidate[], candidate: Candidate): void {
  let at = heap.length;
  heap.push(candidate);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Candidate;
    if (!before(candidate, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = candidate;
}

function pop(heap: Candidate[]): Candidate | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    const right = heap[child + 1];
    if (right !== undefined && before(right, heap[child] as Candidate)) child++;
    const below = heap[child] as Candidate;
    if (!before(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return top;
}
