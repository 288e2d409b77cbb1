/**
 * ModernBERT on the command line: pretraining from a config.json, resuming, recomputation of layers, and fine-tuning.
 * Also a published size by name.
 */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { beforeAll, expect, test } from "vitest";
import { fasta } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const shared = [
  "--data",
  "data.fasta",
  "--batch-tokens",
  "256",
  "--max-length",
  "64",
  "--threads",
  "1",
  "--backend",
  "onnxruntime",
];
const settings = [
  ...shared,
  "--model",
  "small.json",
  "--lr",
  "0.005",
  "--steps",
  "24",
  "--eval-every",
  "12",
  "--save-every",
  "12",
];
const rows = (name: string): string[] => readMetrics(join(dir, name, "metrics.jsonl")).rows.map(withoutTime);
const configOf = (...path: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(dir, ...path, "config.json"), "utf8")) as Record<string, unknown>;

beforeAll(async () => {
  write("data.fasta", fasta(120));
  write(
    "small.json",
    JSON.stringify({
      model_type: "modernbert",
      vocab_size: 33,
      pad_token_id: 1,
      hidden_size: 16,
      num_hidden_layers: 4,
      num_attention_heads: 2,
      intermediate_size: 24,
      max_position_embeddings: 64,
      local_attention: 8,
      attention_dropout: 0.1,
      embedding_dropout: 0.1,
      classifier_pooling: "mean",
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

test("its checkpoint fills masks, and learns to classify by the mean of a sequence", async () => {
  const checkpoint = join("straight", "checkpoints", "step-24");
  const filled = await run(
    "fill-mask",
    "MKTAYI<mask>KQRQ",
    "--checkpoint",
    checkpoint,
    "--json",
    "--backend",
    "reference",
  );
  expect(filled.code, filled.err).toBe(0);
  write(
    "kinds.jsonl",
    ["MKTAYI", "KKRRKK", "MAYLLT", "RKKRKR"]
      .map((text, i) => JSON.stringify({ text, label: i % 2 === 0 ? "other" : "basic" }))
      .join("\n"),
  );
  const tuned = await run(
    "finetune",
    "--from",
    checkpoint,
    "--task",
    "text-classification",
    "--data",
    "kinds.jsonl",
    "--epochs",
    "1",
    "--out",
    "tuned",
    "--backend",
    "reference",
  );
  expect(tuned.code, tuned.err).toBe(0);
  expect(configOf("tuned", "model")).toMatchObject({
    architectures: ["ModernBertForSequenceClassification"],
    classifier_pooling: "mean",
  });
}, 60_000);

test("a published size takes the vocabulary and the special tokens of any tokenizer", async () => {
  for (const [tokenizer, vocab_size, pad_token_id] of [
    ["esm2", 33, 1],
    ["protbert", 30, 0],
  ] as const) {
    const { code, err } = await run(
      "pretrain",
      ...shared,
      "--model",
      "bert-tiny",
      "--tokenizer",
      tokenizer,
      "--steps",
      "1",
      "--out",
      tokenizer,
    );
    expect(code, err).toBe(0);
    expect(configOf(tokenizer, "checkpoints", "step-1")).toMatchObject({ vocab_size, pad_token_id });
  }
}, 60_000);
