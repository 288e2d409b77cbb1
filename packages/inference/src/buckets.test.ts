import { describe, expect, it } from "vitest";
import { lengthBucket, planBatches } from "./buckets.ts";

describe("lengthBucket", () => {
  it("rounds up", () => {
    expect([1, 32, 33, 64, 65, 97, 129, 200, 300, 500, 513, 800, 1025, 1537].map(lengthBucket)).toEqual([
      32, 32, 64, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048,
    ]);
  });

  it("never pads more than half of a length above the smallest", () => {
    for (let n = 33; n < 5000; n++) {
      expect(lengthBucket(n)).toBeGreaterThanOrEqual(n);
      expect(lengthBucket(n)).toBeLessThan(2 * n);
    }
  });
});

describe("planBatches", () => {
  const plan = (lengths: readonly number[], tokens: number): (readonly [number, number, number])[] =>
    planBatches(lengths, (seq) => tokens / seq).map(({ rows, seq, items }) => [rows, seq, items.length] as const);

  it("takes each sequence once, within the limit", () => {
    const lengths = Array.from({ length: 500 }, (_, i) => 1 + ((i * 7919) % 900));
    const batches = planBatches(lengths, (seq) => 2048 / seq);
    expect(batches.flatMap(({ items }) => items).toSorted((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    for (const { rows, seq, items } of batches) {
      expect(rows === 1 || rows * seq <= 2048).toBe(true);
      expect(Math.log2(rows) % 1).toBe(0);
      expect(items.length * 4).toBeGreaterThanOrEqual(rows * 3);
      for (const i of items) expect(lengthBucket(lengths[i] as number)).toBe(seq);
    }
  });

  it("breaks up a rest by powers of two", () => {
    expect(plan(new Array<number>(7).fill(20), 2048)).toEqual([[8, 32, 7]]);
    expect(plan(new Array<number>(5).fill(20), 2048)).toEqual([
      [4, 32, 4],
      [1, 32, 1],
    ]);
    expect(plan(new Array<number>(5).fill(20), 100)).toEqual([
      [2, 32, 2],
      [2, 32, 2],
      [1, 32, 1],
    ]);
  });

  it("runs what is longer than the limit alone, the longest first", () => {
    expect(plan([10, 3000], 2048)).toEqual([
      [1, 3072, 1],
      [1, 32, 1],
    ]);
    expect(plan([], 2048)).toEqual([]);
  });
});
