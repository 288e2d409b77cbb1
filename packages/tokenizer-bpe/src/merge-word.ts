/**
 * Byte-pair encoding of one word: joins neighbours by the merge of lowest rank, the leftmost pair first, until no merge
 * applies.
 *
 * Symbols are a linked list in arrays. Candidates are in a heap, each as one number (rank * length + place). A
 * candidate is checked when it leaves the heap. Price: O(n log n) for any word of n symbols. Source: Sennrich et al.
 * 2016, arXiv:1508.07909; Word::merge_all of Python `tokenizers` 0.23.3.
 */

/** The merges: pair of ids -> rank, and rank -> joined id. */
export class MergeTable {
  readonly #ranks = new Map<number, number>();
  readonly #joined: number[] = [];
  readonly #size: number;

  /** @param pairs first, second and joined id, in the order of ranks. A repeated pair has its last rank. */
  constructor(pairs: readonly (readonly [first: number, second: number, joined: number])[], vocabularySize: number) {
    this.#size = vocabularySize;
    for (const [first, second, joined] of pairs)
      this.#ranks.set(first * vocabularySize + second, this.#joined.push(joined) - 1);
  }

  /** The rank of a pair, or -1 where no merge joins it. */
  rank(first: number, second: number): number {
    return this.#ranks.get(first * this.#size + second) ?? -1;
  }

  joined(rank: number): number {
    return this.#joined[rank] as number;
  }
}

/** Ids after all merges, and the place of each id's first symbol. */
export interface MergedWord {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
}

export function mergeWord(merges: MergeTable, symbols: readonly number[]): MergedWord {
  const length = symbols.length;
  const ids = Int32Array.from(symbols);
  const next = new Int32Array(length);
  const before = new Int32Array(length);
  const heap: number[] = [];
  const offer = (place: number): void => {
    const after = next[place] as number;
    if (after >= length) return;
    const rank = merges.rank(ids[place] as number, ids[after] as number);
    if (rank >= 0) push(heap, rank * length + place);
  };
  for (let i = 0; i < length; i++) {
    next[i] = i + 1;
    before[i] = i - 1;
  }
  for (let i = 0; i < length; i++) offer(i);
  for (let top = pop(heap); top !== undefined; top = pop(heap)) {
    const place = top % length;
    const rank = (top - place) / length;
    const after = next[place] as number;
    // An old candidate: the symbol is gone, is now the last one, or has another neighbour.
    if (ids[place] === GONE || after >= length || merges.rank(ids[place] as number, ids[after] as number) !== rank)
      continue;
    const behind = next[after] as number;
    ids[place] = merges.joined(rank);
    ids[after] = GONE;
    next[place] = behind;
    if (behind < length) before[behind] = place;
    if ((before[place] as number) >= 0) offer(before[place] as number);
    offer(place);
  }
  const merged: number[] = [];
  const starts: number[] = [];
  for (let i = 0; i < length; i = next[i] as number) {
    merged.push(ids[i] as number);
    starts.push(i);
  }
  return { ids: merged, starts };
}

const GONE = -1;

/** Adds a value to a binary heap in an array; the smallest value is first. */
function push(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as number;
    if (above <= value) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = value;
}

function pop(heap: number[]): number | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    const right = heap[child + 1];
    if (right !== undefined && right < (heap[child] as number)) child++;
    const below = heap[child] as number;
    if (last <= below) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return top;
}
