/**
 * Which sequences run together. Lengths are rounded up to buckets and rows to powers of two, so that a stream of any
 * lengths needs a few dozen compiled shapes and pays little for padding.
 *
 *   lengths   32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, … (half again, a third again)
 *   rows      a full batch is the largest power of two within its limit; a rest is 2^k rows with at most a quarter of
 *             them
 *             empty, and what is left over after that again: 7 -> 8, 5 -> 4 + 1
 */

export interface PlannedBatch {
  readonly rows: number;
  readonly seq: number;
  /** Places in the list of lengths; at most `rows` of them. */
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

/** The longest batches first. `rowLimit` says how many rows of a bucket fit; less than one counts as one. */
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
