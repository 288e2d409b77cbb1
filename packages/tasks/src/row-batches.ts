/**
 * Encoded rows as padded batches. For training: examples of like length side by side, in an order drawn by (seed,
 * epoch), batches by number. For evaluation: each row once, sorted by length.
 *
 *   order of an epoch ─▶ spans of 50 batches, each sorted by length ─▶ batches ─▶ the order of the batches in a span,
 *   drawn too
 *
 * Row lengths are rounded up to 16, 32, 48, 64, 96, 128, 192, … (half again, a third again), so that few shapes are
 * compiled. What is left of a batch at the end of an epoch are blank rows: one token that nothing asks for.
 */
import { ConfigError } from "@cloze/errors";
import type { Batches } from "@cloze/data";
import { permute, RandomStream } from "@cloze/random";
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";
import type { EncodedRow } from "./task.ts";

/** Rows [first, first + count) that belong together. */
export interface RowGroup {
  readonly first: number;
  readonly count: number;
}

export interface RowBatchOptions {
  readonly seed: number;
  /** Groups in a batch. */
  readonly groupsPerBatch: number;
  readonly padId: number;
}

/** Batches without an end; a batch is of one epoch. */
export interface RowBatches extends Batches {
  readonly batchesPerEpoch: number;
}

const SPAN = 50;
const SMALLEST = 16;

/** The row length that holds `length` tokens. */
export function rowLength(length: number): number {
  let power = SMALLEST;
  while (power < length) power *= 2;
  const between = (power / 4) * 3;
  return between >= 48 && between >= length ? between : power;
}

export const singleRows = (count: number): readonly RowGroup[] =>
  Array.from({ length: count }, (_, first) => ({ first, count: 1 }));

export function rowBatches(
  rows: readonly EncodedRow[],
  groups: readonly RowGroup[],
  { seed, groupsPerBatch, padId }: RowBatchOptions,
): RowBatches {
  if (groups.length === 0) throw new ConfigError("training data: expected at least one example, got none.");
  if (!(Number.isSafeInteger(groupsPerBatch) && groupsPerBatch >= 1))
    throw new ConfigError(`rowBatches: expected a batch of 1 example or more, got ${groupsPerBatch}.`);
  const batchesPerEpoch = Math.ceil(groups.length / groupsPerBatch);
  const rowsPerBatch = groupsPerBatch * groups.reduce((n, { count }) => Math.max(n, count), 1);
  const longest = groups.map(({ first, count }) =>
    rows.slice(first, first + count).reduce((n, { ids }) => Math.max(n, ids.length), 1),
  );
  const planOf = (epoch: number): readonly Uint32Array[] => planEpoch(longest, groupsPerBatch, { seed, epoch });
  let latest = { epoch: 0, plan: planOf(0) };
  return {
    batchesPerEpoch,
    async batchAt(step: number): Promise<TokenBatch> {
      const epoch = Math.floor(step / batchesPerEpoch);
      if (latest.epoch !== epoch) latest = { epoch, plan: planOf(epoch) };
      const chosen = Array.from(latest.plan[step % batchesPerEpoch] as Uint32Array, (g) => groups[g] as RowGroup);
      return fillRows(
        rows,
        chosen.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i)),
        rowsPerBatch,
        padId,
      );
    },
  };
}

/** The groups of each batch of an epoch. */
function planEpoch(
  longest: readonly number[],
  size: number,
  key: { readonly seed: number; readonly epoch: number },
): readonly Uint32Array[] {
  const stream = new RandomStream(key.seed).split("examples").split(key.epoch);
  const all = Uint32Array.from(longest, (_, place) => permute(stream, longest.length, place));
  const batches: Uint32Array[] = [];
  for (let at = 0, span = 0; at < all.length; at += SPAN * size, span++) {
    // The sort is stable, so that groups of one length stay in the order that was drawn.
    const sorted = Array.from(all.subarray(at, at + SPAN * size)).sort(
      (a, b) => rowLength(longest[a] as number) - rowLength(longest[b] as number),
    );
    const cut = Array.from({ length: Math.ceil(sorted.length / size) }, (_, i) =>
      Uint32Array.from(sorted.slice(i * size, (i + 1) * size)),
    );
    const places = stream.split("batches").split(span);
    batches.push(...cut.map((_, i) => cut[permute(places, cut.length, i)] as Uint32Array));
  }
  return batches;
}

/** Rows of one evaluation batch, by their number. */
export interface PlannedRows {
  readonly numbers: readonly number[];
  readonly rows: number;
}

/** Every group once, the longest first; batches of at most `tokens`, of as many rows as a power of two. */
export function planRows(
  rows: readonly EncodedRow[],
  groups: readonly RowGroup[],
  tokens: number,
): readonly PlannedRows[] {
  const most = groups.reduce((n, { count }) => Math.max(n, count), 1);
  const byLength = new Map<number, RowGroup[]>();
  for (const group of groups) {
    const length = rowLength(
      rows.slice(group.first, group.first + group.count).reduce((n, { ids }) => Math.max(n, ids.length), 1),
    );
    const same = byLength.get(length);
    if (same) same.push(group);
    else byLength.set(length, [group]);
  }
  return [...byLength]
    .sort(([a], [b]) => b - a)
    .flatMap(([length, same]): PlannedRows[] => {
      const full = powerOfTwo(Math.max(1, Math.floor(tokens / length / most)));
      const planned: PlannedRows[] = [];
      for (let at = 0; at < same.length; at += full) {
        const part = same.slice(at, at + full);
        const size = part.length === full ? full : 2 ** Math.ceil(Math.log2(part.length));
        planned.push({
          numbers: part.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i)),
          rows: size * most,
        });
      }
      return planned;
    });
}

const powerOfTwo = (n: number): number => 2 ** Math.floor(Math.log2(n));

/** The rows of these numbers, padded to one length, and blank ones up to `count`. `sequences` names rows by number. */
export function fillRows(
  rows: readonly EncodedRow[],
  numbers: readonly number[],
  count: number,
  padId: number,
): TokenBatch {
  const length = rowLength(numbers.reduce((n, number) => Math.max(n, (rows[number] as EncodedRow).ids.length), 1));
  const size = count * length;
  const ids = new Int32Array(size).fill(padId);
  const segments = new Int32Array(size);
  const positions = new Int32Array(size);
  const types = new Int32Array(size);
  const sequences: PackedSequence[] = [];
  for (let row = 0; row < count; row++) {
    const number = numbers[row];
    const held = number === undefined ? undefined : rows[number];
    const at = row * length;
    const filled = held?.ids.length ?? 1;
    segments.fill(1, at, at + filled);
    for (let i = 0; i < filled; i++) positions[at + i] = i;
    if (held === undefined || number === undefined) continue;
    ids.set(held.ids, at);
    if (held.types) types.set(held.types, at);
    sequences.push({ example: number, row, start: 0, length: filled });
  }
  const typed = numbers.some((number) => rows[number]?.types !== undefined);
  return { rows: count, length, ids, segments, positions, sequences, ...(typed && { types }) };
}
