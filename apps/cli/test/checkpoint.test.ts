// Checkpoints of other libraries on the command line. A converted checkpoint gives the outputs of its own library. A
// resized checkpoint keeps its outputs. Both can be trained further.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { toFloat32 } from "@cloze/checkpoint";
import { readSafetensors } from "@cloze/checkpoint/node";
import { cli } from "./run-cli.ts";

const golden = fileURLToPath(new URL("../../../packages/checkpoint/test/golden/convert", import.meta.url));
const { dir, run, write } = cli();

interface Golden {
  readonly ids: readonly (readonly number[])[];
  readonly types?: readonly (readonly number[])[];
  readonly logits: readonly (readonly (readonly number[])[])[];
  readonly contacts?: readonly (readonly (readonly number[])[])[];
}
const read = (name: string): Golden => JSON.parse(readFileSync(join(golden, name), "utf8")) as Golden;

async function ok(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await run(...argv);
  expect([code, err]).toEqual([0, expect.any(String)]);
  return out;
}

/** Largest difference between a tensor of the file and a nested list of numbers. */
async function distance(file: string, tensor: string, wanted: readonly unknown[]): Promise<number> {
  const { tensors } = await readSafetensors(join(dir, file));
  const found = tensors.get(tensor);
  const numbers = wanted.flat(9) as readonly number[];
  const ours = toFloat32(found?.dtype ?? "F32", found?.data ?? new Uint8Array());
  expect(ours.length).toBe(numbers.length);
  return numbers.reduce((most, x, i) => Math.max(most, Math.abs(x - (ours[i] ?? Number.NaN))), 0);
}

beforeAll(async () => {
  await ok("checkpoint", "convert", join(golden, "fair-esm.safetensors"), "esm");
  await ok("checkpoint", "convert", join(golden, "tf1"), "bert");
  const pieces = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    ..."abcdefghijkl",
    ..."abcdefghijklm".split("").map((letter) => `##${letter}`),
  ];
  expect(pieces).toHaveLength(30);
  writeFileSync(join(dir, "bert/vocab.txt"), `${pieces.join("\n")}\n`);
});

describe("checkpoint convert", () => {
  test("fair-esm: its own logits and contacts", async () => {
    const { ids, logits, contacts = [] } = read("esm.json");
    write("ids.json", JSON.stringify(ids));
    await ok(
      "logits",
      "--checkpoint",
      "esm",
      "--ids",
      "ids.json",
      "--out",
      "out.safetensors",
      "--contacts",
      "--backend",
      "reference",
    );
    expect(await distance("out.safetensors", "logits", logits)).toBeLessThan(1e-5);
    expect(await distance("out.safetensors", "contacts", contacts)).toBeLessThan(1e-5);
    expect(await ok("tokenize", "MKT", "--tokenizer", "esm")).toBe(await ok("tokenize", "MKT"));
  });

  test("TensorFlow's BERT: transformers' logits", async () => {
    const { ids: [ids = []] = [], types: [types = []] = [], logits: [logits = []] = [] } = read("bert.json");
    write("ids.json", JSON.stringify([ids]));
    write("types.json", JSON.stringify([types]));
    await ok(
      "logits",
      "--checkpoint",
      "bert",
      "--ids",
      "ids.json",
      "--types",
      "types.json",
      "--out",
      "out.safetensors",
      "--backend",
      "reference",
    );
    expect(await distance("out.safetensors", "logits", logits)).toBeLessThan(1e-5);
  });

  test("says what it did, and replaces nobody's files", async () => {
    const { json } = await run(
      "checkpoint",
      "convert",
      join(golden, "tf1"),
      "half",
      "--dtype",
      "f16",
      "--shard-size",
      "5k",
      "--json",
    );
    expect(json()).toMatchObject({
      naming: "tf-bert",
      config: "bert_config.json",
      out: resolve(dir, "half"),
      files: [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
      ],
    });
    const again = await run("checkpoint", "convert", join(golden, "tf1"), "half");
    expect([again.code, again.err]).toEqual([
      2,
      "cloze: checkpoint convert: expected a new folder to write, got half, which holds cloze-manifest.json, " +
        "config.json, model-00001-of-00002.safetensors. Choose another.\n",
    ]);
    expect((await run("checkpoint", "convert", "nowhere", "out")).err).toMatch(
      /^cloze: checkpoint convert nowhere: expected a checkpoint folder, found nothing there\. Check the path\. A model of the Hub is written OWNER\/NAME, or NAME@main\.$/m,
    );
  });
});

describe("checkpoint resize", () => {
  test("--add-token: the model says of old tokens what it said", async () => {
    const out = await ok("checkpoint", "resize", "bert", "wider", "--add-token", "kinase", "--add-token", "lipid");
    expect(out).toMatch(/^wider: 30 tokens kept, 2 tokens new, 0 of old gone\n {2}new +kinase lipid\n/);
    const { ids: [ids = []] = [], types: [types = []] = [], logits: [logits = []] = [] } = read("bert.json");
    write("ids.json", JSON.stringify([ids]));
    write("types.json", JSON.stringify([types]));
    await ok(
      "logits",
      "--checkpoint",
      "wider",
      "--ids",
      "ids.json",
      "--types",
      "types.json",
      "--out",
      "out.safetensors",
      "--backend",
      "reference",
    );
    const { tensors } = await readSafetensors(join(dir, "out.safetensors"));
    const found = tensors.get("logits");
    const ours = toFloat32("F32", found?.data ?? new Uint8Array());
    expect(found?.shape).toEqual([1, 6, 32]);
    expect(
      Math.max(...logits.flatMap((row, t) => row.map((x, v) => Math.abs(x - (ours[t * 32 + v] ?? Number.NaN))))),
    ).toBeLessThan(1e-5);
    const { json } = await run("tokenize", "a kinase", "--tokenizer", "wider", "--json");
    expect(JSON.stringify(json())).toContain('"kinase"');
  });

  test("what makes no sense is one line", async () => {
    const cases: readonly (readonly [readonly string[], string])[] = [
      [["bert", "x"], "expected either --tokenizer or --add-token, got neither"],
      [["bert", "x", "--add-token", "a", "--tokenizer", "esm2"], "got both"],
      [["bert", "x", "--add-token", "a"], "expected tokens that are new, got a, which the vocabulary has"],
      [["esm", "x", "--add-token", "a"], "whose vocabulary is fixed"],
    ];
    for (const [argv, text] of cases) {
      const { code, err } = await run("checkpoint", "resize", ...argv);
      expect([code, err.trim().split("\n").length]).toEqual([2, 1]);
      expect(err).toContain(text);
    }
  });
});

describe("pretrain --from", () => {
  const train = [
    "--steps",
    "2",
    "--batch-tokens",
    "64",
    "--max-length",
    "16",
    "--valid",
    "0",
    "--backend",
    "reference",
    "--json",
  ];
  const proteins = Array.from({ length: 12 }, (_, i) => `>p${i}\n${"MKTAYIAKQRGLE".slice(i % 5)}`).join("\n");

  test("with the checkpoint's own tokenizer, and then with another: rows move with their tokens", async () => {
    write("data.fasta", proteins);
    const first = await run("pretrain", "--from", "esm", "--data", "data.fasta", "--out", "runs/own", ...train);
    expect([first.code, first.json()["steps"]]).toEqual([0, 2]);
    expect(readFileSync(join(dir, "runs/own/config.yaml"), "utf8")).toContain(`tokenizer: ${join(dir, "esm")}`);

    const other = await run(
      "pretrain",
      "--from",
      "esm",
      "--data",
      "data.fasta",
      "--tokenizer",
      "amplify",
      "--out",
      "runs/other",
      "--lr",
      "1e-12",
      ...train,
    );
    expect([other.code, other.err]).toEqual([0, expect.stringContaining("another tokenizer: ")]);
    const saved = String(other.json()["checkpoint"]);
    const { tensors } = await readSafetensors(join(saved, "model.safetensors"));
    const { tensors: old } = await readSafetensors(join(dir, "esm/model.safetensors"));
    const vocabulary = (folder: string): readonly string[] =>
      readFileSync(join(folder, "vocab.txt"), "utf8").trim().split("\n");
    const now = vocabulary(saved);
    const then = vocabulary(join(dir, "esm"));
    const name = "esm.embeddings.word_embeddings.weight";
    const rows = toFloat32("F32", tensors.get(name)?.data ?? new Uint8Array());
    const were = toFloat32("F32", old.get(name)?.data ?? new Uint8Array());
    expect(rows.length).toBe(now.length * 16);
    expect(JSON.parse(readFileSync(join(saved, "config.json"), "utf8"))).toMatchObject({
      vocab_size: now.length,
      pad_token_id: now.indexOf("<pad>"),
      mask_token_id: now.indexOf("<mask>"),
    });
    let compared = 0;
    for (const [id, token] of now.entries()) {
      const was = then.indexOf(token);
      if (was < 0) continue;
      compared++;
      for (let c = 0; c < 16; c++) expect(rows[id * 16 + c]).toBeCloseTo(were[was * 16 + c] ?? Number.NaN, 5);
    }
    expect(compared).toBeGreaterThan(20);
    const resumed = await run("pretrain", "--resume", "runs/other", "--steps", "3", "--backend", "reference", "--json");
    expect([resumed.code, resumed.json()["steps"]]).toEqual([0, 3]);
  });

  test("a BERT on one's own text, with further tokens", async () => {
    mkdirSync(join(dir, "text"), { recursive: true });
    write(
      "text/mine.txt",
      Array.from({ length: 20 }, (_, i) => `${"abc def ghi jkl ".repeat(1 + (i % 3))}kinase`).join("\n"),
    );
    await ok("checkpoint", "resize", "bert", "bio", "--add-token", "kinase");
    const { code, err, json } = await run(
      "pretrain",
      "--from",
      "bio",
      "--data",
      "text/mine.txt",
      "--out",
      "runs/bio",
      ...train,
    );
    expect([code, err.includes("kinase") ? err : ""]).toEqual([0, ""]);
    expect(json()).toMatchObject({ steps: 2 });
    const saved = JSON.parse(readFileSync(join(String(json()["checkpoint"]), "tokenizer.json"), "utf8")) as {
      readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
    };
    expect(saved.added_tokens.at(-1)).toMatchObject({ id: 30, content: "kinase" });
  });
});
