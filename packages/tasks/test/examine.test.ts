// The look at records before training. Oracle: pandas 3.1 (Series.value_counts for the counts, describe for the
// numbers) and seqeval 1.2.2 (get_entities for the entities), on the records that each test writes out.
import { describe, expect, it } from "vitest";
import {
  examine,
  multiLabel,
  multipleChoice,
  regression,
  textClassification,
  tokenClassification,
  type Task,
} from "../src/index.ts";

const texts = (...labels: readonly (string | number)[]): readonly object[] =>
  labels.map((label, i) => ({ text: `text ${i}`, label }));
const tagged = (...sentences: readonly string[]): readonly object[] =>
  sentences.map((sentence) => ({
    words: sentence.split(" ").map((_, i) => `w${i}`),
    tags: sentence.split(" "),
  }));
const notesOf = (task: unknown, train: readonly object[], more: object = {}): readonly string[] =>
  examine({ task: task as Task, train, ...more }).notes;
const times = <T>(count: number, each: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => each(i));

describe("what is there", () => {
  it("classes with counts, of train and of valid", () => {
    expect(notesOf(textClassification(), texts("b", "a", "b"), { valid: texts("a") })).toEqual([
      "train: 3 examples, 2 classes: a 1, b 2",
      "valid: 1 example, 2 classes: a 1, b 0",
    ]);
    const many = times(30, (i) => times(i + 1, () => `c${String(i).padStart(2, "0")}`)).flat();
    expect(notesOf(textClassification(), texts(...many))[0]).toMatch(
      /^train: 465 examples, 30 classes: c29 30, c28 29, .*, c18 19 and 18 more with 1 or more each$/,
    );
  });

  it("numbers, label sets, choices, entities, tags", () => {
    expect(notesOf(regression(), texts(1.5, -2, 4, 4))).toEqual([
      "train: 4 examples, numbers from -2 to 4, mean 1.875, 3 different",
    ]);
    expect(
      notesOf(multiLabel(), [
        { text: "a", labels: ["x", "y"] },
        { text: "b", labels: [] },
      ]),
    ).toEqual(["train: 2 examples, 1 without a label, 2 labels: x 1, y 1"]);
    expect(notesOf(multipleChoice(), [{ text: "a", choices: ["x", "y"], label: 1 }])).toEqual([
      "train: 1 example, right choices: 1 1",
    ]);
    expect(notesOf(tokenClassification(), tagged("B-PER I-PER O", "B-LOC O B-PER"))).toEqual([
      "train: 2 records, 6 words, tags IOB2, 3 entities: LOC 1, PER 2",
    ]);
    expect(notesOf(tokenClassification(), tagged("DT NN NN", "NN"))).toEqual([
      "train: 2 records, 4 words, 2 tags: DT 1, NN 3",
    ]);
  });

  it("entities that the scheme does not have", () =>
    expect(notesOf(tokenClassification(), tagged("B-PER O", "B-PER O I-PER I-PER"))).toContainEqual(
      "warning: 1 of 3 entities are not written as IOB2 has it, first in example 2. Figures as f1 count them, as " +
        "seqeval's default mode does; figures as strictF1 do not.",
    ));
});

describe("labels in two spellings", () => {
  const mixed = texts("Pos", "pos ", "Pos", "neg");

  it("are refused with counts and places", () =>
    expect(() => notesOf(textClassification(), mixed)).toThrow(
      /expected labels that differ by more than blanks.*"Pos" \(2 times, first in example 1\) and "pos " \(1 times, first in example 2\).*--similar-labels merge/,
    ));

  it("are one label or two, as the caller says", () => {
    const merged = examine({ task: textClassification() as Task, train: mixed, similarLabels: "merge" });
    expect(merged.task.labels).toEqual(["Pos", "neg"]);
    expect(merged.notes[0]).toBe('labels merged: "pos " is Pos');
    const kept = examine({ task: textClassification() as Task, train: mixed, similarLabels: "keep" });
    expect(kept.task.labels).toEqual(["Pos", "neg", "pos "]);
    expect(kept.notes.join("\n")).toContain('warning: the label "pos " begins or ends with a blank.');
  });

  it.each([
    ["numbers", texts("1", "1.0", "0"), textClassification()],
    ["leading zeros", texts("01", "1", "2"), textClassification()],
    ["label sets", [{ text: "a", labels: ["x", "X"] }], multiLabel()],
    ["tags", tagged("B-PER b-per O"), tokenClassification()],
  ])("%s", (_name, records, task) =>
    expect(() => notesOf(task, records)).toThrow(/expected labels that differ by more than blanks/),
  );

  it("large integers differ by every digit", () =>
    expect(notesOf(textClassification(), texts("9007199254740992", "9007199254740993"))).toHaveLength(1));

  it("in the validation examples alone", () =>
    expect(() => notesOf(textClassification(), texts("a", "b"), { valid: texts("A") })).toThrow(
      /first in validation example 1/,
    ));
});

describe("likely mistakes", () => {
  it.each([
    ["one class", texts("a", "a", "a"), textClassification(), /several classes, got 3 examples of the class "a" alone/],
    ["ids", texts(...times(12, (i) => `id${i}`)), textClassification(), /a label of its own for each of 12 examples/],
    [
      "numbers with fractions",
      texts(...times(24, (i) => 0.25 * (i % 12))),
      textClassification(),
      /12 different numbers with fractions.*--task regression/,
    ],
    ["one number", texts(3, 3, 3), regression(), /expected different numbers, got 3/],
    ["no labels", [{ text: "a", labels: [] }], multiLabel(), /expected labels, got none/],
    ["one tag", tagged("O O O"), tokenClassification(), /expected different tags, got "O" for all of 3 words/],
    [
      "tags that are words",
      tagged(times(30, (i) => `t${i}`).join(" ")),
      tokenClassification(),
      /30 different ones for 30 words/,
    ],
    [
      "one word a record, inside of entities",
      tagged("B-PER", "I-PER", "O", "O"),
      tokenClassification(),
      /expected sentences, got one word in each of 4 records.*\(I-PER\)/,
    ],
    [
      "a protein as one word",
      [
        { words: ["MKTAY"], tags: ["HHEEC"] },
        { words: ["MKTA"], tags: ["HHEE"] },
      ],
      tokenClassification(),
      /one word and one tag of as many letters.*put blanks between the letters/,
    ],
  ])("%s: an error", (_name, records, task, text) => expect(() => notesOf(task, records)).toThrow(text));

  it.each([
    [
      "many classes",
      texts(...times(12, (i) => `id${Math.min(i, 8)}`)),
      textClassification(),
      /9 classes for 12 examples/,
    ],
    ["NaN", texts("nan", "a", "b"), textClassification(), /the class "nan" has 1 example: is it a missing value\?/],
    ["0 and 1", texts(0, 1, 0, 1), regression(), /only 0 and 1.*--task text-classification/],
    [
      "one label each",
      times(10, (i) => ({ text: `${i}`, labels: [`${i % 2}`] })),
      multiLabel(),
      /exactly one label.*--task text-classification/,
    ],
    ["one word a record", tagged("A", "B", "A", "B", "A"), tokenClassification(), /every record has one word/],
    [
      "no blank lines",
      tagged(times(500, (i) => (i % 2 === 0 ? "A" : "B")).join(" ")),
      tokenClassification(),
      /one record of 500 words/,
    ],
    [
      "no text",
      [{ text: " ", label: "a" }, ...texts("b")],
      textClassification(),
      /1 example without a text, first example 1/,
    ],
  ])("%s: a warning", (_name, records, task, text) => {
    const warnings = notesOf(task, records).filter((line) => line.startsWith("warning: "));
    expect(warnings.join("\n")).toMatch(text);
  });

  it("labels that the caller names are meant", () =>
    expect(notesOf(textClassification({ labels: ["a", "b"] }), texts("a", "a"))[0]).toMatch(
      /^warning: expected examples/,
    ));
});
