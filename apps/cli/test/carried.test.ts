// Numbers that are only carried, from the data to the predictions, and labels that are numbers: by their text. The
// Parquet file is written by pandas (tooling/golden/carried-values.py), which also gives the expected texts.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { saveCheckpoint } from "@cloze/trainer";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, piped, write, dir } = cli();
const GOLDEN = join(import.meta.dirname, "golden");
const REFERENCE = ["--backend", "reference"] as const;
const BIG = "1234567890123456789";

const finetune = (out: string, ...rest: readonly string[]) =>
  run(
    "finetune",
    "--task",
    "text-classification",
    "--from",
    "base",
    "--epochs",
    "1",
    "--out",
    out,
    ...REFERENCE,
    "--batch",
    "4",
    "--max-length",
    "16",
    ...rest,
  );
const labelsOf = (folder: string): readonly string[] =>
  Object.values(
    (JSON.parse(readFileSync(join(dir, folder, "model/config.json"), "utf8")) as { id2label: Record<string, string> })
      .id2label,
  );

beforeAll(async () => {
  const tokenizer = wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "film"] });
  const opened = await openModel({
    model_type: "bert",
    vocab_size: 8,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 32,
  });
  await saveCheckpoint(join(dir, "base"), {
    source: { name: "base", model: opened.model, configText: opened.configText(), buffers: {}, maxLength: 32 },
    weights: initialize(headParameters(opened.model, "masked-lm", 2), 1),
    tokenizerFiles: tokenizer.files(),
  });
  copyFileSync(join(GOLDEN, "carried.parquet"), join(dir, "carried.parquet"));
  expect(await finetune("run", "--data", "carried.parquet")).toMatchObject({ code: 0 });
});

describe("numbers that are carried", () => {
  test("a table of pandas trains: integers of 64 bits are labels by their text", async () => {
    expect(labelsOf("run")).toEqual(["9007199254740992", "9007199254740993"]);
    expect(await run("evaluate", "--checkpoint", "run", "--data", "carried.parquet", ...REFERENCE)).toMatchObject({
      code: 0,
    });
  });

  test("predictions of Parquet have the columns as pandas writes them", async () => {
    expect(
      await run("predict", "--checkpoint", "run", "--data", "carried.parquet", "--out", "p.csv", ...REFERENCE),
    ).toMatchObject({ code: 0 });
    const columns = (text: string, count: number): readonly string[] =>
      text
        .trim()
        .split("\n")
        .map((line) => line.split(",").slice(0, count).join(","));
    const golden = readFileSync(join(GOLDEN, "carried.csv"), "utf8");
    const width = golden.split("\n", 1)[0]?.split(",").length ?? 0;
    expect(columns(readFileSync(join(dir, "p.csv"), "utf8"), width)).toEqual(columns(golden, width));
  });

  test.each([
    [
      "in.jsonl",
      `{"id":${BIG},"x":1.0,"y":[0.10],"text":"a film"}\n`,
      `{"id":${BIG},"x":1.0,"y":[0.10],"text":"a film",`,
    ],
    ["in.csv", `id,x,text\n${BIG},1.0,a film\n`, `{"id":"${BIG}","x":"1.0","text":"a film",`],
  ])("predictions of %s keep the digits, from a file and from standard input", async (name, text, expected) => {
    write(name, text);
    const common = ["predict", "--checkpoint", "run", "--out", "-", ...REFERENCE];
    const format = name.split(".")[1] as string;
    for (const ran of [
      await run(...common, "--data", name),
      await piped(text, ...common, "--data", "-", "--format", format),
    ]) {
      expect(ran.err).not.toContain("cloze:");
      expect(ran.out.startsWith(`${expected}"prediction":`), ran.out).toBe(true);
    }
  });

  test("labels are texts: 1 and 1.0 differ in tables, in JSON Lines and in a configuration", async () => {
    write("labels.jsonl", '{"text":"a","label":1.0}\n{"text":"b","label":10}\n{"text":"b","label":9}\n');
    write("labels.yaml", "labels: [1.0, 10, 9]\n");
    expect(await finetune("float", "--data", "labels.jsonl")).toMatchObject({ code: 0 });
    expect(labelsOf("float")).toEqual(["1.0", "9", "10"]);
    expect(await finetune("named", "--data", "labels.jsonl", "--config", "labels.yaml")).toMatchObject({ code: 0 });
    expect(labelsOf("named")).toEqual(["1.0", "10", "9"]);
    write("flags.jsonl", '{"text":"a","label":true}\n{"text":"b","label":false}\n');
    write("flags.yaml", "labels: [true, false]\n");
    expect(await finetune("flags", "--data", "flags.jsonl", "--config", "flags.yaml")).toMatchObject({ code: 0 });
    expect(labelsOf("flags")).toEqual(["true", "false"]);
    write("other.csv", "text,label\na,1\n");
    const ran = await run("evaluate", "--checkpoint", "float", "--data", "other.csv", ...REFERENCE);
    expect(ran.err).toMatch(/other\.csv, line 2: expected a label the model knows \(1\.0, 9, 10\), got "1"/);
  });

  test("a record with a field that the table has no column for is refused", async () => {
    write("ragged.jsonl", '{"text":"a"}\n{"text":"b","id":7}\n');
    const ran = await run("predict", "--checkpoint", "run", "--data", "ragged.jsonl", "--out", "r.csv", ...REFERENCE);
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.err).toMatch(/expected records with the fields of the first one .* got one with "id" too/);
  });
});
