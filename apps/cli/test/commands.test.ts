// The commands that look at data and machines, on small files made here.
import { gzipSync } from "node:zlib";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { esm2 } from "@cloze/tokenizer-protein";
import {
  writeDirectoryAtomic,
  writeFileAtomic,
  writeJson,
  writeSafetensors,
  writeSharded,
  type TensorSource,
} from "@cloze/checkpoint/node";
import { describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const { run, piped, write, dir } = cli();
const fasta = Array.from(
  { length: 50 },
  (_, i) => `>protein ${i}\nMKTAYIAKQR\n${"ACDEFGHIKL".repeat(1 + (i % 4))}\n`,
).join("");
write("a.fasta", fasta);
write("a.fasta.gz", gzipSync(fasta));
write("table.csv", "a,b\n1,2\n");

/** Expects a mistake of the user: exit code 2, nothing on stdout, one line on stderr that holds the text. */
async function mistake(argv: readonly string[], text: string): Promise<void> {
  const ran = await run(...argv);
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err).toMatch(/^cloze: [^\n]+\n$/);
  expect(ran.err).toContain(text);
}

describe("tokenize", () => {
  test("a text with a mask, an unknown and lower case", async () => {
    const ran = await run("tokenize", "Mk<mask>J");
    expect(ran.out.split("\n").slice(0, 2)).toEqual(["<cls> M K <mask> <unk> <eos>", "0 20 15 32 3 2"]);
    expect(ran.out).toContain("6 tokens; unknown: J 1");
  });

  test("ids, tokens, offsets and counts as JSON", async () => {
    expect((await run("tokenize", "M<mask>", "AC", "--json")).json()).toMatchObject({
      tokenizer: { name: "esm2", hash: esm2().hash, vocabularySize: 33 },
      sequences: [
        {
          ids: [0, 20, 32, 2],
          tokens: ["<cls>", "M", "<mask>", "<eos>"],
          offsets: [
            [0, 0],
            [0, 1],
            [1, 7],
            [0, 0],
          ],
          truncated: 0,
        },
        { ids: [0, 5, 23, 2] },
      ],
      totals: { sequences: 2, tokens: 8 },
    });
  });

  test("no special tokens, a bound, another tokenizer", async () => {
    expect((await run("tokenize", "MKT", "--no-special", "--max-length", "2", "--json")).json()).toMatchObject({
      sequences: [{ tokens: ["M", "K"], truncated: 1 }],
    });
    expect((await run("tokenize", "MUZ", "--tokenizer", "protbert", "--json")).json()).toMatchObject({
      totals: { issues: { replaced: { U: 1, Z: 1 } } },
    });
  });

  test("a folder's tokenizer", async () => {
    await writeDirectoryAtomic(join(dir, "tok"), async (folder) => {
      for (const [name, text] of Object.entries(esm2().files())) await writeFileAtomic(join(folder, name), text);
    });
    expect((await run("tokenize", "MKT", "--tokenizer", "tok", "--json")).json()).toMatchObject({
      tokenizer: { name: "esm2", hash: esm2().hash },
    });
  });

  test("a file, plain and gzip, and standard input give the same", async () => {
    const { sequences } = (await run("tokenize", "--file", "a.fasta", "--json")).json();
    expect(sequences).toHaveLength(50);
    expect((await run("tokenize", "--file", "a.fasta.gz", "--json")).json()["sequences"]).toEqual(sequences);
    expect((await piped(fasta, "tokenize", "--json")).json()["sequences"]).toEqual(sequences);
    expect((await piped("MKT\r\n\nAC", "tokenize", "-", "--json")).json()).toMatchObject({
      sequences: [{ tokens: ["<cls>", "M", "K", "T", "<eos>"] }, { ids: [0, 5, 23, 2] }],
    });
  });

  test("mistakes", async () => {
    await mistake(["tokenize", "--file", "none.fasta"], "none.fasta: expected a file, found nothing there");
    await mistake(["tokenize", "--file", "table.csv"], "table.csv");
    await mistake(["tokenize", "--file", "a.fasta", "MKT"], "expected texts or --file, got both");
    await mistake(["tokenize", "MKT", "--tokenizer", "esm3"], "Did you mean esm2?");
    await mistake(["tokenize", "MKT", "--tokenizer", "."], "expected tokenizer.json or vocab.txt, got neither");
    await mistake(["tokenize", "MKT", "--max-length", "-1"], "--max-length: expected a whole number, at least 1");
  });
});

describe("data", () => {
  test("prepare, again, and inspect", async () => {
    const ran = await run("data", "prepare", "a.fasta.gz", "--out", "shards", "--valid", "0.2", "--json");
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ran.json()).toMatchObject({
      reused: false,
      dtype: "uint8",
      counts: { records: 50, residues: 500 + 10 * (12 * 10 + 3) },
      tokenizer: { name: "esm2" },
    });
    expect(readdirSync(join(dir, "shards"))).toContain("tokens.json");
    const again = await run("data", "prepare", "a.fasta.gz", "--out", "shards", "--valid", "0.2");
    expect(again.out).toContain("(was there already)");
    await mistake(["data", "prepare", "a.fasta.gz", "--out", "shards", "--valid", "0.3"], "pass --overwrite");
    expect(
      await run("data", "prepare", "a.fasta.gz", "--out", "shards", "--valid", "0.3", "--overwrite"),
    ).toMatchObject({ code: 0 });

    const shards = await run("data", "inspect", "shards/tokens.json", "--json");
    expect(shards.json()).toMatchObject({ files: [{ kind: "shards", index: { counts: { records: 50 } } }] });
    expect((await run("data", "inspect", "shards/tokens.json")).out).toContain("checksums match");
  });

  test("inspect a FASTA", async () => {
    expect((await run("data", "inspect", "a.fasta", "a.fasta.gz", "--json")).json()).toMatchObject({
      files: [{ kind: "fasta", contents: { sequences: 50 } }, { contents: { sequences: 50 } }],
    });
    const { out } = await run("data", "inspect", "a.fasta");
    expect(out).toContain("  sequences  50\n");
    expect(out).toContain("min 20,");
    for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(90);
  });

  test("mistakes", async () => {
    await mistake(["data", "prepare", "a.fasta"], "--out is required");
    await mistake(["data", "prepare", "--out", "x"], "expected the names of files, got none");
    await mistake(
      ["data", "prepare", "none.fasta", "--out", "x"],
      "data prepare: none.fasta: expected a FASTA file, text, JSONL, CSV, Parquet or token shards, got nothing there",
    );
    await mistake(["data", "prepare", "table.csv", "--out", "x"], "table.csv");
    await mistake(
      ["data", "prepare", "a.fasta", "--out", "x", "--valid", "2"],
      "--valid: expected a number, at least 0, at most 1",
    );
    await mistake(["data", "prepare", "a.fasta", "--out", "x", "--valid", "0.9", "--test", "0.9"], "");
    await mistake(["data", "prepare", "a.fasta", "--out", "x", "--tokens-per-shard", "0"], "--tokens-per-shard");
    await mistake(["data", "prepare", "a.fasta", "--out", "a.fasta"], "a.fasta");
    await mistake(["data", "inspect", "none.fasta"], "none.fasta");
    await mistake(["data", "inspect", "none.json"], "none.json");
    await mistake(["data", "inspect", "."], "");
  });
});

describe("checkpoint inspect", () => {
  const tensors: TensorSource[] = Array.from({ length: 25 }, (_, i) => ({
    name: `layer.${String(i).padStart(2, "0")}.weight`,
    dtype: "F32",
    shape: [2, 3],
    data: new Uint8Array(24),
  }));

  test("a folder: parameters, model, tokenizer, state, integrity", async () => {
    await writeDirectoryAtomic(join(dir, "run", "checkpoints", "step-00000005"), async (folder) => {
      await writeSharded(folder, tensors);
      await writeSafetensors(join(folder, "optimizer.safetensors"), tensors.slice(0, 2));
      await writeJson(join(folder, "config.json"), {
        architectures: ["EsmForMaskedLM"],
        num_hidden_layers: 6,
        hidden_size: 320,
      });
      await writeJson(join(folder, "trainer_state.json"), {
        version: 1,
        step: 5,
        tokens: 12_345,
        seed: 0,
        objective: "mlm",
        optimizer: "adamw",
      });
      for (const [name, text] of Object.entries(esm2().files())) await writeFileAtomic(join(folder, name), text);
    });
    const folder = "run/checkpoints/step-00000005";
    const ran = await run("checkpoint", "inspect", folder);
    expect(ran).toMatchObject({ code: 0, err: "" });
    for (const text of [
      "150 in 25 tensors (F32 x 25), 600 B in 1 file",
      "EsmForMaskedLM, layers 6, hidden 320",
      "esm2, 33 tokens",
      "step 5, tokens 12,345, seed 0, objective mlm",
      "optimizer 2 tensors",
      "complete: 8 files match",
      "… 5 more: --tensors",
    ]) {
      expect(ran.out).toContain(text);
    }
    expect((await run("checkpoint", "inspect", folder, "--tensors")).out).toContain("layer.12.weight  F32  [2, 3]  6");
    expect((await run("checkpoint", "inspect", folder, "--json")).json()).toMatchObject({
      kind: "folder",
      parameters: 150,
      dtypes: { F32: { tensors: 25 } },
      trainerState: { step: 5 },
      optimizerTensors: 2,
      tokenizer: { name: "esm2" },
      integrity: { manifest: true, verified: true },
    });
  });

  test("a run stands for its newest checkpoint; damage is found, unless nobody looks", async () => {
    expect((await run("checkpoint", "inspect", "run", "--json")).json()["path"]).toMatch(/step-00000005$/);
    const file = "run/checkpoints/step-00000005/config.json";
    write(file, "{}\n");
    await mistake(["checkpoint", "inspect", "run/checkpoints/step-00000005"], "config.json");
    expect(await run("checkpoint", "inspect", "run/checkpoints/step-00000005", "--no-verify")).toMatchObject({
      code: 0,
    });
    await mistake(["checkpoint", "inspect", "run"], "config.json");
    mkdirSync(join(dir, "begun", "checkpoints"), { recursive: true });
    await mistake(["checkpoint", "inspect", "begun"], "expected a checkpoint in this run, got none that is complete");
  });

  test("a file", async () => {
    await writeSafetensors(join(dir, "m.safetensors"), tensors.slice(0, 3), { metadata: { format: "pt" } });
    expect((await run("checkpoint", "inspect", "m.safetensors", "--json")).json()).toMatchObject({
      kind: "file",
      parameters: 18,
      metadata: { format: "pt" },
      integrity: { manifest: false },
    });
  });

  test("mistakes", async () => {
    await mistake(["checkpoint", "inspect"], "expected PATH, got nothing");
    await mistake(["checkpoint", "inspect", "none"], "found nothing there");
    await mistake(["checkpoint", "inspect", "a.fasta"], "a.fasta");
    await mistake(["checkpoint", "inspect", "tok"], "expected model.safetensors");
    await mistake(["checkpoint", "inspect", "a", "b"], 'expected one PATH, got "b"');
  });
});

describe("doctor", () => {
  test("this machine", async () => {
    const ran = await run("doctor", "--json");
    expect(ran).toMatchObject({ code: 0, err: "" });
    // the answer depends on whether there is a GPU
    expect(ran.json()).toMatchObject({ ok: true, auto: expect.stringMatching(/^(webgpu|onnxruntime)$/) });
    expect((await run("doctor")).out).toMatch(/^ok {2}node {4}\d/);
    expect(readdirSync(dir).filter((name) => name.startsWith(".cloze-doctor"))).toEqual([]);
  });

  test("a folder that a run would make", async () => {
    expect((await run("doctor", "--out", "not/yet/there")).code).toBe(0);
  });

  test("a place nobody can write to", async () => {
    const ran = await run("doctor", "--out", "a.fasta", "--json");
    expect(ran).toMatchObject({ code: 1 });
    expect(ran.json()).toMatchObject({ ok: false });
  });
});
