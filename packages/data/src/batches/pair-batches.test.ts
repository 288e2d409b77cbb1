import { describe, expect, it } from "vitest";
import { RandomStream } from "@cloze/random";
import type { TokenBatch } from "@cloze/tokenizer";
import { memoryDocuments, type DocumentDataset } from "../rows/document-dataset.ts";
import type { PairOptions } from "./batches.ts";
import { memoryDataset } from "../rows/memory-dataset.ts";
import { mixDocuments } from "../rows/mix-documents.ts";
import { openBatches } from "./open-batches.ts";
import { pairBatches, pairEvaluationBatches } from "./pair-batches.ts";
import { longestFirst, pairDraws, pairsOfDocument } from "../rows/pair-document.ts";
import { prefetch } from "./prefetch.ts";
import { flatten, unflatten } from "./worker-protocol.ts";

const special = { pad: 0, start: 1, end: 2 };
const FIRST = 10;

/**
 * Documents of 1 to 12 sentences of 1 to `most` tokens. Every token of sentence s is FIRST + s, so that an id tells its
 * sentence.
 */
function corpus(documents: number, most = 9): DocumentDataset {
  const draw = new RandomStream(77).split("corpus");
  let sentence = 0;
  return memoryDocuments(
    Array.from({ length: documents }, (_, d) =>
      Array.from({ length: 1 + draw.split(d).below(12, 0) }, (_, i) => {
        const token = FIRST + sentence++;
        return Array.from({ length: 1 + draw.split(d).below(most, i + 1) }, () => token);
      }),
    ),
  );
}
const data = corpus(60);
const options: PairOptions = { seed: 3, length: 48, rowsPerBatch: 4, special, second: "random" };

interface Pair {
  /** The numbers of the sentences in the text, each once, in order. */
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly label: number;
  /** Whether tokens may have been dropped, and whole sentences with them. */
  readonly cut: boolean;
  readonly tokens: number;
}

const documentOf = (source: DocumentDataset, sentence: number): number => {
  for (let d = 0; d < source.documents; d++) if (sentence < source.sentencesOf(d)[1]) return d;
  return -1;
};

/** The pairs in the rows, found from ids and types alone. Also checks everything that a TokenBatch promises. */
function pairsIn(batch: TokenBatch): Pair[] {
  const { rows, length, ids, segments, positions, types = new Int32Array(0), sequences } = batch;
  const covered = new Uint8Array(rows * length);
  const next = new Map<number, number>();
  expect([ids, segments, positions, types].map((x) => x.length)).toEqual([1, 1, 1, 1].map(() => rows * length));
  const pairs = sequences.flatMap(({ row, start, length: size, pair }): Pair[] => {
    const at = row * length + start;
    const own = Array.from(ids.subarray(at, at + size));
    const second = pair?.second ?? size;
    const number = (next.get(row) ?? 0) + 1;
    next.set(row, number);
    covered.fill(1, at, at + size);
    expect(start + size).toBeLessThanOrEqual(length);
    expect([own[0], own[second - 1], own.at(-1)]).toEqual([1, 2, 2]);
    expect(Array.from(types.subarray(at, at + size))).toEqual(own.map((_, i) => (i < second ? 0 : 1)));
    expect(Array.from(segments.subarray(at, at + size))).toEqual(own.map(() => number));
    expect(Array.from(positions.subarray(at, at + size))).toEqual(own.map((_, i) => i));
    const text = (part: number[]): number[] => [...new Set(part.filter((id) => id >= FIRST).map((id) => id - FIRST))];
    expect(own.filter((id) => id < FIRST)).toEqual(pair === undefined ? [1, 2] : [1, 2, 2]);
    return [
      {
        a: text(own.slice(0, second)),
        b: text(own.slice(second)),
        label: pair?.label ?? -1,
        cut: size === length,
        tokens: size,
      },
    ];
  });
  covered.forEach((c, i) => {
    if (c === 0) expect([ids[i], segments[i], positions[i], types[i]]).toEqual([0, 0, 0, 0]);
  });
  return pairs;
}

async function epochPairs(source: DocumentDataset, given: PairOptions, epoch = 0): Promise<Pair[]> {
  const batches = pairBatches(source, { ...given, rowsPerBatch: 1 });
  const first = batches.firstStepOf(epoch);
  const all: Pair[] = [];
  for (let step = first; step < first + batches.rowsIn(epoch); step++)
    all.push(...pairsIn(await batches.batchAt(step)));
  return all;
}

/** The errors in the labels of next-sentence pairs, by BERT's rule: 0 for the text that follows, and for no other. */
function wrongLabels(pairs: readonly Pair[], source: DocumentDataset): Set<string> {
  const wrong = new Set<string>();
  for (const { a, b, label, cut } of pairs) {
    const [from, to] = [a.at(-1) ?? -1, b[0] ?? -1];
    const same = documentOf(source, from) === documentOf(source, to);
    const follows = same && (cut ? to >= from : to === from + 1);
    if (label === 0 && !follows) wrong.add("called next and is not");
    if (label === 1 && follows) wrong.add("called random and is the next");
    if (label === 1 && same) wrong.add("random text of the same document");
  }
  return wrong;
}

describe("next-sentence pairs", () => {
  it("have label 0 where B followed A, and 1 where it is of another document", async () => {
    for (const length of [16, 48, 512])
      expect(wrongLabels(await epochPairs(data, { ...options, length }), data)).toEqual(new Set());
  });

  it("are held to labels that a known implementation gets wrong: 1 for the next, and random lines of anywhere", () => {
    // The method of codertimo/BERT-pytorch, dataset/dataset.py: a line and the next with isNext = 1, or a random line
    // from the whole corpus.
    const draw = new RandomStream(1);
    const documents = corpus(4);
    const theirs = Array.from({ length: 400 }, (_, i): Pair => {
      const from = draw.split("line").below(documents.size - 1, i);
      const coin = draw.uniform(i) > 0.5;
      return {
        a: [from],
        b: [coin ? from + 1 : draw.split("any").below(documents.size, i)],
        label: coin ? 1 : 0,
        cut: false,
        tokens: 0,
      };
    });
    expect(wrongLabels(theirs, documents)).toEqual(
      new Set(["called next and is not", "called random and is the next", "random text of the same document"]),
    );
    // With the labels swapped, the random lines are still not random texts of another document.
    expect(
      wrongLabels(
        theirs.map((p) => ({ ...p, label: 1 - p.label })),
        documents,
      ),
    ).toContain("random text of the same document");
  });

  it("hold every sentence of every document once an epoch, as a text of its own", async () => {
    for (const epoch of [0, 1]) {
      const pairs = await epochPairs(data, { ...options, length: 256, shortRate: 0.5 }, epoch);
      const own = pairs.flatMap(({ a, b, label }) => (label === 1 ? a : [...a, ...b])).toSorted((x, y) => x - y);
      expect(own).toEqual(Array.from({ length: data.size }, (_, s) => s));
    }
  });

  it("are random in half of the cases, and always where one sentence is all there is", async () => {
    const long = memoryDocuments(Array.from({ length: 20 }, () => Array.from({ length: 300 }, () => [10, 10, 10, 10])));
    const batches = pairBatches(long, { ...options, rowsPerBatch: 64, length: 64 });
    const labels: number[] = [];
    for (let step = 0; step < 6; step++)
      for (const { pair } of (await batches.batchAt(step)).sequences) labels.push(pair?.label ?? -1);
    expect(Math.abs(labels.reduce((n, x) => n + x, 0) / labels.length - 0.5)).toBeLessThan(
      4 * Math.sqrt(0.25 / labels.length),
    );
    const single = memoryDocuments(Array.from({ length: 9 }, () => [[10, 11]]));
    expect((await epochPairs(single, options)).every(({ label }) => label === 1)).toBe(true);
  });

  it("reach the target length, but for the share of documents that have a shorter one", () => {
    const long = memoryDocuments(Array.from({ length: 400 }, () => Array.from({ length: 40 }, () => [10, 10])));
    const rule = { second: "random", longest: 30, shortRate: 0.1 } as const;
    const draws = pairDraws(1, 0);
    const targets = Array.from({ length: 400 }, (_, d) =>
      Math.max(...pairsOfDocument(long, d, rule, draws).map(({ a, b }) => a.kept + (b?.kept ?? 0))),
    );
    const short = targets.filter((t) => t < 30).length;
    expect(Math.abs(short - 40)).toBeLessThan(4 * Math.sqrt(400 * 0.09));
    expect(Math.min(...targets)).toBeLessThan(8);
  });

  it("are cut at both ends, never beyond the row, and equally often", async () => {
    const long = corpus(40, 60);
    const pairs = await epochPairs(long, { ...options, length: 32 });
    expect(Math.max(...pairs.map(({ tokens }) => tokens))).toBe(32);
    expect(pairs.filter(({ cut }) => cut).length).toBeGreaterThan(20);
    // Tokens count up inside a sentence, so they tell where the sentence was cut.
    const counting = memoryDocuments(Array.from({ length: 50 }, () => [Array.from({ length: 200 }, (_, t) => 10 + t)]));
    const fronts: number[] = [];
    const batches = pairBatches(counting, { ...options, length: 103, rowsPerBatch: 1 });
    for (let step = 0; step < 50; step++) {
      const { ids } = await batches.batchAt(step);
      const a = ids.indexOf(2) - 1;
      const b = ids.lastIndexOf(2) - ids.indexOf(2) - 1;
      expect([a, b]).toEqual([50, 50]);
      fronts.push((ids[1] as number) - 10, (ids[a + 2] as number) - 10);
    }
    const mean = fronts.reduce((n, x) => n + x, 0) / fronts.length;
    expect(Math.abs(mean - 75)).toBeLessThan(4 * Math.sqrt(150 / 4 / 100));
    expect(new Set(fronts).size).toBeGreaterThan(10);
  });
});

describe("sentence-order pairs", () => {
  const swapped: PairOptions = { ...options, second: "swapped" };

  it("are neighbours in one document, in order with label 0 and swapped with label 1", async () => {
    const pairs = await epochPairs(data, { ...swapped, length: 256 });
    const seen = [0, 0];
    for (const { a, b, label } of pairs) {
      const [first, then] = label === 1 ? [b, a] : [a, b];
      expect([...first, ...then]).toEqual(
        Array.from({ length: a.length + b.length }, (_, i) => (first[0] as number) + i),
      );
      expect(new Set([...a, ...b].map((s) => documentOf(data, s))).size).toBe(1);
      if (label >= 0) seen[label] = (seen[label] ?? 0) + 1;
    }
    const [inOrder = 0, turned = 0] = seen;
    expect(Math.abs(turned - inOrder)).toBeLessThan(4 * Math.sqrt(turned + inOrder));
    expect(turned + inOrder).toBeGreaterThan(40);
  });

  it("leave what has no neighbour a single text, and lose nothing", async () => {
    const pairs = await epochPairs(data, { ...swapped, length: 256, shortRate: 0.5 });
    const single = pairs.filter(({ label }) => label === -1);
    expect(pairs.flatMap(({ a, b }) => [...a, ...b]).toSorted((x, y) => x - y)).toEqual(
      Array.from({ length: data.size }, (_, s) => s),
    );
    expect(single.length).toBeGreaterThan(0);
    for (const { a, b } of single) expect([a.length, b.length]).toEqual([1, 0]);
  });
});

describe("pairBatches", () => {
  it("gives the same batch in any order of asking, from a fresh start, and another for another seed and epoch", async () => {
    const batches = pairBatches(data, options);
    const steps = batches.firstStepOf(3);
    const later = pairBatches(data, options);
    for (const step of [steps, 3, steps - 1, 0, 7])
      expect(await later.batchAt(step)).toEqual(await batches.batchAt(step));
    expect(await pairBatches(data, { ...options, seed: 4 }).batchAt(0)).not.toEqual(await batches.batchAt(0));
    const texts = (pairs: Pair[]): string[] => pairs.map(({ a, b }) => `${a.join()}|${b.join()}`).toSorted();
    expect(texts(await epochPairs(data, options, 0))).not.toEqual(texts(await epochPairs(data, options, 1)));
  });

  it("knows epochs and how full they are", async () => {
    const batches = pairBatches(data, { ...options, length: 128 });
    const first = batches.rowsIn(0);
    expect([
      batches.epochOf(0),
      batches.epochOf(Math.ceil(first / 4)),
      batches.firstStepOf(0),
      batches.firstStepOf(1),
    ]).toEqual([0, 1, 0, Math.floor(first / 4)]);
    const tokens = (await epochPairs(data, { ...options, length: 128 })).reduce((n, p) => n + p.tokens, 0);
    expect(batches.fillOf(0)).toBeCloseTo(tokens / (first * 128), 12);
    expect(batches.fillOf(0)).toBeGreaterThan(0.85);
  });

  it("puts one pair in a row where asked for", async () => {
    for (const { row, start } of (await pairBatches(data, { ...options, sequencesPerRow: 1 }).batchAt(2)).sequences)
      expect([row >= 0, start]).toEqual([true, 0]);
  });

  it("keys each pair of an epoch by a number of its own", async () => {
    const batches = pairBatches(data, { ...options, rowsPerBatch: 1 });
    const seen: number[] = [];
    for (let step = 0; step < batches.rowsIn(0); step++)
      seen.push(...(await batches.batchAt(step)).sequences.map(({ example }) => example));
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("evaluates on the same pairs, each once, with blank rows at the end", async () => {
    const evaluation = pairEvaluationBatches(data, { length: 64, rowsPerBatch: 4, special, second: "random" });
    const pairs: Pair[] = [];
    for (let i = 0; i < evaluation.count; i++) pairs.push(...pairsIn(await evaluation.batchAt(i)));
    expect(pairs.flatMap(({ a, b, label }) => (label === 1 ? a : [...a, ...b])).length).toBeGreaterThan(
      0.9 * data.size,
    );
    expect(wrongLabels(pairs, data)).toEqual(new Set());
    const last = await evaluation.batchAt(evaluation.count - 1);
    const other = pairEvaluationBatches(data, { length: 64, rowsPerBatch: 3, special, second: "random" });
    expect(last.rows).toBe(4);
    expect((await other.batchAt(0)).ids).toEqual((await evaluation.batchAt(0)).ids.subarray(0, 192));
    await expect(evaluation.batchAt(evaluation.count)).rejects.toThrow(/expected a batch from 0 to/);
  });

  it("never takes the same document for another where a mixture repeats it", async () => {
    const few = memoryDocuments([[[10], [11], [12], [13]]]);
    const many = memoryDocuments(Array.from({ length: 12 }, (_, d) => [[20 + d], [20 + d]]));
    const mixed = mixDocuments([
      { dataset: few, weight: 0.5 },
      { dataset: many, weight: 0.5 },
    ]);
    const batches = pairBatches(mixed, { ...options, rowsPerBatch: 1, length: 8 });
    expect(mixed.documents).toBe(24);
    let random = 0;
    for (let step = 0; step < batches.rowsIn(0); step++) {
      const { ids, sequences } = await batches.batchAt(step);
      for (const { start, length, pair } of sequences) {
        const text = Array.from(ids.subarray(start, start + length));
        const isFew = (part: number[]): boolean => part.some((id) => id >= 10 && id < 20);
        if (pair?.label !== 1 || !isFew(text.slice(0, pair.second))) continue;
        random++;
        expect(isFew(text.slice(pair.second))).toBe(false);
      }
    }
    expect(random).toBeGreaterThan(4);
  });

  it("is made again from its recipe, and its pairs travel between threads", async () => {
    const batches = pairBatches(data, options);
    const { recipe } = batches;
    if (recipe === undefined) throw new Error("no recipe");
    const batch = await batches.batchAt(2);
    expect(await (await openBatches(structuredClone(recipe))).batchAt(2)).toEqual(batch);
    expect(unflatten(structuredClone(flatten(batch)))).toEqual(batch);
    const queue = prefetch(batches, { from: 2, until: 4, workers: 1 });
    expect(await queue.next()).toEqual(batch);
    await queue.close();
    await expect(openBatches({ ...recipe, dataset: memoryDataset([[5]]).handle })).rejects.toThrow(
      /expected a handle of documents for pairs, got one of memory/,
    );
  });

  it("reads data that comes later, as shards do", async () => {
    const slow: DocumentDataset = {
      size: data.size,
      documents: data.documents,
      lengthOf: (s) => data.lengthOf(s),
      sentencesOf: (d) => data.sentencesOf(d),
      read: async (s) => data.read(s),
    };
    expect(await pairBatches(slow, options).batchAt(5)).toEqual(await pairBatches(data, options).batchAt(5));
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      "one document",
      () => pairBatches(corpus(1), options),
      /expected at least two documents, .+, got 1\. Separate documents by blank lines\./,
    ],
    [
      "no document",
      () => pairBatches(memoryDocuments([[[]], []]), { ...options, second: "swapped" }),
      /expected a document, got 0/,
    ],
    [
      "no end token",
      () => pairBatches(data, { ...options, special: { pad: 0, start: 1 } }),
      /expected a start and an end token/,
    ],
    [
      "rows that hold no pair",
      () => pairBatches(data, { ...options, length: 4 }),
      /maxSequence to be an integer from 5 .+ to length 4, got 4/,
    ],
    ["a share above 1", () => pairBatches(data, { ...options, shortRate: 2 }), /shortRate to be a share/],
    ["a step below 0", () => pairBatches(data, options).epochOf(-1), /step of 0 or more/],
    [
      "an empty sentence",
      () =>
        pairBatches(
          {
            ...memoryDataset([[1], []]),
            size: 2,
            documents: 2,
            lengthOf: (s) => 1 - s,
            read: () => Uint8Array.of(),
            sentencesOf: (d) => [d, d + 1],
          },
          options,
        ).rowsIn(0),
      /expected tokens in every sentence, got none in sentence 1/,
    ],
    [
      "one document over and over",
      () =>
        pairBatches(
          {
            size: 2,
            documents: 2,
            lengthOf: () => 1,
            read: () => Uint8Array.of(5),
            sentencesOf: (d) => [d, d + 1],
            originalOf: () => 0,
          },
          options,
        ).rowsIn(0),
      /at least two documents that differ, .+, got one alone, repeated/,
    ],
    [
      "an empty document",
      () =>
        pairBatches(
          { size: 1, documents: 2, lengthOf: () => 1, read: () => Uint8Array.of(5), sentencesOf: (d) => [d, 1] },
          options,
        ).rowsIn(0),
      /got none in document 1/,
    ],
  ])("refuses %s", (_, make, message) => expect(make).toThrow(message));
});

describe("longestFirst", () => {
  it("takes token by token from the longer text", () => {
    for (let a = 1; a < 30; a++)
      for (let b = 1; b < 30; b++)
        for (const longest of [2, 7, 20, 40]) {
          let [x, y] = [a, b];
          while (x + y > longest) [x, y] = x > y ? [x - 1, y] : [x, y - 1];
          expect(longestFirst(a, b, longest)).toEqual([x, y]);
        }
  });
});
