// Batches by number: every example once in an epoch, groups whole, and the same batch at every call.
import { RandomStream } from "@cloze/random";
import { describe, expect, it } from "vitest";
import { rowBatches, rowLength, type EncodedRow, type RowGroup } from "../src/index.ts";
import { planRows, singleRows } from "../src/row-batches.ts";

const stream = new RandomStream(7).split("rows");
const rows = Array.from({ length: 130 }, (_, i): EncodedRow => {
  const length = 3 + stream.below(60, i);
  const ids = new Int32Array(length).fill(i + 1);
  return { ids, offsets: new Int32Array(2 * length), words: ids, sequences: ids, truncated: 0 };
});
const pairs: readonly RowGroup[] = Array.from({ length: 65 }, (_, i) => ({ first: 2 * i, count: 2 }));

describe("rowBatches", () => {
  it.each([
    ["single rows", singleRows(rows.length), 1],
    ["groups of two", pairs, 2],
  ] as const)("%s: each once an epoch, in another order the next", async (_name, groups, width) => {
    const batches = rowBatches(rows, groups, { seed: 3, groupsPerBatch: 8, padId: 0 });
    const orders: number[][] = [];
    for (const epoch of [0, 1]) {
      const seen: number[] = [];
      for (let i = 0; i < batches.batchesPerEpoch; i++) {
        const batch = await batches.batchAt(epoch * batches.batchesPerEpoch + i);
        expect(batch.rows).toBe(8 * width);
        for (const { example, row, length } of batch.sequences) {
          seen.push(example);
          expect(batch.ids[row * batch.length]).toBe(example + 1);
          expect(length).toBe(rows[example]?.ids.length);
        }
        if (width === 2) batch.sequences.forEach(({ example }, at) => expect(example % 2).toBe(at % 2));
      }
      expect([...seen].sort((a, b) => a - b)).toEqual(rows.map((_row, i) => i));
      orders.push(seen);
    }
    expect(orders[0]).not.toEqual(orders[1]);
  });

  it("are a function of seed and number", async () => {
    const made = (seed: number): ReturnType<typeof rowBatches> =>
      rowBatches(rows, singleRows(rows.length), { seed, groupsPerBatch: 16, padId: 0 });
    const late = await made(1).batchAt(20);
    const batches = made(1);
    for (let i = 0; i < 20; i++) await batches.batchAt(i);
    expect(await batches.batchAt(20)).toEqual(late);
    expect(await made(2).batchAt(20)).not.toEqual(late);
  });

  it("waste little on padding, and compile few shapes", async () => {
    const batches = rowBatches(rows, singleRows(rows.length), { seed: 3, groupsPerBatch: 8, padId: 0 });
    const shapes = new Set<number>();
    let tokens = 0;
    let room = 0;
    for (let i = 0; i < batches.batchesPerEpoch; i++) {
      const { rows: count, length, sequences } = await batches.batchAt(i);
      shapes.add(length);
      room += count * length;
      tokens += sequences.reduce((n, s) => n + s.length, 0);
    }
    expect(shapes.size).toBeLessThanOrEqual(5);
    expect(tokens / room).toBeGreaterThan(0.65);
  });

  it("refuse nothing to train on", () =>
    expect(() => rowBatches([], [], { seed: 0, groupsPerBatch: 1, padId: 0 })).toThrow(
      /at least one example, got none/,
    ));
});

describe("planRows", () => {
  it("holds every row once, within the tokens of a batch", () => {
    const planned = planRows(rows, singleRows(rows.length), 256);
    expect(planned.flatMap(({ numbers }) => numbers).sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
    for (const { numbers, rows: count } of planned) {
      expect(count).toBeGreaterThanOrEqual(numbers.length);
      expect(count * Math.max(...numbers.map((n) => rowLength(rows[n]?.ids.length ?? 0)))).toBeLessThanOrEqual(256);
    }
  });

  it("rounds lengths up to few", () =>
    expect([1, 16, 17, 33, 49, 65, 97, 200].map(rowLength)).toEqual([16, 16, 32, 48, 64, 96, 128, 256]));
});
