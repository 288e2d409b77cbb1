/**
 * The grouping of sequences into batches. Lengths are rounded up to buckets, and row counts to powers of two. So a
 * stream of any lengths needs only a few dozen compiled shapes, and padding costs little.
 *
 *   lengths   32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, … (each 1/2 or 1/3 larger than the previous one)
 *   rows      a full batch has the largest power of two within its limit; the remaining sequences form a batch of 2^k
 *             rows with at most a quarter of them empty, and the same rule applies again: 7 -> 8, 5 -> 4 + 1
 */

export interface PlannedBatch {
  readonly rows: number;
  readonly seq: number;
  /** Indices into the list of lengths; at most `rows` of them. */
  readonly items: readonly number[];
}

const SMALLEST = 32;
const THREES = 96;

/** The smallest bucket that holds `length`. */
export function lengthBucket(length: number): number {
  let power = SMALLEST;
  while (power < length) power *= 2;
  const between = (power / 4) * 3;
  return between >= THREES && between >= length ? between : power;
}

/**
 * Plans all batches, the longest sequences first. `rowLimit`: the number of rows that fit in a bucket; less than one
 * counts as one.
 */
export function planBatches(lengths: readonly number[], rowLimit: (seq: number) => number): readonly PlannedBatch[] {
  const byBucket = new Map<number, number[]>();
  lengths.forEach((length, i) => {
    const seq = lengthBucket(length);
    const items = byBucket.get(seq);
    if (items) items.push(i);
    else byBucket.set(seq, [i]);
  });
  return [...byBucket]
    .sort(([a], [b]) => b - a)
    .flatMap(([seq, items]) => {
      const full = powerBelow(Math.max(1, Math.floor(rowLimit(seq))));
      const batches: PlannedBatch[] = [];
      for (let at = 0; at < items.length;) {
        const rows = rowsFor(items.length - at, full);
        batches.push({ rows, seq, items: items.slice(at, at + rows) });
        at += rows;
      }
      return batches;
    });
}

const powerBelow = (n: number): number => 2 ** Math.floor(Math.log2(n));

function rowsFor(left: number, full: number): number {
  if (left >= full) return full;
  const below = powerBelow(left);
  const above = below * 2;
  return left * 4 >= above * 3 ? above : below;
}
