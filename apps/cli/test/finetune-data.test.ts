// What the commands say of their data before they compute, and what they refuse. Oracles: seqeval 1.2.2 for entities,
// pandas for counts, FLIP for the columns set and validation, each on files that the test writes.
import { join } from "node:path";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { esm2 } from "@cloze/tokenizer-protein";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { saveCheckpoint } from "@cloze/trainer";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, piped, write, dir } = cli();
const FAST = ["--epochs", "1", "--lr", "0.01", "--batch", "8", "--backend", "reference"] as const;
const WORDS = ["the", "film", "is", "very", "good", "bad", "ann", "bob", "in", "rome", "#"];
const SIZES = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8 };
const lines = (count: number, each: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => each(i)).join("");
const protein = (length: number, seed: number): string =>
  Array.from({ length }, (_, i) => "ACDEFGHIKLMNPQRSTVWY"[(i * i + 7 * i * seed + seed) % 20]).join("");
const dna = (length: number, seed: number): string =>
  Array.from({ length }, (_, i) => "ACGT"[(i * i + 3 * i * seed + (i >> 2)) % 4]).join("");

const finetune = (task: string, from: string, ...rest: readonly string[]) =>
  run("finetune", "--task", task, "--from", from, ...rest, ...FAST);

beforeAll(async () => {
  const text = wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...WORDS] });
  const bert = await openModel({ model_type: "bert", vocab_size: 16, max_position_embeddings: 64, ...SIZES });
  const esm = await openModel({
    model_type: "esm",
    vocab_size: 33,
    max_position_embeddings: 258,
    position_embedding_type: "rotary",
    token_dropout: true,
    mask_token_id: 32,
    pad_token_id: 1,
    ...SIZES,
  });
  for (const [name, opened, tokenizer, maxLength] of [
    ["base", bert, text, 64],
    ["esm", esm, esm2(), 258],
  ] as const)
    await saveCheckpoint(join(dir, name), {
      source: { name, model: opened.model, configText: opened.configText(), buffers: {}, maxLength },
      weights: initialize(headParameters(opened.model, "masked-lm", 2), 1),
      tokenizerFiles: tokenizer.files(),
    });
  write(
    "flip.csv",
    `sequence,target,set,validation\n${lines(24, (i) => `${protein(40, i)},${i % 7}.5,${i % 4 === 0 ? "test" : "train"},${i % 3 === 0 ? "True" : ""}\n`)}`,
  );
  write("genes.csv", `Sequence,Label\n${lines(12, (i) => `${dna(60, i)},${i % 2}\n`)}`);
  write(
    "genes.fasta",
    lines(40, (i) => `>g${i}\n${dna(60, i)}\n`),
  );
  write(
    "tags.conll",
    lines(8, () => "# sent_id = 1\nann B-PER\nbob L-PER\nis O\nin O\nrome U-LOC\n\n"),
  );
  write(
    "pos.conllu",
    lines(8, () => "# text = ann is\n1\tann\t_\tPROPN\t_\t_\t0\troot\t_\t_\n2\tis\t_\tAUX\t_\t_\t1\taux\t_\t_\n\n"),
  );
});

describe("finetune", () => {
  test("classes with counts, and a header in any case", async () => {
    write(
      "a.csv",
      `Text,Label\n${lines(9, (i) => `the film is ${i % 2 === 0 ? "good" : "bad"},${i % 2 === 0 ? "pos" : "neg"}\n`)}`,
    );
    const ran = await finetune("text-classification", "base", "--data", "a.csv", "--out", "a");
    expect(ran.code, ran.err).toBe(0);
    expect(ran.err).toContain("9 examples to train on");
    expect(ran.err).toContain("train: 9 examples, 2 classes: neg 4, pos 5\n");
    // The header of standard input is one too, and a table without a header keeps its first row.
    const predict = ["predict", "--checkpoint", "a", "--format", "csv", "--backend", "reference"] as const;
    expect((await piped("TEXT\nthe film is good\n", ...predict)).out.split("\n")).toHaveLength(2);
    expect((await piped("the film is good\nthe film is bad\n", ...predict)).out.split("\n")).toHaveLength(3);
  });

  test("the columns set and validation of FLIP: figures of valid, and of test at the end", async () => {
    const ran = await finetune("regression", "esm", "--data", "flip.csv", "--out", "flip", "--json");
    expect(ran.code, ran.err).toBe(0);
    expect(ran.err).toContain("split by the columns set and validation: train 12, valid 6, test 6");
    const json = ran.json() as { readonly figures: object; readonly test: { readonly mse: number } };
    expect(json.test.mse).toBeGreaterThan(0);
    expect(Object.keys(json.figures)).toEqual(Object.keys(json.test));
    const evaluated = await run(
      "evaluate",
      "--checkpoint",
      "flip",
      "--data",
      "flip.csv",
      "--split",
      "test",
      "--json",
      "--backend",
      "reference",
    );
    expect(evaluated.json()).toMatchObject({ examples: 6, ...json.test });
  });

  test("tags: their scheme is said, saved and used; a figure of each evaluation is shown", async () => {
    const ran = await finetune(
      "token-classification",
      "base",
      "--data",
      "tags.conll",
      "--valid",
      "tags.conll",
      "--out",
      "ner",
    );
    expect(ran.code, ran.err).toBe(0);
    expect(ran.err).toContain("train: 8 records, 40 words, tags BILOU, 16 entities: LOC 8, PER 8\n");
    expect(ran.out).toMatch(/strictF1 +\d/);
    const [first = "{}"] = (
      await run("predict", "--checkpoint", "ner", "--data", "tags.conll", "--backend", "reference")
    ).out.split("\n");
    expect((JSON.parse(first) as { prediction: { entities: unknown } }).prediction).toHaveProperty("entities");
    const pos = await finetune(
      "token-classification",
      "base",
      "--data",
      "pos.conllu",
      "--valid",
      "pos.conllu",
      "--out",
      "pos",
    );
    expect(pos.err).toContain("2 tags: AUX 8, PROPN 8");
    expect(pos.out).toMatch(/step 1: loss \d\.\d{4}, accuracy \d\.\d{4}/);
    expect(pos.out).not.toContain("?");
  });

  test("rows that fit, and rows that cannot", async () => {
    const long = (words: number): string =>
      `text,label\n${lines(8, (i) => `${"very ".repeat(words + i)}film,${i % 2}\n`)}`;
    write("cut.csv", long(30));
    const cut = await finetune(
      "text-classification",
      "base",
      "--data",
      "cut.csv",
      "--max-length",
      "16",
      "--out",
      "cut",
    );
    expect(cut.err).toMatch(/8 of 8 rows are cut to 16 tokens\. 164 of 292 tokens are not read\./);
    write("long.csv", long(90));
    const refused = await finetune("text-classification", "base", "--data", "long.csv", "--out", "long");
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.err).toMatch(
      /8 of 8 examples with more than 64 tokens, the model's limit.*Write --max-length 64 to cut/,
    );
    const evaluated = await run(
      "evaluate",
      "--checkpoint",
      "cut",
      "--data",
      "cut.csv",
      "--backend",
      "reference",
      "--json",
    );
    expect(evaluated.json()).toMatchObject({ cut: { records: 8, tokens: 164 } });
  });

  test.each([
    ["two spellings of a label", "text,label\na,Pos\nb,pos\nc,neg\n", /"Pos" \(1 times, first in .*line 2\)/],
    ["an empty label", "text,label\na,x\nb,\n", /line 3: expected a label/],
    ["one class", "text,label\na,x\nb,x\n", /of the class "x" alone/],
  ])("%s is refused", async (_name, content, message) => {
    write("bad.csv", content);
    const ran = await finetune("text-classification", "base", "--data", "bad.csv", "--out", "bad");
    expect(ran).toMatchObject({ code: 2, out: "" });
    expect(ran.err).toMatch(message);
  });
});

describe("DNA for a model of proteins", () => {
  const small = JSON.stringify(SIZES);
  test.each([
    [
      "finetune",
      ["finetune", "--task", "text-classification", "--from", "esm", "--data", "genes.csv", "--out", "g1", ...FAST],
    ],
    ["evaluate", ["evaluate", "--checkpoint", "esm", "--data", "genes.fasta", "--backend", "reference"]],
    ["embed", ["embed", "genes.fasta", "--checkpoint", "esm", "--out", "g.npy", "--backend", "reference"]],
    [
      "pretrain",
      [
        "pretrain",
        "--data",
        "genes.fasta",
        "--model-options",
        small,
        "--valid",
        "0",
        "--steps",
        "1",
        "--out",
        "g2",
        "--backend",
        "reference",
      ],
    ],
  ] as const)("%s refuses it, unless it is meant", async (_name, argv) => {
    const ran = await run(...argv);
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.err).toMatch(/expected proteins, got DNA or RNA.*--allow-dna/);
    const meant = await run(...argv, "--allow-dna");
    expect(meant.code, meant.err).toBe(0);
  });
});

test("tokens are said of text, residues of proteins", async () => {
  write(
    "texts.txt",
    lines(40, (i) => `the film is ${i % 2 === 0 ? "good" : "bad"}\n\n`),
  );
  write(
    "proteins.fasta",
    lines(40, (i) => `>p${i}\n${protein(40, i)}\n`),
  );
  const said = async (checkpoint: string, data: string): Promise<string> =>
    (await run("evaluate", "--checkpoint", checkpoint, "--data", data, "--backend", "reference")).out;
  expect(await said("base", "texts.txt")).toMatch(/masked tokens\n.*the same sequences' tokens/);
  expect(await said("esm", "proteins.fasta")).toMatch(/masked residues\n.*the same sequences' residues/);
});
