import { describe, expect, it } from "vitest";
import { HashSet } from "../corpus/hash-set.ts";
import { memoryDataset, type MemoryDataset } from "./memory-dataset.ts";
import { memoryDocuments } from "./document-dataset.ts";
import { mix } from "./mix.ts";
import { mixDocuments } from "./mix-documents.ts";
import { packedBatches } from "../batches/packed-batches.ts";
import { windowed } from "./windows.ts";
import type { Dataset } from "./dataset.ts";

/** Example i of a part holds the token `part * 1e6 + i`, repeated `lengthOf(i)` times. */
const part = (number: number, size: number, lengthOf: (i: number) => number = () => 1): MemoryDataset =>
  memoryDataset(Array.from({ length: size }, (_, i) => new Uint32Array(lengthOf(i)).fill(number * 1e6 + i)));
const read = (dataset: Dataset, example: number, epoch?: number): number[] => [
  ...(dataset.read(example, epoch) as Uint32Array),
];

describe("mix", () => {
  const cases: readonly (readonly (readonly [size: number, weight: number])[])[] = [
    [
      [3, 0.75],
      [1, 0.25],
    ],
    [
      [1000, 1],
      [1000, 1],
    ],
    [
      [5000, 0.7],
      [100, 0.3],
    ],
    [
      [10, 0.01],
      [20_000, 0.99],
    ],
    [
      [333, 2],
      [4444, 5],
      [77, 1],
    ],
    [[1, 1]],
    [
      [5, 1],
      [5, 1000],
    ],
    [
      [9000, 1],
      [30, 0.001],
      [1, 0.0005],
    ],
  ];

  it.each(cases.map((sizes) => [sizes] as const))(
    "of %j: an order that is a permutation, in proportion everywhere",
    (sizes) => {
      const mixed = mix(sizes.map(([size, weight], j) => ({ dataset: part(j, size), weight })));
      const { size, counts } = mixed;
      expect(size).toBe(counts.reduce((n, count) => n + count, 0));
      sizes.forEach(([have], j) => expect(counts[j]).toBeGreaterThanOrEqual(have));
      expect(sizes.some(([have], j) => counts[j] === have)).toBe(true);
      const weights = sizes.reduce((n, [, weight]) => n + weight, 0);
      sizes.forEach(([have, weight], j) => {
        if (counts[j] !== have) expect((counts[j] as number) / size).toBeCloseTo(weight / weights, 2);
      });

      const partOf = (example: number): number => Math.floor((read(mixed, example)[0] as number) / 1e6);
      const orders = [0, 1].map((epoch) => {
        const order = mixed.orderOf({ seed: 3, epoch });
        return Array.from({ length: size }, (_, place) => order(place));
      });
      for (const order of orders) {
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
        // At a border between windows, the places before the border hold the share of each part, within one.
        const needed = Math.max(1024, Math.ceil((4 * size) / Math.min(...counts)));
        const windows = Math.max(1, Math.floor(size / needed));
        const held = counts.map(() => 0);
        let window = 1;
        for (const [place, example] of order.entries()) {
          const j = partOf(example);
          held[j] = (held[j] as number) + 1;
          if (place + 1 !== Math.floor((window * size) / windows)) continue;
          counts.forEach((count, k) =>
            expect(Math.abs((held[k] as number) - (count / size) * (place + 1))).toBeLessThanOrEqual(1),
          );
          window++;
        }
        expect(window).toBe(windows + 1);
      }
      if (size > 20) expect(orders[0]).not.toEqual(orders[1]);
      // Any place of any epoch, in any order.
      const again = mixed.orderOf({ seed: 3, epoch: 1 });
      for (let draw = 0; draw < 200; draw++) {
        const place = (draw * 7919) % size;
        expect(again(place)).toBe(orders[1]?.[place]);
      }
    },
  );

  it("shows every example of every part, and repeats evenly", () => {
    const mixed = mix([
      { dataset: part(0, 700), weight: 0.5 },
      { dataset: part(1, 40), weight: 0.5 },
    ]);
    const times = new Map<number, number>();
    for (let i = 0; i < mixed.size; i++) {
      const [value = -1] = read(mixed, i);
      times.set(value, (times.get(value) ?? 0) + 1);
    }
    expect(times.size).toBe(740);
    expect(mixed.counts).toEqual([700, 700]);
    for (const [value, count] of times) expect(count).toBeGreaterThanOrEqual(value < 1e6 ? 1 : 17);
    expect(Math.max(...times.values())).toBe(18);
    // An unfinished pass does not repeat the beginning of the part.
    expect(Array.from({ length: 20 }, (_, i) => 1e6 + i).every((value) => times.get(value) === 18)).toBe(false);
  });

  it("by tokens: as many tokens of each", () => {
    const mixed = mix(
      [
        { dataset: part(0, 3000, (i) => 20 + (i % 10)), weight: 0.3 },
        { dataset: part(1, 1000, () => 2), weight: 0.7 },
      ],
      { by: "tokens" },
    );
    const tokens = [0, 0];
    for (let i = 0; i < mixed.size; i++) {
      const j = Math.floor((read(mixed, i)[0] as number) / 1e6);
      tokens[j] = (tokens[j] as number) + mixed.lengthOf(i);
    }
    expect((tokens[1] as number) / ((tokens[0] as number) + (tokens[1] as number))).toBeCloseTo(0.7, 2);
  });

  it("goes into batches in proportion, and resumes at any of them", async () => {
    const mixed = mix([
      { dataset: part(0, 4000), weight: 3 },
      { dataset: part(1, 4000), weight: 1 },
    ]);
    const options = { seed: 5, length: 64, rowsPerBatch: 8, window: 512, special: { pad: 0 } };
    const batches = packedBatches(mixed, options);
    const counts = [0, 0];
    for (let step = 0; step < 8; step++)
      for (const id of (await batches.batchAt(step)).ids)
        counts[id < 1e6 ? 0 : 1] = (counts[id < 1e6 ? 0 : 1] as number) + 1;
    expect((counts[0] as number) / (8 * 512)).toBeCloseTo(0.75, 2);
    expect(await packedBatches(mixed, options).batchAt(7)).toEqual(await batches.batchAt(7));
    expect(batches.recipe?.dataset.kind).toBe("mix");
  });

  it("refuses what cannot be mixed", () => {
    expect(() => mix([])).toThrow(/expected at least one part/);
    for (const weight of [0, -1, NaN, Infinity])
      expect(() => mix([{ dataset: part(0, 1), weight }])).toThrow(
        /expected the weight of part 1 to be a number above 0/,
      );
    expect(() =>
      mix([
        { dataset: part(0, 1), weight: 1 },
        { dataset: memoryDataset([]), weight: 1 },
      ]),
    ).toThrow(/expected examples in part 2, got none/);
    expect(() =>
      mix([
        { dataset: part(0, 1000), weight: 1e-9 },
        { dataset: part(1, 1), weight: 1 },
      ]),
    ).toThrow(/would take 1\.0e\+12 examples/);
  });
});

describe("mixDocuments", () => {
  it("has each document whole, as often as its part's weight asks", () => {
    const parts = [40, 7, 15].map((documents, j) =>
      memoryDocuments(
        Array.from({ length: documents }, (_, d) =>
          Array.from({ length: 1 + (d % 3) }, (__, s) => [j * 10_000 + d * 10 + s, 1]),
        ),
      ),
    );
    const mixed = mixDocuments(parts.map((dataset, j) => ({ dataset, weight: [4, 2, 2][j] as number })));
    const times = new Map<string, number>();
    let next = 0;
    for (let d = 0; d < mixed.documents; d++) {
      const [first, end] = mixed.sentencesOf(d);
      const heads = Array.from({ length: end - first }, (_, s) => read(mixed, first + s)[0] as number);
      const [head = -1] = heads;
      expect([first, mixed.lengthOf(first)]).toEqual([next, 2]);
      expect(heads).toEqual(heads.map((_, s) => head + s));
      expect(heads.length).toBe(1 + (Math.floor((head % 10_000) / 10) % 3));
      times.set(String(head), (times.get(String(head)) ?? 0) + 1);
      next = end;
    }
    expect([next, times.size]).toEqual([mixed.size, 62]);
    const of = (j: number): number =>
      [...times].filter(([head]) => Math.floor(Number(head) / 10_000) === j).reduce((n, [, count]) => n + count, 0);
    expect([of(0), of(1), of(2)]).toEqual([40, 20, 20]);
  });
});

describe("windowed", () => {
  const documents = memoryDataset(
    Array.from({ length: 60 }, (_, d) => Uint32Array.from({ length: 1 + ((d * 37) % 97) }, (__, t) => d * 1000 + t)),
  );

  it.each([1, 2, 7, 10, 96, 97, 500])("of %i tokens tile each document in every epoch", (length) => {
    const windows = windowed(documents, { length, seed: 2 });
    let moved = false;
    for (const epoch of [0, 1, 2, 9]) {
      const seen: number[] = [];
      for (let i = 0; i < windows.size; i++) {
        const tokens = read(windows, i, epoch);
        expect(tokens.length).toBe(windows.lengthOf(i));
        expect(tokens.length).toBeLessThanOrEqual(length);
        expect(tokens).toEqual(tokens.map((_, t) => (tokens[0] as number) + t));
        seen.push(...tokens);
        moved ||= tokens[0] !== read(windows, i, 0)[0];
      }
      expect(seen.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: documents.size }, (_, d) => read(documents, d)).flat(),
      );
    }
    if (length === 7 || length === 10) expect(moved).toBe(true);
    if (length >= 97) expect([moved, windows.size]).toEqual([false, documents.size]);
  });

  it("reads nothing but the window, where the data set can", async () => {
    const asked: number[][] = [];
    const dataset: Dataset = {
      size: 1,
      lengthOf: () => 1e9,
      read: () => {
        throw new RangeError("all of it");
      },
      slice: async (_, from, until) => {
        asked.push([from, until]);
        return new Uint8Array(until - from);
      },
    };
    const windows = windowed(dataset, { length: 100, seed: 0 });
    expect([windows.size, (await windows.read(9_999_999, 3)).length]).toEqual([1e7, 100]);
    expect((asked[0]?.[1] ?? 0) - (asked[0]?.[0] ?? 0)).toBe(100);
    const { slice: _, ...plain } = documents;
    const asynchronous: Dataset = {
      ...plain,
      size: documents.size,
      lengthOf: (i) => documents.lengthOf(i),
      read: async (i) => documents.read(i),
    };
    const [one, other] = [windowed(documents, { length: 9, seed: 1 }), windowed(asynchronous, { length: 9, seed: 1 })];
    for (let i = 0; i < one.size; i++) expect(await other.read(i, 1)).toEqual(one.read(i, 1));
  });

  it("refuses lengths that are none", () => {
    for (const length of [0, 1.5, -1])
      expect(() => windowed(documents, { length, seed: 0 })).toThrow(/expected length to be a positive integer/);
    expect(() => windowed(documents, { length: 5, seed: 0 }).read(1e6)).toThrow(/expected an example from 0 to/);
  });
});

describe("HashSet", () => {
  it("is a set", () => {
    const set = new HashSet();
    const known = new Set<string>();
    let state = 1;
    const draw = (below: number): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below;
    for (let i = 0; i < 20_000; i++) {
      const hash = i % 3 === 0 ? { high: 0, low: draw(5000) } : { high: draw(200), low: draw(100) * 65_536 };
      const key = `${hash.high} ${hash.low}`;
      if (set.add(hash) === known.has(key)) throw new RangeError(`${key} is wrong`);
      known.add(key);
    }
    expect(set.size).toBe(known.size);
  });
});
