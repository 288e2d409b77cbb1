/**
 * Padded batches of encoded rows. For training: examples of similar length together, in a random order drawn by (seed,
 * epoch), batches by number. For evaluation: each row once, sorted by length.
 *
 *   order of an epoch ─▶ spans of 50 batches, each sorted by length ─▶ batches ─▶ a random order of the batches
 *   within each span
 *
 * Row lengths are rounded up to 16, 32, 48, 64, 96, 128, 192, … (each 1/2 or 1/3 larger than the previous one), so that
 * few shapes are compiled. The last batch of an epoch is filled with blank rows: rows of one token without a target.
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
  /** Number of groups in a batch. */
  readonly groupsPerBatch: number;
  readonly padId: number;
}

/** An endless sequence of batches. Each batch belongs to one epoch. */
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
    // The sort is stable, so that groups of one length stay in their random order.
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

/** The rows of one evaluation batch, by number. `rows`: the size of the batch, blank rows included. */
export interface PlannedRows {
  readonly numbers: readonly number[];
  readonly rows: number;
}

/**
 * Batches that contain every group once, the longest first. The number of groups in a batch is a power of two, and the
 * batch has at most `tokens` tokens. A group with more tokens gets its own batch.
 */
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

/**
 * A batch of the rows with these numbers, padded to one length, with blank rows up to `count` rows. `sequences` names
 * each row by its number.
 */
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
