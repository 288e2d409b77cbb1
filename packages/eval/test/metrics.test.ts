// Equality with scikit-learn and scipy on the committed goldens. tooling/golden/eval.py writes the goldens.
import { ConfigError } from "@cloze/errors";
import { describe, expect, test } from "vitest";
import { averageRanks, spearman, TokenMetrics, unigramEntropy } from "../src/index.ts";
import goldens from "./goldens/metrics.json" with { type: "json" };

const scores = ["loss", "accuracy", "precision", "recall", "f1", "mcc"] as const;

function gather(golden: (typeof goldens.cases)[number]): TokenMetrics {
  const metrics = new TokenMetrics(golden.classes);
  for (const b of golden.batches) metrics.add(b.targets, b.predictions, b.lossSum, b.targets.length);
  return metrics;
}

describe("TokenMetrics equals scikit-learn", () => {
  test.each(goldens.cases)("$name", (golden) => {
    const got = gather(golden).result();
    expect(got.tokens).toBe(golden.expected.tokens);
    for (const score of scores) expect(got[score], score).toBeCloseTo(golden.expected[score], 13);
    expect(got.perplexity).toBe(Math.exp(got.loss));
  });

  test.each(goldens.cases)("$name: in one batch, or added up across ranks", (golden) => {
    const whole = gather({ ...golden, batches: [] });
    for (const b of golden.batches)
      whole.add(Int32Array.from(b.targets), Int32Array.from(b.predictions), b.lossSum, b.targets.length);
    const ranks = golden.batches.map((b) => gather({ ...golden, batches: [b] }).toVector());
    const summed = ranks.reduce((a, b) => a.map((v, i) => v + b[i]!));
    expect(TokenMetrics.fromVector(summed).result()).toEqual(whole.result());
  });
});

describe("TokenMetrics", () => {
  test("the loss is a mean over weights, not over batches", () => {
    const metrics = new TokenMetrics(2);
    metrics.add([0], [0], 10, 1);
    metrics.add([1, 1, 1], [1, 1, 1], 3, 9);
    expect(metrics.result().loss).toBe(1.3);
  });

  test("positions without a label are skipped", () => {
    const metrics = new TokenMetrics(3);
    metrics.add([0, -100, 2, -1], [0, 1, 1, 99], 1, 2);
    expect(metrics.result()).toMatchObject({ tokens: 2, accuracy: 0.5 });
  });

  test("a NaN loss stays visible", () => {
    const metrics = new TokenMetrics(2);
    metrics.add([0], [0], NaN, 1);
    expect(metrics.result().loss).toBeNaN();
  });

  test("a large vocabulary costs 3 counts a class", () => {
    const metrics = new TokenMetrics(250_000);
    metrics.add([249_999, 7], [249_999, 8], 1, 2);
    expect(metrics.toVector().length).toBe(750_002);
    expect(metrics.result().f1).toBe(0.5);
  });

  test("stays exact in the trillions of tokens", () => {
    const vector = new Float64Array(2 + 6);
    const n = 1e12;
    vector.set([n, n, n - 1, 0, n, 0, n - 1, 1]); // one token of class 1, predicted as class 0
    expect(TokenMetrics.fromVector(vector).result().mcc).toBe(0);
    vector.set([n, n, n - 1, 1, n - 1, 1, n - 1, 1]); // the same token, predicted right
    expect(TokenMetrics.fromVector(vector).result().mcc).toBeCloseTo(1, 12);
  });

  test("mistakes are named, and a bad batch changes nothing", () => {
    const metrics = new TokenMetrics(3);
    expect(() => metrics.result()).toThrow(/at least one labelled token.*got 0 tokens/);
    expect(() => metrics.add([0, 1], [0], 1, 2)).toThrow(/targets \(2\), got 1/);
    expect(() => metrics.add([0, 3], [0, 0], 1, 2)).toThrow(/every target in \[0, 3\), got 3 at position 1/);
    expect(() => metrics.add([0, 1], [0, -1], 1, 2)).toThrow(/every prediction in \[0, 3\), got -1/);
    expect(() => metrics.add([0], [0], 1, -1)).toThrow(/finite weight/);
    expect(() => new TokenMetrics(0)).toThrow(ConfigError);
    expect(() => TokenMetrics.fromVector([1, 2, 3])).toThrow(/2 \+ 3 \* classes numbers, got 3/);
    expect([...metrics.toVector()].every((v) => v === 0)).toBe(true);
  });
});

describe("spearman equals scipy", () => {
  test.each(goldens.spearman)("$name", ({ x, y, expected }) => {
    if (expected === null) expect(spearman(x, y)).toBeNaN();
    else expect(spearman(x, y)).toBeCloseTo(expected, 14);
  });

  test("ties share the mean of their ranks", () => {
    expect([...averageRanks([10, 20, 10, 30, 10])]).toEqual([2, 4, 2, 5, 2]);
    expect(spearman([1, -Infinity, Infinity], [2, 1, 3])).toBe(1);
  });

  test("mistakes are named", () => {
    expect(() => spearman([1], [1])).toThrow(/length >= 2, got 1 and 1/);
    expect(() => spearman([1, 2], [1, 2, 3])).toThrow(/got 2 and 3/);
    expect(() => spearman([1, NaN], [1, 2])).toThrow(/NaN at position 1/);
  });
});

describe("unigramEntropy equals scipy", () => {
  test.each(goldens.entropy)("of $counts", ({ counts, expected }) => {
    expect(unigramEntropy(counts)).toBeCloseTo(expected, 14);
  });

  test("mistakes are named", () => {
    expect(() => unigramEntropy([])).toThrow(/at least one token/);
    expect(() => unigramEntropy([0, 0])).toThrow(/2 classes that are all 0/);
    expect(() => unigramEntropy([1, -1])).toThrow(/got -1 for class 1/);
  });
});

test("the examples in the doc comments", () => {
  const metrics = new TokenMetrics(4);
  metrics.add([0, 1, 2], [0, 1, 1], 1.5, 3);
  expect(metrics.result().accuracy).toBe(0.6666666666666666);
  expect(unigramEntropy([5, 5])).toBe(0.6931471805599453);
  expect(spearman([1, 2, 3, 4], [10, 20, 40, 30])).toBe(0.8);
});
