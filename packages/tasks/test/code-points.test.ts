/**
 * Places in texts with characters beyond U+FFFF and combining marks: UTF-16 units in the API, code points in files.
 * Expected places in code points: `context.find(answer)` of Python, and the offsets of BertTokenizer (transformers 5.24.0).
 */
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { describe, expect, it } from "vitest";
import { parseSquad, questionAnswering, tokenClassification } from "../src/index.ts";

const words = ["ann", "lives", "in", "rome", "the", "cat", "😀", "𝒜", ".", "e", "who", "?"];
const tokenizer = wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words] });
const context = "😀 𝒜 e\u0301 Ann lives in Rome.";
const question = "who ?";
/** Answers with their starts as Python counts them. */
const starts = [
  ["Ann", 7],
  ["Rome", 20],
  ["😀", 0],
] as const;

describe("questions", () => {
  const task = questionAnswering();

  it.each(starts)("%s at %i, counted in code points", (text, answer_start) => {
    const answers = [{ text, answer_start }];
    const squad = { data: [{ paragraphs: [{ context, qas: [{ id: "q", question, answers }] }] }] };
    const [record] = parseSquad(JSON.stringify(squad), "dev.json");
    expect(record).toEqual(task.read({ id: "q", question, context, answers }, "dev.jsonl, line 1", true));
    const start = record?.answers?.[0]?.start ?? 0;
    expect(context.slice(start, start + text.length)).toBe(text);

    const rows = task.encode(tokenizer, { question, context }, { maxLength: 40 });
    const [span] = task.targets({ question, context, answers: record?.answers }, rows, "record 1");
    const logits = new Float32Array(2 * (rows[0]?.ids.length ?? 0));
    logits[2 * (span?.[0] ?? 0)] = 9;
    logits[2 * (span?.[1] ?? 0) + 1] = 9;
    const output = task.decode({ question, context }, rows, [logits]);
    expect(output).toMatchObject({ answer: text, start, end: start + text.length });

    const end = answer_start + Array.from(text).length;
    const written = task.inFile?.({ question, context }, output);
    expect(written).toMatchObject({ answer: text, start: answer_start, end });
    expect(written?.candidates[0]).toMatchObject({ text, start: answer_start, end });
    expect(written && task.cells(written)).toMatchObject({ start: answer_start, end });
  });

  it.each([-1, 0.5, "7", undefined])("a start of %j is refused", (answer_start) => {
    const answers = [{ text: "😀", answer_start }];
    const read = (): unknown => task.read({ question, context, answers }, "dev.jsonl, line 1", true);
    expect(read).toThrow(/dev.jsonl, line 1: expected/);
    const squad = { data: [{ paragraphs: [{ context, qas: [{ id: "q", question, answers }] }] }] };
    if (answer_start !== "7")
      expect(() => parseSquad(JSON.stringify(squad), "dev.json")).toThrow(/question q: expected/);
  });
});

describe("tags of a text", () => {
  it("are at code points in files", () => {
    const task = tokenClassification({ labels: ["O", "B-PER", "I-PER"] });
    const rows = task.encode(tokenizer, { words: context }, { maxLength: 40 });
    const logits = new Float32Array(3 * (rows[0]?.ids.length ?? 0));
    logits[3 * (rows[0]?.ids.indexOf(tokenizer.idOf("ann") ?? -1) ?? 0) + 1] = 9;
    const output = task.decode({ words: context }, rows, [logits]);
    expect(output.entities[0]).toMatchObject({ type: "PER", text: "Ann", start: 9, end: 12 });
    const written = task.inFile?.({ words: context }, output);
    expect(written?.entities[0]).toMatchObject({ type: "PER", text: "Ann", start: 7, end: 10 });
    expect(written?.words.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5], // BertTokenizer drops the accent, and leaves it out of the token's place
      [7, 10],
      [11, 16],
      [17, 19],
      [20, 24],
      [24, 25],
    ]);
  });

  it("count words where the input is a list of words", () => {
    const task = tokenClassification({ labels: ["O", "B-PER", "I-PER"] });
    const output = { words: [], tags: [], entities: [{ type: "PER", text: "😀", score: 1, start: 1, end: 2 }] };
    expect(task.inFile?.({ words: ["a", "😀"] }, output)).toEqual(output);
  });
});
