/**
 * Byte-pair merging over counted words: it joins the most frequent pair of neighbours into one token, again and again.
 *
 * Each distinct word is a row of token ids. A table holds the count of each pair, and the rows that may contain it. A
 * queue gives the next pair. A merge touches only the rows of its pair. Of two equally frequent pairs, the pair with
 * the smaller first id goes first, then the pair with the smaller second id. A pair keeps its count after its merge.
 * Where later merges make the pair in further rows, it enters the queue again. All this is as in Python `tokenizers`
 * (BpeTrainer of 0.23.3), and the merges are the same, one for one.
 * Price: memory grows with the distinct words. Time grows with the occurrences (in distinct words) that merges touch,
 * times the log of the queue's length.
 */
import { grown } from "./body.ts";

/** Words as rows of token ids, each with its count in the corpus. */
export interface SymbolRows {
  readonly symbols: Int32Array;
  /** Row r is symbols [starts[r], starts[r + 1]). */
  readonly starts: Int32Array;
  readonly counts: Float64Array;
}

export interface MergeOptions {
  /** Rarer pairs are not joined. */
  readonly minFrequency: number;
  /** Gives the id of a pair's joined token. Called once for each merge. */
  readonly join: (first: number, second: number) => number;
  /** True ends the merging. Called before each merge. */
  readonly enough: () => boolean;
}

/** Merges until `enough` says so, or no pair is frequent enough. Changes the rows in place. */
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

/** Joins the pair everywhere in one row, updates the counts of neighbouring pairs, and returns the row's new length. */
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

/** A pair in the queue, with its chain of rows from `place` on. The pair's count may have changed since. */
interface Candidate {
  readonly pair: number;
  readonly first: number;
  readonly second: number;
  readonly count: number;
  readonly place: number;
}

/** A table of pairs by number. Each has its count, and a chain of rows that contain it since the last `enqueue`. */
class PairTable {
  #slots: Int32Array = new Int32Array(1 << 12).fill(-1);
  #size = 0;
  #first: Int32Array = new Int32Array(1 << 11);
  #second: Int32Array = new Int32Array(1 << 11);
  #counts: Float64Array = new Float64Array(1 << 11);
  /** For each pair the last place of its open chain, or -1. */
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

  /** Adds `by` to a pair's count. Where `by` is positive, the row joins the pair's open chain. */
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

  /** Closes the open chains. Each becomes a candidate where its pair's count is above 0. */
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

/** True where `a` is merged before `b`. */
function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.first !== b.first ? a.first < b.first : a.second < b.second;
}

/** Adds a candidate to a binary heap in an array; the next candidate to merge is first. */
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
