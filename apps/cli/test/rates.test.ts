/**
 * Learning rates beside Muon for each kind of parameter, and the length of the decay: the parameters that change, and
 * those that stay.
 */
import { join } from "node:path";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { beforeAll, expect, test } from "vitest";
import { loadModel } from "../src/model-files.ts";
import { fasta } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const shared = [
  "--model",
  "speedrun-133m",
  "--model-options",
  '{"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":16}',
  "--data",
  "data.fasta",
  "--steps",
  "4",
  "--batch-tokens",
  "128",
  "--max-length",
  "64",
  "--backend",
  "reference",
  "--optimizer",
  "muon",
  "--adam-lr",
  "0.01",
  "--warmup",
  "0",
  "--weight-decay",
  "0",
  "--eval-every",
  "0",
  "--save-every",
  "1",
  "--keep",
  "9",
];
const rows = (out: string): string[] => readMetrics(join(dir, out, "metrics.jsonl")).rows.map(withoutTime);

async function trained(out: string, ...more: string[]): Promise<string[]> {
  const { code, err } = await run("pretrain", ...shared, ...more, "--out", out);
  expect(code, err).toBe(0);
  return rows(out);
}

/** Names of the tensors that a step after the first changed. */
async function moved(out: string): Promise<readonly string[]> {
  const [first, last] = await Promise.all(
    [1, 4].map((step) => loadModel(join(dir, out, "checkpoints", `step-${step}`))),
  );
  const was = first?.weights ?? {};
  return Object.entries(was)
    .filter(([name, { data }]) => Array.from(data).some((x, i) => x !== last?.weights[name]?.data[i]))
    .map(([name]) => name);
}

beforeAll(() => void write("data.fasta", fasta(60)));

test("rates of embeddings and head that are the others' change nothing", async () => {
  expect(await trained("same", "--embedding-lr", "0.01", "--head-lr", "0.01")).toEqual(await trained("plain"));
}, 60_000);

test("each moves its own part: tables, head, and what is left", async () => {
  // Any rate would move a head of zeros, and a head of zeros passes no gradients on to other parameters.
  for (const [out, ...more] of [
    ["all"],
    ["tables", "--embedding-lr", "1e-30"],
    ["head", "--head-lr", "1e-30"],
  ] as const)
    await trained(out, "--no-zero-init-head", ...more);
  const all = await moved("all");
  const tables = all.filter((name) => name.includes("embed"));
  const head = all.filter((name) => name.startsWith("lm_head"));
  expect([tables.length, head.length]).toEqual([2, 1]);
  expect(await moved("tables")).toEqual(all.filter((name) => !tables.includes(name)));
  expect(await moved("head")).toEqual(all.filter((name) => !head.includes(name)));
}, 60_000);

test("--decay says when the rate is at its end", async () => {
  await trained("decayed", "--schedule", "linear", "--decay", "2", "--final-lr", "0");
  const rates = readMetrics(join(dir, "decayed", "metrics.jsonl"))
    .rows.filter(({ type }) => type === "train")
    .map((row) => row["lr"]);
  expect(rates).toEqual([expect.closeTo(0.01, 9), 0, 0, 0]);
  expect((await run("pretrain", ...shared, "--schedule", "constant", "--decay", "2")).err).toMatch(
    /schedule: constant has no decay span/,
  );
  expect(
    (
      await run(
        "pretrain",
        ...shared.map((word, i) => (shared[i - 1] === "--weight-decay" ? "0:0.1,1:0" : word)),
        "--head-lr",
        "0.1",
      )
    ).err,
  ).toMatch(/--weight-decay: expected one value beside --embedding-lr and --head-lr, got 0:0.1,1:0/);
}, 60_000);
