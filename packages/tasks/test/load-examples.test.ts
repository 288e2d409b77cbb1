// Splits by a column, rows without a label, and rows that fit. Oracle: the meaning of FLIP's columns (Dallago et al.
// 2021: set is train or test; validation marks rows of train), and the lengths of the texts that the tests write.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { regression, textClassification, type Task } from "../src/index.ts";
import { loadExamples, type LoadExamplesOptions } from "../src/node.ts";
import { fittingLength, rowCutOf } from "../src/row-lengths.ts";
import type { EncodedRow } from "../src/index.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-examples-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, content: string): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

async function load(
  task: Task,
  data: string,
  more: Partial<LoadExamplesOptions> = {},
): Promise<{ readonly parts: Readonly<Record<string, string | undefined>>; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  const loaded = await loadExamples(task, {
    data: [data],
    onNote: (line) => notes.push(line.replaceAll(`${dir}/`, "")),
    ...more,
  });
  const shown = (records: (typeof loaded)["valid"]): string | undefined =>
    records?.map(({ record }) => (record as { text: string }).text).join(" ");
  return { parts: { train: shown(loaded.train), valid: shown(loaded.valid), test: shown(loaded.test) }, notes };
}

const number = regression() as Task;
const FLIP =
  "sequence,target,set,validation\nMA,1.5,train,False\nMC,2.5,train,True\nMD,3.5,test,False\nME,4.5,train,\n";

describe("a column that marks rows", () => {
  it("of FLIP: set and validation", async () => {
    const { parts, notes } = await load(number, write("flip.csv", FLIP));
    expect(parts).toEqual({ train: "MA ME", valid: "MC", test: "MD" });
    expect(notes).toEqual([
      "flip.csv: text is sequence, label is target; not read: set, validation",
      "split by the columns set and validation: train 2, valid 1, test 1 (--split-column none takes all rows " +
        "to train on)",
    ]);
  });

  it("of a combined data set, in JSONL, in any spelling", async () => {
    const lines = [
      ["a", "Training"],
      ["b", "DEV"],
      ["c", "test"],
    ].map(([sequence, part], i) => JSON.stringify({ sequence, label: i, Split: part }));
    expect((await load(number, write("a.jsonl", lines.join("\n")))).parts).toEqual({
      train: "a",
      valid: "b",
      test: "c",
    });
  });

  it("is not used if the caller says so, or if it says something else", async () => {
    const all = { train: "MA MC MD ME", valid: undefined, test: undefined };
    expect((await load(number, write("flip.csv", FLIP), { splitColumn: "none" })).parts).toEqual(all);
    const other = "sequence,target,set\nMA,1,A\nMC,2,B\n";
    expect((await load(number, write("b.csv", other))).parts.train).toBe("MA MC");
    await expect(load(number, write("b.csv", other), { splitColumn: "set" })).rejects.toThrow(
      /--split-column set: expected train, valid and test in it, got A/,
    );
    await expect(load(number, write("b.csv", other), { splitColumn: "fold" })).rejects.toThrow(
      /got sequence, target, set/,
    );
  });

  it("with --valid leaves out what is not marked train", async () => {
    const file = write("flip.csv", FLIP);
    const { parts, notes } = await load(number, file, { valid: [file] });
    expect(parts).toEqual({ train: "MA ME", valid: "MC", test: undefined });
    expect(notes.join("\n")).toContain("with --valid the 2 examples not marked train are left out");
    const own = write("own.csv", "sequence,target\nMW,9\n");
    expect((await load(number, file, { valid: [own] })).parts).toEqual({
      train: "MA ME",
      valid: "MW",
      test: undefined,
    });
  });

  it("with a value that is no part is an error", async () =>
    expect(load(number, write("a.csv", "sequence,target,set\nMA,1,train\nMC,2,tset\n"))).rejects.toThrow(
      /a\.csv, line 3: expected train, valid or test in the column set, got "tset"/,
    ));
});

describe("rows without a label", () => {
  const text = textClassification() as Task;
  it.each(["a,1\nb,\nc,2\n", "a,1\nb,  \nc,2\n", "a,1\nb,NaN\nc,2\n", "a,1\nb,NA\nc,2\n"])("%j", async (rows) => {
    const file = write("a.csv", `text,label\n${rows}`);
    const { parts, notes } = await load(text, file, { unlabelled: "skip" });
    expect(parts.train).toBe("a c");
    expect(notes).toEqual(["a.csv: 1 of 3 rows without a label are left out"]);
    if (/b, *\n/.test(rows)) await expect(load(text, file)).rejects.toThrow(/a\.csv, line 3: expected a label/);
    await expect(load(number, file)).rejects.toThrow(/a\.csv, line 3: expected a number/);
    expect((await load(number, file, { unlabelled: "skip" })).parts.train).toBe("a c");
  });

  it("null in JSONL, beside a column that could be taken for it", async () => {
    const file = write("score.jsonl", '{"text":"a","label":null,"score":3.0}\n{"text":"b","label":"x","score":1.0}\n');
    await expect(load(text, file)).rejects.toThrow(/line 1: expected a label/);
  });

  it("null in JSONL", async () => {
    const file = write("a.jsonl", '{"text":"a","label":null}\n{"text":"b","label":"x"}\n');
    await expect(load(text, file)).rejects.toThrow(/line 1: expected a label/);
    expect((await load(text, file, { unlabelled: "skip" })).parts.train).toBe("b");
  });
});

describe("the length of rows", () => {
  /** Rows of these lengths, encoded with a limit. */
  const encoded = (
    lengths: readonly number[],
    limit: number,
  ): { rows: EncodedRow[]; records: { first: number; count: number }[] } => ({
    rows: lengths.map((length) => {
      const kept = Math.min(length, limit);
      const empty = new Int32Array(kept);
      return { ids: empty, offsets: empty, words: empty, sequences: empty, truncated: length - kept };
    }),
    records: lengths.map((_, first) => ({ first, count: 1 })),
  });
  const times = (count: number, length: number): number[] => new Array<number>(count).fill(length);

  it("holds while it cuts few, then fits, then asks", () => {
    expect(fittingLength(encoded([...times(95, 100), ...times(5, 300)], 128), 128, 512)).toEqual({ maxLength: 128 });
    expect(fittingLength(encoded([...times(50, 100), ...times(50, 300)], 128), 128, 512)).toMatchObject({
      maxLength: 384,
      reason: "rows of up to 384 tokens: 128 would cut 50 of 100 examples. --max-length sets another limit.",
    });
    // 40 of 100 are above the model's limit: the default cuts them, and says so.
    expect(fittingLength(encoded([...times(60, 300), ...times(40, 900)], 128), 128, 512).maxLength).toBe(512);
    expect(() => fittingLength(encoded(times(100, 900), 128), 128, 512)).toThrow(
      /got 100 of 100 examples with more than 512 tokens, the model's limit \(median 900, longest 900\).*--max-length 512/,
    );
    expect(() => fittingLength(encoded(times(100, 4000), 128), 128, 8192)).toThrow(
      /more than 1024 tokens, the longest row that is chosen without asking.*up to the model's 8192/,
    );
  });

  it("says what is lost", () =>
    expect(rowCutOf(encoded([10, 20], 16).rows)).toEqual({ rows: 1, of: 2, tokens: 4, ofTokens: 30 }));
});
