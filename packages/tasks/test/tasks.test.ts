// The rows of records, the targets of the rows, and the answers decoded from logits.
import { esm2 } from "@cloze/tokenizer-protein";
import { describe, expect, it } from "vitest";
import {
  multiLabel,
  multipleChoice,
  parseConll,
  parseSquad,
  parseTask,
  questionAnswering,
  regression,
  taskOf,
  taskOfConfig,
  taskText,
  textClassification,
  tokenClassification,
  type EncodedRow,
  type Task,
} from "../src/index.ts";
import { answerAt } from "../src/question-answering.ts";
import { firstPieces } from "../src/encode-text.ts";
import { tokenizer } from "./tiny.ts";

const tokensOf = ({ ids }: EncodedRow): string => Array.from(ids, (id) => tokenizer.vocabulary[id]).join(" ");
const f32 = (...values: number[]): Float32Array => Float32Array.from(values);

describe("text classification", () => {
  const task = textClassification({ labels: ["no", "yes"] });

  it("reads texts and pairs", () => {
    const [single] = task.encode(tokenizer, { text: "good film" }, { maxLength: 16 }) as [EncodedRow];
    const [pair] = task.encode(tokenizer, { text: "good", pair: "bad" }, { maxLength: 16 }) as [EncodedRow];
    expect(tokensOf(single)).toBe("[CLS] good film [SEP]");
    expect([tokensOf(pair), [...(pair.types ?? [])]]).toEqual(["[CLS] good [SEP] bad [SEP]", [0, 0, 0, 1, 1]]);
    expect(task.encode(tokenizer, { text: "good ".repeat(40) }, { maxLength: 8 })[0]?.ids.length).toBe(8);
    expect(() => task.encode(esm2(), { text: "MK", pair: "AA" }, { maxLength: 8 })).toThrow(
      /takes single sequences, got a pair/,
    );
  });

  it("takes labels by name, in order, from data where none were given", () => {
    expect(task.targets({ text: "", label: "yes" }, [], "here")).toEqual([[1]]);
    expect(() => task.targets({ text: "", label: "maybe" }, [], "data.tsv, line 3")).toThrow(
      /^data\.tsv, line 3: expected a label the model knows \(no, yes\), got "maybe"/,
    );
    expect(() => task.targets({ text: "" }, [], "line 3")).toThrow(/line 3: expected a label, got none/);
    expect(
      textClassification().fit([
        { text: "", label: 10 },
        { text: "", label: 9 },
        { text: "", label: 10 },
      ]).labels,
    ).toEqual(["9", "10"]);
    expect(
      textClassification().fit([
        { text: "", label: "b" },
        { text: "", label: "a" },
      ]).labels,
    ).toEqual(["a", "b"]);
    expect(() => textClassification({ labels: ["a", "a"] })).toThrow(/different labels, got "a" twice/);
    expect(() => textClassification({ labels: ["a", "b"], classWeights: { c: 1 } })).toThrow(
      /classWeights: expected a label the model knows/,
    );
  });

  it("decodes probabilities and scores them", () => {
    const out = [f32(0, Math.log(3)), f32(2, 0)].map((logits) => task.decode({ text: "" }, [], [logits]));
    expect(out[0]?.label).toBe("yes");
    expect(out[0]?.scores["yes"]).toBeCloseTo(0.75, 6);
    expect(
      task.score(
        [
          { text: "", label: "yes" },
          { text: "", label: "yes" },
        ],
        out,
      ),
    ).toMatchObject({ accuracy: 0.5, f1: 2 / 3 });
    expect(
      task.byLabel?.(
        [
          { text: "", label: "yes" },
          { text: "", label: "yes" },
        ],
        out,
      ),
    ).toEqual({
      no: { precision: 0, recall: 0, f1: 0, support: 0 },
      yes: { precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
    });
  });

  it("reads columns under the names that people use, and says what is missing", () => {
    expect(task.read({ sentence1: "a", sentence2: "b", label: 1 }, "line 2", true)).toEqual({
      text: "a",
      pair: "b",
      label: 1,
    });
    expect(() => task.read({ body: "a" }, "line 2", true)).toThrow(
      /line 2: expected a text in a column "text" \(or sentence, .*\), got the columns body\. Name the columns with --columns/,
    );
    expect(() => task.read({ text: "a" }, "line 2", true)).toThrow(/line 2: expected a label in a column "label"/);
    expect(task.read({ text: "a" }, "line 2", false)).toMatchObject({ text: "a", label: undefined });
  });
});

describe("regression and multi-label", () => {
  it("read, aim and decode numbers", () => {
    const task = regression();
    expect(task.read({ text: "a", score: "2.5" }, "", true)).toMatchObject({ label: 2.5 });
    expect(() => task.read({ text: "a", score: "high" }, "line 9", true)).toThrow(
      /line 9: expected a number in a column "label".*got "high"/,
    );
    expect(task.decode({ text: "" }, [], [f32(1.5)])).toEqual({ value: 1.5 });
    expect(() => task.targets({ text: "" }, [], "line 1")).toThrow(/expected a number as label, got none/);
  });

  it("read, aim and decode sets of labels", () => {
    const task = multiLabel({ labels: ["x", "y", "z"] });
    expect(task.read({ text: "a", labels: "z; x" }, "", true).labels).toEqual(["z", "x"]);
    expect(task.read({ text: "a", x: "1", y: 0, z: "1" }, "", true).labels).toEqual(["x", "z"]);
    expect(task.targets({ text: "", labels: ["z", "x"] }, [], "")).toEqual([[1, 0, 1]]);
    expect(task.targets({ text: "", labels: [] }, [], "")).toEqual([[0, 0, 0]]);
    const out = task.decode({ text: "" }, [], [f32(3, -3, 0.1)]);
    expect(out.labels).toEqual(["x", "z"]);
    expect(task.score([{ text: "", labels: ["x"] }], [out])).toMatchObject({
      microPrecision: 0.5,
      microRecall: 1,
      exactMatch: 0,
    });
    expect(task.byLabel?.([{ text: "", labels: ["x"] }], [out])["z"]).toEqual({
      precision: 0,
      recall: 0,
      f1: 0,
      support: 0,
    });
    expect(
      multiLabel().fit([
        { text: "", labels: ["b"] },
        { text: "", labels: ["a", "b"] },
      ]).labels,
    ).toEqual(["a", "b"]);
    expect(() => multiLabel({ threshold: 1 })).toThrow(/threshold between 0 and 1/);
  });
});

describe("token classification", () => {
  const labels = ["O", "B-PER", "I-PER"];
  const task = tokenClassification({ labels });
  const record = { words: ["ann", "films", "rome", "\u200d", "."], tags: ["B-PER", "I-PER", "O", "O", "O"] };

  it("labels the first piece of each word, and no other token", () => {
    const rows = task.encode(tokenizer, record, { maxLength: 16 });
    const [target] = task.targets(record, rows, "");
    expect(rows.map(tokensOf)).toEqual(["[CLS] ann film ##s rome . [SEP]"]);
    expect([...(target as Int32Array)]).toEqual([-100, 1, 2, -100, 0, 0, -100]);
  });

  it("reads a long text in windows, each word once, where most is around it", () => {
    const words = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? "films" : "badly"));
    const tags = words.map(() => "O");
    const rows = task.encode(tokenizer, { words }, { maxLength: 12 });
    expect(rows.length).toBeGreaterThan(6);
    const targets = task.targets({ words, tags }, rows, "");
    const labelled = targets.flatMap((row) => Array.from(row).filter((id) => id !== -100));
    expect(labelled.length).toBe(40);
    for (const [word, { row, token }] of firstPieces(rows))
      expect((rows[row] as EncodedRow).ids[token]).toBe(tokenizer.idOf(words[word] === "films" ? "film" : "bad"));
  });

  it("decodes tags, entities and their places", () => {
    const rows = task.encode(tokenizer, record, { maxLength: 16 });
    const logits = new Float32Array(7 * 3);
    for (const [token, tag] of [1, 1, 2, 1, 0, 0, 0].entries()) logits[token * 3 + tag] = 5;
    const byWords = task.decode(record, rows, [logits]);
    expect(byWords.tags).toEqual(["B-PER", "I-PER", "O", "O", "O"]);
    expect(byWords.entities).toMatchObject([{ type: "PER", text: "ann films", start: 0, end: 2 }]);
    const text = { words: "Ann films rome." };
    const whole = task.decode(text, task.encode(tokenizer, text, { maxLength: 16 }), [logits]);
    expect(whole.entities).toMatchObject([{ type: "PER", text: "Ann films", start: 0, end: 9 }]);
    expect(whole.words.map((word) => word.text)).toEqual(["Ann", "films", "rome", "."]);
    expect(task.score([record], [byWords])).toMatchObject({ f1: 1, accuracy: 1 });
    expect(task.byLabel?.([record], [byWords])).toEqual({ PER: { precision: 1, recall: 1, f1: 1, support: 1 } });
  });

  it("completes the tags of a type, and takes plain tags as they are", () => {
    expect(
      tokenClassification().fit([
        { words: ["a"], tags: ["B-X"] },
        { words: ["a"], tags: ["O"] },
      ]).labels,
    ).toEqual(["O", "B-X", "I-X"]);
    expect(tokenClassification().fit([{ words: ["a", "b"], tags: ["S-X", "O"] }]).labels).toEqual([
      "O",
      "B-X",
      "I-X",
      "E-X",
      "S-X",
    ]);
    const plain = tokenClassification().fit([{ words: ["a", "b"], tags: ["VERB", "NOUN"] }]);
    expect([plain.labels, plain.best.metric]).toEqual([["NOUN", "VERB"], "accuracy"]);
  });

  it("tags residues of proteins", () => {
    const structure = tokenClassification({ labels: ["C", "H"] });
    const protein = { words: [..."MKTAYI"], tags: [..."CCHHHC"] };
    const rows = structure.encode(esm2(), protein, { maxLength: 6 });
    const targets = structure.targets(protein, rows, "");
    expect(targets.flatMap((row) => Array.from(row).filter((id) => id >= 0)).length).toBe(6);
    expect(rows[0]?.ids.length).toBe(6);
  });

  it("names the word of an unknown tag", () => {
    expect(() =>
      task.targets(
        { words: ["a", "b"], tags: ["O", "B-LOC"] },
        task.encode(tokenizer, { words: ["a", "b"] }, { maxLength: 9 }),
        "x.conll, line 4",
      ),
    ).toThrow(/^x\.conll, line 4, word 2: expected a label the model knows \(O, B-PER, I-PER\), got "B-LOC"/);
  });
});

describe("question answering", () => {
  const task = questionAnswering();
  const context = "ann lives in rome . bob lives in oslo .";
  const record = { question: "where is bob ?", context, answers: [{ text: "oslo", start: context.indexOf("oslo") }] };

  it("aims at the tokens of the answer, and at the first token where a window does not hold it", () => {
    const rows = task.encode(tokenizer, record, { maxLength: 14 });
    const targets = task.targets(record, rows, "");
    expect(rows.length).toBeGreaterThan(1);
    targets.forEach((target, r) => {
      const [start, end] = [target[0] as number, target[1] as number];
      const token = tokenizer.vocabulary[(rows[r] as EncodedRow).ids[start] as number];
      expect([token, end]).toEqual(tokensOf(rows[r] as EncodedRow).includes("oslo") ? ["oslo", start] : ["[CLS]", 0]);
    });
    expect(() => task.targets({ ...record, answers: [] }, rows, "q7")).toThrow(
      /q7: expected an answer, got none.*--no-answer/,
    );
  });

  it("decodes the best span of the text, never of the question", () => {
    const rows = task.encode(tokenizer, record, { maxLength: 32 });
    const [row] = rows as [EncodedRow];
    const logits = new Float32Array(row.ids.length * 2);
    logits[2 * 1] = 9; // a start in the question
    const at = tokensOf(row).split(" ").indexOf("rome");
    logits[2 * at] = 4;
    logits[2 * (at + 1) + 1] = 3;
    const out = task.decode(record, rows, [logits]);
    expect(out.answer).toBe("rome .");
    expect(context.slice(out.start, out.end)).toBe("rome .");
    expect(out.candidates.length).toBe(20);
    expect(out.candidates.every(({ text }) => context.includes(text))).toBe(true);
  });

  it("answers nothing where the first token's score is above the best span's by more than the threshold", () => {
    const rows = questionAnswering({ noAnswer: true }).encode(tokenizer, record, { maxLength: 32 });
    const [row] = rows as [EncodedRow];
    const logits = new Float32Array(row.ids.length * 2);
    logits[0] = 2;
    const out = (threshold: number): string =>
      questionAnswering({ noAnswer: true, threshold }).decode(record, rows, [logits]).answer;
    expect(out(0)).toBe("");
    expect(out(2.5)).not.toBe("");
    const v2 = questionAnswering({ noAnswer: true });
    const answers = [v2.decode(record, rows, [logits])];
    expect(v2.score([{ ...record, answers: [] }], answers)).toMatchObject({ noAnswerAccuracy: 1, f1: 1 });
  });

  it("counts starts in code points, and holds the file to them", () => {
    expect(answerAt("\u{1f600}\u{1f600} ann", "ann", 3, "")).toEqual({ text: "ann", start: 5 });
    expect(() => answerAt("ann", "bob", 0, "q1")).toThrow(
      /^q1: expected "bob" at character 0 of the context, got "ann"/,
    );
    expect(
      task.read({ question: "?", context: "a b", answers: { text: ["b"], answer_start: [2] } }, "", true).answers,
    ).toEqual([{ text: "b", start: 2 }]);
    expect(() => task.read({ question: "?", context: "a", answers: "b" }, "line 1", true)).toThrow(
      /line 1: expected answers such as/,
    );
  });
});

describe("multiple choice", () => {
  const task = multipleChoice();

  it("makes a row of each choice, and decodes the best", () => {
    const record = { text: "ann lives", choices: ["in rome", "very bad", "good film"], label: 2 };
    const rows = task.encode(tokenizer, record, { maxLength: 16 });
    expect(rows.map(tokensOf)).toEqual([
      "[CLS] ann lives [SEP] in rome [SEP]",
      "[CLS] ann lives [SEP] very bad [SEP]",
      "[CLS] ann lives [SEP] good film [SEP]",
    ]);
    expect(task.targets(record, rows, "")).toEqual([
      [0, 3, 2],
      [1, 3, 2],
      [2, 3, 2],
    ]);
    expect(task.decode(record, rows, [f32(0), f32(2), f32(1)])).toMatchObject({ choice: 1, text: "very bad" });
    expect(task.read({ text: "a", ending0: "x", ending1: "y", label: "1" }, "", true)).toEqual({
      text: "a",
      choices: ["x", "y"],
      label: 1,
    });
    expect(() => task.read({ text: "a", choices: ["x", "y"], label: 2 }, "line 5", true)).toThrow(
      /line 5: expected the number of a choice, 0 to 1,/,
    );
  });
});

describe("files of tasks", () => {
  it("CoNLL: sentences between blank lines, a byte order mark, tags last", () => {
    expect(
      parseConll("\u{feff}Ann\tNNP\tB-PER\nlives\tVBZ\tO\n\n-DOCSTART- -X- O\n\nin IN O\nRome NNP B-LOC\n", "x"),
    ).toEqual([
      { words: ["Ann", "lives"], tags: ["B-PER", "O"], line: 1 },
      { words: ["in", "Rome"], tags: ["O", "B-LOC"], line: 6 },
    ]);
    expect(() => parseConll("a\tO\nb\n", "x.conll")).toThrow(/^x\.conll, line 2: expected a word and its tag, got "b"/);
    expect(() => parseConll("\n", "x.conll")).toThrow(/got an empty file/);
  });

  it("SQuAD: articles, paragraphs, questions with and without answers", () => {
    const json = {
      data: [
        {
          paragraphs: [
            {
              context: "ann lives",
              qas: [
                { id: "a", question: "who ?", answers: [{ text: "ann", answer_start: 0 }] },
                { id: "b", question: "where ?", is_impossible: true, answers: [] },
              ],
            },
          ],
        },
      ],
    };
    expect(parseSquad(JSON.stringify(json), "x").map(({ id, answers }) => [id, answers])).toEqual([
      ["a", [{ text: "ann", start: 0 }]],
      ["b", []],
    ]);
    expect(() => parseSquad("{", "x.json")).toThrow(/^x\.json: expected the JSON of SQuAD/);
    expect(() => parseSquad("{}", "x.json")).toThrow(/expected a list "data", got nothing/);
  });
});

describe("a saved task", () => {
  it("comes back as it was, and from config.json where it was not saved", () => {
    const tasks: readonly Task[] = [
      taskOf("text-classification", { labels: ["a", "b"] }),
      taskOf("multi-label", { labels: ["a", "b"], threshold: 0.3 }),
      taskOf("regression"),
      taskOf("token-classification", { labels: ["O", "B-X"] }),
      taskOf("question-answering", { noAnswer: true, threshold: -1.5 }),
      taskOf("multiple-choice"),
    ];
    for (const task of tasks) {
      const { task: again, maxLength } = parseTask(taskText(task, 77), "task.json");
      expect([again.kind, again.labels, again.settings, maxLength]).toEqual([
        task.kind,
        task.labels,
        task.settings,
        77,
      ]);
    }
    expect(
      taskOfConfig({ problem_type: "multi_label_classification" }, "sequence-classification", ["a", "b"])?.kind,
    ).toBe("multi-label");
    expect(taskOfConfig({}, "sequence-classification", ["LABEL_0"])?.kind).toBe("regression");
    expect(taskOfConfig({}, "masked-lm", ["a", "b"])).toBeUndefined();
    expect(() => parseTask("{}", "task.json")).toThrow(/task\.json, kind: expected one of text-classification/);
  });
});
