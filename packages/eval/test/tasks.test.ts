// Equality of the task metrics with scikit-learn, scipy, seqeval and the SQuAD scripts. tooling/golden/tasks.py writes
// the goldens.
import { describe, expect, test } from "vitest";
import {
  answerF1,
  classReport,
  entitiesOf,
  entityScores,
  multiLabelScores,
  normalizeAnswer,
  pearson,
  regressionScores,
  rocAuc,
  squadScores,
  type AnsweredQuestion,
  type TagScheme,
} from "../src/index.ts";
import goldens from "./goldens/tasks.json" with { type: "json" };

/** Expects every number of `expected` in `got`, to 13 digits. null stands for NaN. */
function expectNumbers(got: unknown, expected: unknown, path = ""): void {
  if (expected === null) expect(got, path).toBeNaN();
  else if (typeof expected === "number") expect(got, path).toBeCloseTo(expected, 13);
  else
    for (const [key, value] of Object.entries(expected as object))
      expectNumbers((got as Record<string, unknown>)[key], value, `${path}.${key}`);
}

describe("classReport equals scikit-learn", () => {
  test.each(goldens.classification)("$name", ({ classes, targets, predictions, expected }) =>
    expectNumbers(classReport(targets, predictions, classes), expected),
  );
  test.each(goldens.auc)("area under the curve: $name", ({ targets, scores, expected }) =>
    expect(rocAuc(targets, scores)).toBeCloseTo(expected, 13),
  );

  test("mistakes are named", () => {
    expect(() => classReport([0, 2], [0, 1], 2)).toThrow(/every target in \[0, 2\), got 2 at position 1/);
    expect(() => classReport([], [], 2)).toThrow(/at least one, got 0 and 0/);
    expect(() => rocAuc([0, 2], [1, 2])).toThrow(/targets of 0 or 1, got 2 at position 1/);
    expect(rocAuc([1, 1], [0.1, 0.2])).toBeNaN();
  });
});

describe("regressionScores equals scikit-learn and scipy", () => {
  test.each(goldens.regression)("$name", ({ targets, predictions, expected }) =>
    expectNumbers(regressionScores(targets, predictions), expected),
  );
  test("one example has no correlation", () =>
    expect(regressionScores([1], [2])).toMatchObject({ mse: 1, pearson: NaN, spearman: NaN }));
  test("mistakes are named", () => expect(() => pearson([1], [1])).toThrow(/length >= 2, got 1 and 1/));
});

describe("multiLabelScores equals scikit-learn", () => {
  test.each(goldens.multiLabel)("$name", ({ targets, predictions, labels, expected }) =>
    expectNumbers(multiLabelScores(targets, predictions, labels), expected),
  );
  test("mistakes are named", () =>
    expect(() => multiLabelScores([1, 0, 1], [1, 0, 1], 2)).toThrow(/a multiple of 2 labels, got 3/));
});

describe("entityScores equals seqeval", () => {
  test.each(goldens.entities)("$name", ({ scheme, targets, predictions, expected }) =>
    expectNumbers(entityScores(targets, predictions, scheme as TagScheme), expected),
  );

  test("entities of a sentence, by scheme", () => {
    const tags = ["B-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-PER"];
    expect(entitiesOf(tags).map(({ type, start, end }) => `${type} ${start} ${end}`)).toEqual([
      "PER 0 2",
      "LOC 3 4",
      "LOC 4 5",
      "PER 5 6",
    ]);
    expect(entitiesOf(tags, "IOB2").map(({ type, start, end }) => `${type} ${start} ${end}`)).toEqual([
      "PER 0 2",
      "LOC 4 5",
    ]);
    expect(entitiesOf(["B-X", "E-X", "S-Y", "B-X", "I-X"], "IOBES")).toEqual([
      { type: "X", start: 0, end: 2 },
      { type: "Y", start: 2, end: 3 },
    ]);
  });

  test("mistakes are named", () => {
    expect(() => entitiesOf(["O", "S-PER"], "IOB2")).toThrow(/tags of IOB2 \(O, B, I\), got "S-PER" at word 2/);
    expect(() => entityScores([["O"]], [["O", "O"]])).toThrow(/sentence 1: expected 1 tags, got 2/);
  });
});

describe("squadScores equals the scripts of SQuAD", () => {
  test.each(goldens.squad)("$name", ({ questions, expected, ...more }) => {
    const given = questions as readonly AnsweredQuestion[];
    const got = squadScores(given, "threshold" in more ? { threshold: more.threshold as number } : {});
    expectNumbers(got, expected);
    if ("squad1" in more) expectNumbers(got, more.squad1);
    expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort());
  });
  test.each(goldens.normalize)("normalises $text", ({ text, expected }) =>
    expect(normalizeAnswer(text)).toBe(expected),
  );
  test("words count as often as they stand", () => expect(answerF1("cat cat dog", "cat")).toBeCloseTo(0.5, 13));
});
