/**
 * The speedrun encoder on the command line: pretraining with Muon from a config.json, resuming, recomputation of
 * layers, and use of the model.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { beforeAll, expect, test } from "vitest";
import { fasta } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const settings = [
  "--model",
  "small.json",
  "--data",
  "data.fasta",
  "--optimizer",
  "muon",
  "--adam-lr",
  "0.01",
  "--steps",
  "24",
  "--batch-tokens",
  "256",
  "--max-length",
  "64",
  "--eval-every",
  "12",
  "--save-every",
  "12",
  "--threads",
  "1",
  "--backend",
  "onnxruntime",
];
const rows = (name: string): string[] => readMetrics(join(dir, name, "metrics.jsonl")).rows.map(withoutTime);

beforeAll(async () => {
  write("data.fasta", fasta(120));
  write(
    "small.json",
    JSON.stringify({
      model_type: "cloze_speedrun",
      vocab_size: 33,
      pad_token_id: 1,
      mask_token_id: 32,
      hidden_size: 16,
      num_hidden_layers: 4,
      num_attention_heads: 2,
      intermediate_size: 32,
      max_position_embeddings: 64,
    }),
  );
  const { code, err } = await run("pretrain", ...settings, "--out", "straight");
  expect(code, err).toBe(0);
}, 60_000);

test("starts at ln(33) and learns", () => {
  const { rows: all } = readMetrics(join(dir, "straight", "metrics.jsonl"));
  expect(all[0]?.loss).toBeCloseTo(Math.log(33), 5);
  expect(all.findLast((row) => row.type === "eval")?.loss).toBeLessThan(Math.log(33) - 0.3);
});

test("resumes bit for bit, and computing its layers again changes no number", async () => {
  cpSync(join(dir, "straight"), join(dir, "half"), { recursive: true });
  rmSync(join(dir, "half", "checkpoints", "step-24"), { recursive: true });
  const { code, err } = await run("pretrain", "--resume", "half", "--rematerialise");
  expect(code, err).toBe(0);
  expect(rows("half")).toEqual(rows("straight"));
}, 60_000);

test("its checkpoint fills masks", async () => {
  const { code, err, json } = await run(
    "fill-mask",
    "MKTAYI<mask>KQRQ",
    "--checkpoint",
    join("straight", "checkpoints", "step-24"),
    "--json",
    "--backend",
    "reference",
  );
  expect(code, err).toBe(0);
  expect(JSON.stringify(json())).toContain("probability");
});
