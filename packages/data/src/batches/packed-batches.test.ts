import { describe, expect, it } from "vitest";
import type { TokenBatch } from "@cloze/tokenizer";
import type { PackedOptions } from "./batches.ts";
import { cropStart } from "../rows/crop.ts";
import { memoryDataset } from "../rows/memory-dataset.ts";
import { packWindow } from "../rows/pack-window.ts";
import { packedBatches } from "./packed-batches.ts";
import { paddedBatches } from "./padded-batches.ts";

const special = { start: 0, pad: 1, end: 2 };

/** Example i has `length(i)` tokens. The value of a token depends on its example and its place. */
function examples(count: number, length: (i: number) => number): number[][] {
  return Array.from({ length: count }, (_, i) => Array.from({ length: length(i) }, (_, t) => 10 + ((7 * i + t) % 200)));
}
const scattered = (i: number): number => 1 + ((Math.imul(i + 1, 2654435761) >>> 9) % 60);
const data = memoryDataset(examples(500, scattered));
const options: PackedOptions = { seed: 5, length: 64, rowsPerBatch: 4, special, window: 100 };

/** Checks everything that a TokenBatch promises, for packed and padded batches. */
function checkBatch(
  batch: TokenBatch,
  source: number[][],
  crop: (example: number, length: number) => readonly [from: number, kept: number],
): void {
  const { rows, length, ids, segments, positions, sequences } = batch;
  expect([ids.length, segments.length, positions.length]).toEqual([rows * length, rows * length, rows * length]);
  const covered = new Int32Array(rows * length);
  const next = new Map<number, { end: number; segment: number }>();
  for (const { example, row, start, length: tokens } of sequences) {
    const before = next.get(row) ?? { end: 0, segment: 0 };
    const at = row * length + start;
    expect(start).toBe(before.end);
    expect(start + tokens).toBeLessThanOrEqual(length);
    next.set(row, { end: start + tokens, segment: before.segment + 1 });
    const [from, kept] = crop(example, (source[example] as number[]).length);
    expect([...ids.subarray(at, at + tokens)]).toEqual([
      0,
      ...(source[example] as number[]).slice(from, from + kept),
      2,
    ]);
    expect([...segments.subarray(at, at + tokens)]).toEqual(Array.from({ length: tokens }, () => before.segment + 1));
    expect([...positions.subarray(at, at + tokens)]).toEqual(Array.from({ length: tokens }, (_, p) => p));
    covered.fill(1, at, at + tokens);
  }
  for (let i = 0; i < covered.length; i++)
    if (covered[i] === 0) expect([ids[i], segments[i], positions[i]]).toEqual([1, 0, 0]);
}

describe("packWindow", () => {
  it.each([
    [1, 8],
    [50, 64],
    [400, 64],
    [300, 1024],
    [200, 70_000],
  ])("puts %i items of up to the row into rows of %i", (count, rowLength) => {
    for (let seed = 0; seed < 5; seed++) {
      const lengths = Uint32Array.from(
        { length: count },
        (_, i) => (Math.imul(i + 1 + 1000 * seed, 2654435761) >>> 4) % (rowLength + 1),
      );
      const { rows, starts, items } = packWindow(lengths, rowLength);
      expect([...items].toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
      for (let row = 0; row < rows; row++) {
        const held = [...items.subarray(starts[row], starts[row + 1])].map((item) => lengths[item] as number);
        expect(held.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(rowLength);
      }
      const least = Math.ceil(lengths.reduce((a, b) => a + b, 0) / rowLength);
      const large = lengths.filter((length) => 2 * length > rowLength).length;
      expect(rows).toBeLessThanOrEqual(Math.ceil((11 / 9) * Math.max(least, large)) + 1);
    }
  });

  it("takes the fullest row that fits", () => {
    const { starts, items } = packWindow(Uint32Array.of(6, 5, 4, 3, 2), 10);
    expect([[...items.subarray(0, starts[1])], [...items.subarray(starts[1])]]).toEqual([
      [0, 2],
      [1, 3, 4],
    ]);
  });

  it("stops at a number of sequences", () => {
    expect(packWindow(new Uint32Array(10).fill(1), 64, 3).rows).toBe(4);
  });
});

describe("packedBatches", () => {
  const source = examples(500, scattered);
  const batches = packedBatches(data, options);

  it("holds every example once an epoch, for several epochs, across batches", async () => {
    const rows = batches.rowsIn(0) + batches.rowsIn(1) + batches.rowsIn(2);
    const byEpoch: number[][] = [[], [], []];
    for (let step = 0; step * 4 < rows; step++) {
      const batch = await batches.batchAt(step);
      checkBatch(batch, source, (_, length) => [0, length]);
      for (const { example, row } of batch.sequences) {
        const at = step * 4 + row;
        const epoch = at < batches.rowsIn(0) ? 0 : at < batches.rowsIn(0) + batches.rowsIn(1) ? 1 : 2;
        if (at < rows) byEpoch[epoch]?.push(example);
      }
    }
    for (const seen of byEpoch) expect(seen.toSorted((a, b) => a - b)).toEqual([...source.keys()]);
    expect(byEpoch[0]).not.toEqual(byEpoch[1]);
  });

  it("gives the same batch in any order of asking, from a fresh start", async () => {
    const later = packedBatches(data, options);
    for (const step of [200, 3, 77, 0, 199]) expect(await later.batchAt(step)).toEqual(await batches.batchAt(step));
    expect(await packedBatches(data, { ...options, seed: 6 }).batchAt(0)).not.toEqual(await batches.batchAt(0));
  });

  it("knows epochs", () => {
    const first = batches.rowsIn(0);
    expect(batches.epochOf(0)).toBe(0);
    expect(batches.epochOf(Math.ceil(first / 4))).toBe(1);
    expect(batches.firstStepOf(1)).toBe(Math.floor(first / 4));
    expect(batches.firstStepOf(0)).toBe(0);
    expect(batches.fillOf(0)).toBeGreaterThan(0.9);
  });

  it("does not put long sequences first", async () => {
    const lengths = await Promise.all(
      Array.from({ length: batches.firstStepOf(1) }, async (_, step) => (await batches.batchAt(step)).sequences.length),
    );
    const half = lengths.length >> 1;
    const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
    expect(Math.abs(mean(lengths.slice(0, half)) / mean(lengths.slice(half)) - 1)).toBeLessThan(0.1);
  });

  it("crops by (seed, epoch, example) and frames the crop", async () => {
    const few = examples(3, () => 300);
    const long = packedBatches(memoryDataset(few), { ...options, rowsPerBatch: 3 });
    const starts = new Set<number>();
    for (let epoch = 0; epoch < 20; epoch++) {
      checkBatch(await long.batchAt(epoch), few, (example) => {
        const from = cropStart(300, 62, { seed: 5, epoch, example });
        starts.add(from);
        return [from, 62];
      });
    }
    expect(starts.size).toBeGreaterThan(40);
    expect(Math.max(...starts)).toBeLessThanOrEqual(238);
    checkBatch(
      await packedBatches(memoryDataset(few), { ...options, maxSequence: 30, crop: "start" }).batchAt(0),
      few,
      () => [0, 28],
    );
  });

  it("keeps the data set's order without shuffling, up to the window", async () => {
    const still = packedBatches(data, { ...options, shuffle: false, window: 1 });
    expect((await still.batchAt(2)).sequences.map(({ example }) => example)).toEqual([8, 9, 10, 11]);
  });

  it("pads instead of packing where one sequence a row is asked for", async () => {
    const one = packedBatches(data, { ...options, sequencesPerRow: 1 });
    expect(one.rowsIn(0)).toBe(500);
    expect((await one.batchAt(3)).sequences.map(({ row, start }) => [row, start])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
  });

  it("takes data of one example, and framing of none", async () => {
    const single = packedBatches(memoryDataset([[5]]), { seed: 0, length: 4, rowsPerBatch: 2, special: { pad: 9 } });
    expect(await single.batchAt(7)).toMatchObject({
      ids: Int32Array.of(5, 9, 9, 9, 5, 9, 9, 9),
      segments: Int32Array.of(1, 0, 0, 0, 1, 0, 0, 0),
    });
    expect(single.epochOf(7)).toBe(14);
  });

  it("refuses what cannot work", async () => {
    expect(() => packedBatches(memoryDataset([]), options)).toThrow(/expected a data set with examples/);
    expect(() => packedBatches(data, { ...options, length: 2 })).toThrow(/maxSequence to be an integer from 3/);
    expect(() => packedBatches(data, { ...options, maxSequence: 65 })).toThrow(/to length 64, got 65/);
    expect(() => packedBatches(data, { ...options, rowsPerBatch: 0 })).toThrow(/rowsPerBatch/);
    await expect(batches.batchAt(-1)).rejects.toThrow(/step of 0 or more/);
  });
});

describe("paddedBatches", () => {
  it("holds every example once, in few shapes", async () => {
    const source = examples(300, (i) => 1 + ((i * 37) % 250));
    const padded = paddedBatches(memoryDataset(source), { special, maxSequence: 200, tokensPerBatch: 1024 });
    const seen: number[] = [];
    const shapes = new Set<string>();
    for (let step = 0; step < padded.count; step++) {
      const batch = await padded.batchAt(step);
      checkBatch(batch, source, (_, length) => [0, Math.min(length, 198)]);
      expect(new Set(batch.sequences.map(({ row }) => row)).size).toBe(batch.sequences.length);
      seen.push(...batch.sequences.map(({ example }) => example));
      shapes.add(`${batch.rows}x${batch.length}`);
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual([...source.keys()]);
    expect([...shapes]).toEqual(["16x64", "8x128", "5x200"]);
    await expect(padded.batchAt(padded.count)).rejects.toThrow(/expected a batch from 0 to/);
  });

  it("takes an empty data set, and refuses buckets that are too short", () => {
    expect(paddedBatches(memoryDataset([]), { special, maxSequence: 64 }).count).toBe(0);
    expect(() => paddedBatches(data, { special, maxSequence: 100, buckets: [32, 64] })).toThrow(
      /end at maxSequence 100/,
    );
    expect(() => paddedBatches(data, { special, maxSequence: 64, buckets: [64, 64] })).toThrow(/to ascend/);
  });
});
