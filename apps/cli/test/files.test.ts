// Files without a flag: each command that reads data takes them as words too, with the results of the flag.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../src/commands.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const residues = ["MKTAYIAKQRQISFVKSHFSRQ", "MKVLAAGIVGLLLA", "MADEEKLPPGWEKRM", "GSSGSSGMKLPP"];
const a = write("a.fasta", residues.map((text, i) => `>a${i}\n${text}\n`).join(""));
const b = write("b.fasta", residues.map((text, i) => `>b${i}\n${text.split("").toReversed().join("")}\n`).join(""));
const config = write(
  "tiny.json",
  JSON.stringify({
    model_type: "esm",
    architectures: ["EsmForMaskedLM"],
    vocab_size: 33,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 64,
    pad_token_id: 1,
    mask_token_id: 32,
    position_embedding_type: "rotary",
    token_dropout: true,
    emb_layer_norm_before: false,
  }),
);
const training = ["--model", config, "--steps", "1", "--valid", "0", "--batch-tokens", "64", "--max-length", "32"];
const reference = ["--backend", "reference"];
const here = ["--checkpoint", "run", ...reference];

const bytesOf = (name: string): string => readFileSync(join(dir, name)).toString("base64");

beforeAll(async () => {
  expect((await run("pretrain", a, ...training, ...reference, "--out", "run")).err).toContain(
    "4 sequences to train on",
  );
});

/** Keys of figures that differ from call to call: times, memory, and whether shards were there already. */
const UNLIKE: ReadonlySet<string> = new Set([
  "seconds",
  "residuesPerSecond",
  "sequencesPerSecond",
  "peakBytes",
  "reused",
]);

/** What the command says of its data as JSON. */
async function said(name: string, ...argv: readonly string[]): Promise<unknown> {
  const { code, err, json } = await run(...name.split(" "), "--json", ...argv);
  expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
  return Object.fromEntries(Object.entries(json()).filter(([key]) => !UNLIKE.has(key)));
}

describe("words are what --data takes, in the same order", () => {
  test.each([
    ["data inspect", [], []],
    ["evaluate", here, []],
    ["embed", [...here, "--out", "v.npy"], ["v.npy", "v.npy.ids.txt"]],
    ["estimate", ["--model", config, "--max-length", "32", "--batch-tokens", "64"], []],
    ["data prepare", ["--out", "shards", "--overwrite"], ["shards/tokens_train_000000.bin"]],
  ] as const)("%s", async (name, options, files) => {
    const flags = await said(name, ...options, "--data", a, b);
    const written = files.map(bytesOf);
    for (const words of [
      [a, b, ...options],
      [a, ...options, "--data", b],
      [...options, "--", a, b],
    ]) {
      expect(await said(name, ...words), words.join(" ")).toEqual(flags);
      expect(files.map(bytesOf)).toEqual(written);
    }
  });

  test("pretrain: the run is the same, bit for bit", async () => {
    for (const [out, words] of [
      ["flag", ["--data", b, a]],
      ["words", [b, a]],
      ["both", [b, "--data", a]],
    ] as const)
      expect((await run("pretrain", ...words, ...training, ...reference, "--out", out)).code).toBe(0);
    const weights = "checkpoints/step-1/model.safetensors";
    expect(bytesOf(`words/${weights}`)).toBe(bytesOf(`flag/${weights}`));
    expect(bytesOf(`both/${weights}`)).toBe(bytesOf(`flag/${weights}`));
    expect(readFileSync(join(dir, "words/config.yaml"), "utf8")).toContain("data:\n  - b.fasta\n  - a.fasta\n");
  });

  test("finetune and predict", async () => {
    write("train.csv", "text,label\nMKTAYIAK,x\nMKVLAAGI,y\nGSSGSSGM,x\nMADEEKLP,y\n");
    const options = ["--task", "text-classification", "--from", "run", "--epochs", "1", ...reference];
    for (const [out, words] of [
      ["f1", ["--data", "train.csv"]],
      ["f2", ["train.csv"]],
    ] as const)
      expect((await run("finetune", ...words, ...options, "--out", out)).code).toBe(0);
    expect(bytesOf("f2/model/model.safetensors")).toBe(bytesOf("f1/model/model.safetensors"));
    const predict = (...words: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
      run("predict", ...words, "--checkpoint", "f1", ...reference);
    const { out } = await predict("--data", "train.csv");
    expect(out.split("\n").length).toBe(5);
    expect((await predict("train.csv")).out).toBe(out);
    expect((await predict("train.csv", "--data", "b.csv")).err).toBe(
      "cloze: predict: expected --data or one [FILE], got train.csv and b.csv. Leave one out.\n",
    );
    expect((await predict("train.csv", "b.csv")).err).toMatch(/^cloze: predict: expected one \[FILE\], got "b.csv"/);
  });

  test("tokenizer train, logits, tokenize", async () => {
    write("words.txt", "the cat sat on the mat\nthe dog sat on the log\n");
    await said("tokenizer train", "--data", "words.txt", "--out", "t1", "--size", "40");
    await said("tokenizer train", "words.txt", "--out", "t2", "--size", "40");
    expect(bytesOf("t2/vocab.txt")).toBe(bytesOf("t1/vocab.txt"));
    write("ids.json", "[[0, 20, 15, 2]]");
    await said("logits", "--ids", "ids.json", ...here, "--out", "l1.safetensors");
    await said("logits", "ids.json", ...here, "--out", "l2.safetensors");
    expect(bytesOf("l2.safetensors")).toBe(bytesOf("l1.safetensors"));
    expect(await said("tokenize", a)).toEqual(await said("tokenize", "--file", a));
    expect(await said("tokenize", "words.txt", "--tokenizer", "t1")).toEqual(
      await said("tokenize", "--file", "words.txt", "--tokenizer", "t1"),
    );
    // What is no file is a text, as it always was.
    mkdirSync(join(dir, "folder.txt"));
    for (const text of ["MKT", "none.fasta", "folder.txt"])
      expect((await run("tokenize", text, "--json")).json()).toMatchObject({ sequences: [{ name: "" }] });
    expect((await run("tokenize", "a.fsta")).err).toBe("");
    expect((await run("tokenize", "aa.fasta")).err).toBe(
      "aa.fasta: no such file, so it is a text. Did you mean a.fasta?\n",
    );
  });
});

describe("a file that is not there", () => {
  test.each([
    ["embed", [...here, "--out", "v.npy"], "--data"],
    ["finetune", ["--task", "regression", "--from", "run"], "--data"],
    ["predict", here, "--data"],
    ["logits", [...here, "--out", "l.safetensors"], "--ids"],
  ])("%s", async (name, options, flag) => {
    expect(await run(name, "a.fsta", ...options)).toMatchObject({
      code: 2,
      out: "",
      err: `cloze: ${flag} a.fsta: expected a file, found nothing there. Did you mean a.fasta?\n`,
    });
    expect((await run(name, "*.fasta", ...options)).err).toBe(
      `cloze: ${flag} *.fasta: expected a file, found nothing there. The shell left this pattern as it is, and 2 files ` +
        "match it here, such as a.fasta. Leave out its quotes, or name the files.\n",
    );
  });

  test("a configuration of a model", async () => {
    expect((await run("pretrain", a, "--model", "tinny.json")).err).toBe(
      "cloze: --model tinny.json: expected a file, found nothing there. Did you mean tiny.json?\n",
    );
  });

  test("no file at all", async () => {
    for (const name of ["embed", "data inspect", "tokenizer train", "logits"]) {
      const checkpoint = name === "embed" || name === "logits" ? ["--checkpoint", "run"] : [];
      const { code, err } = await run(...name.split(" "), ...checkpoint);
      expect([code, err]).toEqual([2, expect.stringMatching(new RegExp(`^cloze: ${name}: FILE.* or --`))]);
    }
    for (const name of ["pretrain", "finetune", "evaluate"]) {
      const options = name === "finetune" ? ["--task", "regression", "--from", "run"] : name === "evaluate" ? here : [];
      expect((await run(name, ...options)).err).toMatch(new RegExp(`^cloze: ${name}: FILE… or --data is required`));
    }
  });

  test("every command with --data takes words", async () => {
    for (const { name, load } of COMMANDS) {
      const { options, arguments: words } = await load();
      if ("data" in options) expect(words?.option, name).toBe("data");
    }
  });
});
