import { kitTokens, testObjective } from "@cloze/objective/kit";
import { RandomStream } from "@cloze/random";
import { describe, expect, it } from "vitest";
import {
  ALL_MASK,
  BERT_REPLACEMENT,
  corruptSequence,
  MASK_UNITS,
  mlm,
  type CorruptOptions,
  type MaskUnit,
} from "../src/index.ts";

/** Ids from 20 on continue a word; 1 and 2 are special. */
const base: CorruptOptions = {
  rate: 0.15,
  replacement: ALL_MASK,
  maskId: 3,
  specialIds: new Set([1, 2]),
  regularIds: [4, 5, 6],
  continuesWord: (id) => id >= 20,
};

/** [CLS], words of 1 to `most` tokens with a [SEP] in the middle, [SEP]. */
function sequence(seed: number, words: number, most = 4): number[] {
  const draw = new RandomStream(seed).split("sequence");
  const body = Array.from({ length: words }, (_, w) => [
    ...(w === words >> 1 ? [2] : []),
    10,
    ...Array.from({ length: draw.below(most, w) }, () => 20),
  ]).flat();
  return [1, ...body, 2];
}

/** The words as [first, end), found in a second way: by the id that starts a word. */
function words(ids: readonly number[]): (readonly [number, number])[] {
  const starts = ids.flatMap((id, i) => (id === 10 ? [i] : []));
  return starts.map((first) => [first, ids.findIndex((id, i) => i > first && id < 20)] as const);
}

const units: readonly MaskUnit[] = ["whole-word", "n-gram", "span"];
const chosen = (ids: readonly number[], seed: number, more: Partial<CorruptOptions>): number[] =>
  corruptSequence(ids, { ...base, ...more }, new RandomStream(seed)).map(({ at }) => at);

describe.each(units)("the unit %s", (unit) => {
  it("takes whole words, never a special token, and none twice", () => {
    for (let seed = 0; seed < 300; seed++) {
      const ids = sequence(seed, 1 + (seed % 50));
      const at = chosen(ids, seed, { unit, rate: 0.1 + (seed % 8) / 10 });
      const set = new Set(at);
      expect(at).toEqual([...set].toSorted((a, b) => a - b));
      for (const [first, end] of words(ids))
        expect(new Set(Array.from({ length: end - first }, (_, i) => set.has(first + i))).size).toBe(1);
      expect(at.every((i) => (ids[i] as number) >= 10)).toBe(true);
    }
  });

  it("chooses rate * n tokens: as expected over many sequences, and within a word in each", () => {
    for (const rate of [0.15, 0.5]) {
      let [sum, expected] = [0, 0];
      const seeds = 4000;
      for (let seed = 0; seed < seeds; seed++) {
        const ids = sequence(seed, 12);
        const n = ids.length - 3;
        const count = chosen(ids, seed, { unit, rate }).length;
        expect(count).toBeGreaterThan(rate * n - 1 - 4);
        expect(count).toBeLessThan(rate * n + 1 + 4);
        sum += count;
        expected += rate * n;
      }
      // One sequence differs by less than a word of 4 tokens plus the rounding: a standard deviation of about 2.
      expect(Math.abs(sum - expected)).toBeLessThan(4 * 2 * Math.sqrt(seeds));
    }
  });
});

describe("runs of words", () => {
  /**
   * The shares of chosen runs by length, with words of one token. The sequence is long and the rate low, so two runs
   * rarely touch.
   */
  function runs(unit: MaskUnit): number[] {
    const counts: number[] = [];
    const ids = [1, ...new Array<number>(3000).fill(10), 2];
    for (let seed = 0; seed < 60; seed++) {
      let length = 0;
      let before = -1;
      for (const at of [...chosen(ids, seed, { unit, rate: 0.01 }), Infinity]) {
        if (at !== before + 1 && length > 0) counts[length] = (counts[length] ?? 0) + 1;
        length = at === before + 1 ? length + 1 : 1;
        before = at;
      }
    }
    const total = counts.reduce((n, c) => n + c, 0);
    return Array.from({ length: 13 }, (_, l) => (counts[l] ?? 0) / total);
  }

  it("have the lengths of ALBERT: 1 to 3, p ~ 1/n", () => {
    const [, one = 0, two = 0, three = 0, ...more] = runs("n-gram");
    for (const [share, p] of [
      [one, 6 / 11],
      [two, 3 / 11],
      [three, 2 / 11],
    ] as const)
      expect(Math.abs(share - p)).toBeLessThan(0.06);
    expect(more.reduce((n, x) => n + x, 0)).toBeLessThan(0.08);
  });

  it("have the lengths of SpanBERT: geometric, 1 to 10, 3.8 in the mean", () => {
    const shares = runs("span");
    const mean = shares.reduce((n, share, l) => n + share * l, 0);
    expect(Math.abs(mean - 3.8)).toBeLessThan(0.4);
    expect(Math.abs((shares[1] as number) - 0.2 / (1 - 0.8 ** 10))).toBeLessThan(0.06);
    expect(Math.abs((shares[2] as number) / (shares[1] as number) - 0.8)).toBeLessThan(0.2);
  });

  it("never go over a special token", () => {
    for (let seed = 0; seed < 200; seed++) {
      const at = chosen([1, 10, 10, 10, 2, 10, 10, 10, 2], seed, { unit: "span", rate: 0.6 });
      expect(at).not.toContain(4);
      expect(at.length).toBeGreaterThan(2);
    }
  });

  it("are replaced as one where they are spans, and token by token elsewhere", () => {
    const ids = [1, ...new Array<number>(400).fill(10), 2];
    const kinds = (unit: MaskUnit): number => {
      let mixed = 0;
      for (let seed = 0; seed < 40; seed++) {
        const found = corruptSequence(
          ids,
          { ...base, unit, rate: 0.02, replacement: BERT_REPLACEMENT },
          new RandomStream(seed),
        );
        for (const [i, { at, token }] of found.entries()) {
          const next = found[i + 1];
          if (next?.at === at + 1 && (next.token === 3) !== (token === 3)) mixed++;
        }
      }
      return mixed;
    };
    expect(kinds("n-gram")).toBeGreaterThan(10);
    // The remaining cases are two spans that touch by chance.
    expect(kinds("span")).toBeLessThan(10);
  });
});

describe("mlm", () => {
  const tokens = {
    ...kitTokens,
    vocabulary: kitTokens.vocabulary.map((token, id) => (id > 10 ? `##${token}` : token)),
  };
  const batch = {
    rows: 1,
    length: 8,
    ids: Int32Array.of(2, 5, 11, 12, 6, 13, 14, 3),
    segments: new Int32Array(8).fill(1),
    positions: Int32Array.from({ length: 8 }, (_, i) => i),
    sequences: [{ example: 0, row: 0, start: 0, length: 8 }],
  };
  const masked = (given: typeof kitTokens, unit: MaskUnit, seed: number, evaluation = false): string => {
    const { feeds } = mlm(given, { rate: 0.5, replace: "mask", unit }).prepare(batch, { seed, step: 0, evaluation });
    return Array.from(feeds["ids"]?.data ?? [], (id, i) => (id === 4 ? i : "")).join("");
  };

  it("knows words by ## or by the tokens' own rule", () => {
    const seen = (given: typeof kitTokens): string[] =>
      [...new Set(Array.from({ length: 60 }, (_, seed) => masked(given, "whole-word", seed)))].toSorted();
    expect(seen(tokens)).toEqual(["123", "456"]);
    expect(seen({ ...kitTokens, continuesWord: (id) => id === 12 || id === 13 })).toContain("236");
  });

  it("evaluates on the same tokens whatever the unit", () => {
    for (const unit of MASK_UNITS) expect(masked(tokens, unit, 1, true)).toBe(masked(tokens, "token", 2, true));
  });

  it("refuses a unit that there is not", () => {
    expect(() => mlm(kitTokens, { unit: "words" as MaskUnit })).toThrow(
      'mlm: unit: expected one of token, whole-word, n-gram, span, got "words".',
    );
  });
});

for (const unit of units)
  testObjective({ create: (tokens) => mlm({ ...tokens, continuesWord: (id) => id % 3 === 0 }, { unit, rate: 0.3 }) });
