// Rows and targets equal to the results of transformers' tokenizer and example recipes. tooling/golden/task-features.py
// writes the goldens.
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { describe, expect, test } from "vitest";
import { questionAnswering, tokenClassification } from "../src/index.ts";
import { answerAt } from "../src/question-answering.ts";
import golden from "./golden/features.json" with { type: "json" };

const tokenizer = wordPiece({ vocabulary: golden.vocabulary });

describe("windows of questions and the tokens of their answers", () => {
  test.each(golden.questions)(
    "$answer",
    ({ question, context, answer, codePoint, start, maxLength, stride, ids, types, spans }) => {
      const task = questionAnswering({ stride });
      const given = answerAt(context, answer, codePoint, "");
      const record = { question, context, answers: [given] };
      expect(given.start).toBe(start);
      const rows = task.encode(tokenizer, record, { maxLength });
      expect(rows.map((row) => [...row.ids])).toEqual(ids);
      expect(rows.map((row) => [...(row.types ?? [])])).toEqual(types);
      expect(task.targets(record, rows, "").map((target) => Array.from(target))).toEqual(spans);
    },
  );

  test("some answers are not in a window, and some windows begin in the middle of the text", () => {
    expect(golden.questions.filter(({ spans }) => spans.some(([first]) => first === 0)).length).toBeGreaterThan(5);
    expect(golden.questions.filter(({ ids }) => ids.length > 1).length).toBeGreaterThan(10);
  });
});

describe("tags at the first pieces of words", () => {
  test.each(golden.tags)("$words", ({ words, labels, ids, targets }) => {
    const task = tokenClassification({ labels: ["O", "B-X", "I-X"] });
    const record = { words, tags: labels.map((id) => task.labels[id] as string) };
    const rows = task.encode(tokenizer, record, { maxLength: 128 });
    expect(rows.map((row) => [...row.ids])).toEqual([ids]);
    expect(task.targets(record, rows, "").map((target) => Array.from(target))).toEqual([targets]);
  });
});
