// Records from files, by format and header, and the errors for bad files.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  multiLabel,
  multipleChoice,
  questionAnswering,
  regression,
  textClassification,
  tokenClassification,
  type Task,
} from "../src/index.ts";
import { loadRecords, type ReadRecordsOptions } from "../src/node.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-records-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const text = textClassification() as Task;
const tags = tokenClassification() as Task;
async function read(
  task: Task,
  name: string,
  content: string,
  options: Partial<ReadRecordsOptions> = {},
): Promise<readonly object[]> {
  const file = join(dir, name);
  writeFileSync(file, content);
  return (await loadRecords(task, [file], { labelled: true, ...options })).map(({ record }) =>
    Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)),
  );
}

describe("loadRecords", () => {
  it("reads TSV without a header, quotes and all, as GLUE has it", async () => {
    expect(await read(text, "a.tsv", 'a "good\tfilm" is it\t1\n"bad\t0\n'.replace("\tfilm", " film"))).toEqual([
      { text: 'a "good film" is it', label: "1" },
      { text: '"bad', label: "0" },
    ]);
    expect(await read(text, "b.tsv", "x\ty\t1\n")).toEqual([{ text: "x", pair: "y", label: "1" }]);
    expect(await read(text, "c.tsv", "x y\n", { labelled: false })).toEqual([{ text: "x y" }]);
  });

  it("reads headers, renamed columns, JSONL", async () => {
    expect(await read(text, "a.csv", 'label,sentence\n1,"good, very"\n')).toEqual([{ text: "good, very", label: "1" }]);
    expect(await read(text, "b.csv", "body,mood\ngood,1\n", { columns: { text: "body", label: "mood" } })).toEqual([
      { text: "good", label: "1" },
    ]);
    expect(await read(text, "c.csv", "1,good\n", { columns: ["label", "text"] })).toEqual([
      { text: "good", label: "1" },
    ]);
    expect(await read(regression() as Task, "d.jsonl", '{"text": "a", "label": 1.5}\n\n')).toEqual([
      { text: "a", label: 1.5 },
    ]);
    expect(
      await read(multipleChoice() as Task, "e.jsonl", '{"text": "a", "choices": ["x", "y"], "label": 1}\n'),
    ).toEqual([{ text: "a", choices: ["x", "y"], label: 1 }]);
  });

  it("reads CoNLL, tagged JSONL and both forms of SQuAD", async () => {
    expect(await read(tags, "a.conll", "\u{feff}a\tO\nb\tB-X\n")).toMatchObject([
      { words: ["a", "b"], tags: ["O", "B-X"] },
    ]);
    expect(await read(tags, "b.jsonl", '{"tokens": ["a"], "ner_tags": ["O"]}\n')).toEqual([
      { words: ["a"], tags: ["O"] },
    ]);
    const qa = questionAnswering() as Task;
    expect(
      await read(
        qa,
        "c.json",
        JSON.stringify({
          data: [
            {
              paragraphs: [
                { context: "a b", qas: [{ id: "1", question: "?", answers: [{ text: "b", answer_start: 2 }] }] },
              ],
            },
          ],
        }),
      ),
    ).toEqual([{ id: "1", question: "?", context: "a b", answers: [{ text: "b", start: 2 }] }]);
    expect(
      await read(
        qa,
        "d.jsonl",
        '{"id": 1, "question": "?", "context": "a b", "answers": {"text": ["b"], "answer_start": [2]}}\n',
      ),
    ).toEqual([{ id: "1", question: "?", context: "a b", answers: [{ text: "b", start: 2 }] }]);
  });

  it("names file and line of what is wrong", async () => {
    await expect(read(text, "a.csv", 'text,label\n"good,1\n')).rejects.toThrow(
      /a\.csv, line 2: expected the quote that opens here to be closed/,
    );
    await expect(read(text, "b.tsv", "")).rejects.toThrow(/b\.tsv: expected records, got an empty file/);
    await expect(read(text, "c.jsonl", '{"body": "a"}\n')).rejects.toThrow(
      /c\.jsonl, line 1: expected a text in a column "text".*got the columns body/,
    );
    await expect(read(text, "d.tsv", "a\n")).rejects.toThrow(/d\.tsv, line 1: expected a label in a column "label"/);
    await expect(read(text, "e.csv", "a,b,c,d\n")).rejects.toThrow(
      /e\.csv, line 1: expected columns text, label, got 4 of them/,
    );
    await expect(read(tags, "f.conll", "a\n")).rejects.toThrow(/f\.conll, line 1: expected a word and its tag/);
    await expect(read(text, "g.csv", "body,mood\na,1\n", { columns: { text: "words" } })).rejects.toThrow(
      /expected a column "words", got/,
    );
    await expect(loadRecords(text, [join(dir, "none.tsv")], { labelled: true })).rejects.toThrow(
      /none\.tsv: expected a file, found nothing there/,
    );
  });
});

describe("numbers in records", () => {
  const rows = (task: Task, ...lines: readonly string[]): Promise<readonly object[]> =>
    read(task, "n.jsonl", lines.join("\n"));

  it("are labels by their text, as the file has it", async () => {
    const records = await rows(
      text,
      ...["12345678901234567890", "1", "1.0", "true", '"1"'].map((label) => `{"text": "a", "label": ${label}}`),
    );
    expect(records.map((record) => String((record as { label: unknown }).label))).toEqual([
      "12345678901234567890",
      "1",
      "1.0",
      "true",
      "1",
    ]);
    expect(text.fit(records).labels).toEqual(["1", "1.0", "12345678901234567890", "true"]);
    const large = ["9007199254740993", "9007199254740992", "10", "9"].map((label) => ({ text: "a", label }));
    expect(text.fit(large).labels).toEqual(["9", "10", "9007199254740992", "9007199254740993"]);
    expect(await rows(tags, '{"tokens": ["a", "b"], "ner_tags": [0, 3.0]}')).toEqual([
      { words: ["a", "b"], tags: ["0", "3.0"] },
    ]);
    expect(await rows(multiLabel() as Task, '{"text": "a", "labels": [1.0, 2]}', '{"text": "a", "labels": 3}')).toEqual(
      [
        { text: "a", labels: ["1.0", "2"] },
        { text: "a", labels: ["3"] },
      ],
    );
  });

  it("are numbers where the task needs numbers", async () => {
    expect(await rows(regression() as Task, '{"text": "a", "label": 1.50}', '{"text": "a", "label": "2e1"}')).toEqual([
      { text: "a", label: 1.5 },
      { text: "a", label: 20 },
    ]);
    expect(await rows(multipleChoice() as Task, '{"text": "a", "choices": ["x", "y"], "label": 1.0}')).toMatchObject([
      { label: 1 },
    ]);
    expect(await rows(multiLabel({ labels: ["1", "b"] }) as Task, '{"text": "a", "1": 1.0, "b": false}')).toEqual([
      { text: "a", labels: ["1"] },
    ]);
    const answers =
      '{"id": 12345678901234567890, "question": "?", "context": "a b", "answers": {"text": ["b"], "answer_start": [2.0]}}';
    expect(await rows(questionAnswering() as Task, answers)).toMatchObject([
      { id: "12345678901234567890", answers: [{ text: "b", start: 2 }] },
    ]);
  });

  it("are refused with their digits where they are no number of the task", async () => {
    await expect(
      rows(multipleChoice() as Task, '{"text": "a", "choices": ["x", "y"], "label": 9007199254740993}'),
    ).rejects.toThrow(/expected the number of a choice.* got 9007199254740993\./);
    await expect(rows(text, '{"text": 1.0, "label": "x"}')).rejects.toThrow(/expected a text .* got 1\.0\./);
    expect(() => text.read({ text: "a", label: NaN }, "row 1", true)).toThrow(/row 1: expected a label .* got NaN/);
  });
});

describe("line ends, marks and pipes", () => {
  it.each(["\n", "\r\n", "\r"])("give the same records of every format: %j", async (end) => {
    const of = (content: string): string => `\u{feff}${content.replaceAll("\n", end)}`;
    expect(await read(tags, "a.conll", of("a\tO\nb\tB-X\n\nc\tO\n"))).toMatchObject([
      { words: ["a", "b"], tags: ["O", "B-X"] },
      { words: ["c"], tags: ["O"] },
    ]);
    const squad =
      '{"data": [{"paragraphs":\n[{"context": "a\\nb", "qas": [{"id": "1", "question": "?", "answers":\n[{"text": "b", "answer_start": 2}]}]}]}]}\n';
    expect(await read(questionAnswering() as Task, "b.json", of(squad))).toMatchObject([{ context: "a\nb" }]);
    for (const [name, content] of [
      ["c.csv", "text,label\na b,1\nc,0\n"],
      ["d.csv", "a b,1\nc,0"],
      ["e.tsv", "a b\t1\n\nc\t0\n"],
      ["f.jsonl", '{"text": "a b", "label": "1"}\n{"text": "c", "label": "0"}'],
    ] as const)
      expect(await read(text, name, of(content)), name).toEqual([
        { text: "a b", label: "1" },
        { text: "c", label: "0" },
      ]);
    await expect(read(text, "g.csv", of("text,label\na,1\nb\n"))).rejects.toThrow(/g\.csv, line 3: expected 2 fields/);
    expect(await read(text, "h.csv", `text,label${end}"a\r\nb",1${end}`)).toEqual([{ text: "a\r\nb", label: "1" }]);
  });

  it("UTF-16 is refused with the way to convert it", async () => {
    for (const [task, name] of [
      [tags, "a.conll"],
      [questionAnswering() as Task, "b.json"],
      [text, "c.csv"],
    ] as const) {
      writeFileSync(join(dir, name), Buffer.from("\u{feff}a\tO\n", "utf16le"));
      await expect(loadRecords(task, [join(dir, name)], { labelled: true }), name).rejects.toThrow(
        /UTF-16; convert it with iconv/,
      );
    }
  });

  it("standard input is read once, by the same rules as a file", async () => {
    const stdin = async function* (): AsyncGenerator<Uint8Array> {
      for (const part of ["text,la", "bel\ra,1\r", "b,0"]) yield new TextEncoder().encode(part);
    };
    const options = { labelled: true, format: "csv" } as const;
    expect(
      (await loadRecords(text, ["-"], { ...options, stdin: stdin() })).map(({ record, where }) => [record, where]),
    ).toMatchObject([
      [{ text: "a", label: "1" }, "standard input, line 2"],
      [{ text: "b", label: "0" }, "standard input, line 3"],
    ]);
    await expect(loadRecords(text, ["-", "-"], { ...options, stdin: stdin() })).rejects.toThrow(/each pipe once/);
    await expect(loadRecords(text, ["-"], { ...options, stdin: (async function* () {})() })).rejects.toThrow(
      /standard input: expected records, got an empty file/,
    );
  });
});
