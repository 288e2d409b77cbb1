// The first row of a table: header or example. Oracle: pandas 3.1 read_csv (header=0 or header=None), which gives the
// same rows once it is told which of the two the file has; the expected values below are its rows.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { regression, textClassification, tokenClassification, type Task } from "../src/index.ts";
import { loadRecords, type ReadRecordsOptions } from "../src/node.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-header-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function read(
  task: Task,
  name: string,
  content: string,
  options: Partial<ReadRecordsOptions> = {},
): Promise<readonly string[]> {
  const file = join(dir, name);
  writeFileSync(file, content);
  return (await loadRecords(task, [file], { labelled: true, ...options })).map(({ record }) =>
    Object.values(record)
      .filter((value) => value !== undefined)
      .map(String)
      .join("|"),
  );
}

const text = textClassification() as Task;
const two = "good film,pos\nbad film,neg\n";

describe("a header", () => {
  it.each([
    ["Text,Label"],
    ["SENTENCE,LABEL"],
    [" text , label "],
    ['"Text","Label"'],
    ["\u{feff}Text,Label"],
    ["Review,Sentiment"],
    ["Tweet,Category"],
    ["comment text,Class Index"],
    ["sentence,Gold-Label"],
  ])("%s", async (header) =>
    expect(await read(text, "a.csv", `${header}\n${two}`)).toEqual(["good film|pos", "bad film|neg"]),
  );

  it("of proteins, of pairs, with a column of row numbers", async () => {
    const number = regression() as Task;
    expect(await read(number, "a.csv", "Sequence,Target\nMKT,1.5\n")).toEqual(["MKT|1.5"]);
    expect(await read(number, "b.csv", "mutated_sequence,DMS_score\nMKT,1.5\n")).toEqual(["MKT|1.5"]);
    expect(await read(text, "c.csv", "Sentence1,Sentence2,Label\na,b,1\n")).toEqual(["a|b|1"]);
    expect(await read(text, "d.csv", ",Text,Label\n0,a,1\n")).toEqual(["a|1"]);
  });

  it("in JSONL and under --columns", async () => {
    expect(await read(text, "a.jsonl", '{"Text": "a", "Label": "1"}\n')).toEqual(["a|1"]);
    const columns = { text: "body", label: "mood" };
    expect(await read(text, "b.csv", "Body,MOOD\na,1\n", { columns })).toEqual(["a|1"]);
    // A header under names in order is a header all the same, and no example.
    expect(await read(text, "c.csv", `text,label\n${two}`, { columns: ["text", "label"] })).toHaveLength(2);
    expect(await read(text, "d.csv", `Body,Mood\n${two}`, { columns: ["Body", "mood"] }).catch(String)).toMatch(
      /expected a text in a column "text"/,
    );
  });

  it("whose cells all have quotes: so have those of a TSV", async () =>
    expect(await read(text, "a.tsv", '"text"\t"label"\n"a ""b"""\t"1"\n')).toEqual(['a "b"|1']));

  it("again inside the table is an error, as in files that were joined", async () =>
    expect(await read(text, "a.csv", `text,label\n${two}text,label\n${two}`).catch(String)).toMatch(
      /a\.csv, line 4: expected an example, got the header again/,
    ));

  it("of token classification: a table of sentences, and lists as pandas writes them", async () => {
    const tags = tokenClassification() as Task;
    const expected = ["Ann is|B-PER O"].map((line) => line.replaceAll(" ", ","));
    expect(await read(tags, "a.tsv", "Words\tTags\nAnn is\tB-PER O\n")).toEqual(expected);
    expect(await read(tags, "b.csv", `tokens,ner_tags\n"['Ann', ""is""]","['B-PER', 'O']"\n`)).toEqual(expected);
    expect(await read(tags, "c.csv", `Tokens,Tags\n"[""Ann"", ""is""]","[""B-PER"", ""O""]"\n`)).toEqual(expected);
    expect(await read(tags, "d.csv", `tokens,tags\n"['Ann' 'is']","['B-PER' 'O']"\n`)).toEqual(expected);
  });
});

describe("no header", () => {
  const rows = "a good film,pos\na bad film,neg\nfine,pos\nawful,neg\nnot bad,pos\n";

  it("the first row is an example", async () => {
    expect(await read(text, "a.csv", rows)).toHaveLength(5);
    expect(await read(text, "b.csv", `review,pos\n${rows}`)).toHaveLength(6);
    // A label that is also a name of a column, but occurs again.
    expect(await read(text, "c.csv", `a,review\nb,question\nc,review\nd,question\n`)).toHaveLength(4);
    expect(await read(text, "d.csv", `I watched this film twice. Great!,neutral\n${rows}`)).toHaveLength(6);
    expect(await read(text, "e.csv", "a,1\nb,2\n")).toHaveLength(2);
    expect(await read(regression() as Task, "f.csv", "MKTAY,1.5\nMKV,2.5\n")).toHaveLength(2);
  });

  it.each([
    ["a label that occurs nowhere else", `Satz,Stimmung\n${rows}`, "text=Satz,label=Stimmung"],
    ["a short text with such a label", `Great film,neutral\n${rows}`, "'text=Great film,label=neutral'"],
    ["a name over numbers", "Satz,Wert\na,1\n", "text=Satz,label=Wert"],
  ])("is in doubt: %s", async (_name, content, columns) => {
    const said = await read(text, "a.csv", content).catch(String);
    expect(said).toContain("a.csv, line 1: expected to know whether this row is a header, got ");
    expect(said).toContain(`If it is a header, write --columns ${columns}; if it is an example`);
    expect(said).toContain("write --columns text,label.");
    const [, label = ""] = (content.split("\n", 1)[0] as string).split(",");
    // Either answer is taken.
    expect((await read(text, "a.csv", content, { columns: ["text", "label"] }))[0]).toContain(label);
    const [ours] = await read(text, "a.csv", content, {
      columns: Object.fromEntries(
        columns
          .replaceAll("'", "")
          .split(",")
          .map((pair) => pair.split("=") as [string, string]),
      ),
    });
    expect(ours).not.toContain(label);
  });

  it("is in doubt for predictions too", async () => {
    const content = "Meinung\nthe film is good\nthe film is bad\nit is fine\nit is poor\n";
    expect(await read(text, "a.csv", content, { labelled: false }).catch(String)).toMatch(/--columns text=Meinung/);
    expect(await read(text, "a.csv", content, { labelled: false, columns: ["text"] })).toHaveLength(5);
  });
});
