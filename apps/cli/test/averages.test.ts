/**
 * Averages of weights on the command line: the average that a run keeps, and the mean of its checkpoints. Every command
 * opens both.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { fasta, tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const { run, write, dir } = cli();
const rows = (name: string): Record<string, number>[] =>
  readFileSync(join(dir, name, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

describe("a run with --ema and --clip-percentile", () => {
  beforeAll(async () => {
    write("tiny.json", JSON.stringify(tinyConfig));
    write("data.fasta", fasta(120));
    const { code, err } = await run(
      "pretrain",
      "--model",
      "tiny.json",
      "--data",
      "data.fasta",
      "--steps",
      "30",
      "--batch-tokens",
      "256",
      "--max-length",
      "64",
      "--lr",
      "0.005",
      "--eval-every",
      "15",
      "--save-every",
      "10",
      "--ema",
      "0.9",
      "--clip-percentile",
      "30",
      "--out",
      "run",
      "--backend",
      "onnxruntime",
      "--threads",
      "1",
    );
    expect(code, err).toBe(0);
  });

  it("evaluates the averaged weights under names of their own, and saves them as a model", async () => {
    const evaluations = rows("run").filter((row) => String(row["type"]) === "eval");
    expect(evaluations.map((row) => Number.isFinite(row["ema.loss"]) && row["ema.loss"] !== row["loss"])).toEqual([
      true,
      true,
    ]);
    const { json, code } = await run(
      "evaluate",
      "--checkpoint",
      "run/checkpoints/step-30/ema",
      "--data",
      "data.fasta",
      "--split",
      "valid",
      "--max-length",
      "64",
      "--batch-tokens",
      "256",
      "--backend",
      "onnxruntime",
      "--json",
    );
    expect(code).toBe(0);
    expect(json()["loss"]).toBeCloseTo(evaluations.at(-1)?.["ema.loss"] as number, 5);
    expect((await run("fill-mask", "MKTA<mask>IA", "--checkpoint", "run/checkpoints/step-30/ema")).code).toBe(0);
  });

  it("takes no fixed norm unless one is named", () => {
    expect(readFileSync(join(dir, "run", "config.yaml"), "utf8")).toMatch(/^clip: 0$/m);
  });

  it("checkpoint average is the mean of the run's last ones, and opens", async () => {
    const { json, code, out } = await run("checkpoint", "average", "run", "--last", "3", "--out", "mean", "--json");
    expect(code, out).toBe(0);
    expect((json()["inputs"] as string[]).map((path) => path.split("/").at(-1))).toEqual([
      "step-10",
      "step-20",
      "step-30",
    ]);
    const named = await run(
      "checkpoint",
      "average",
      "run/checkpoints/step-10",
      "run/checkpoints/step-20",
      "run",
      "--out",
      "named",
    );
    expect(named.out).toMatch(/named: the mean of 3 checkpoints, \d+ tensors/);
    expect(
      readFileSync(join(dir, "named/model.safetensors")).equals(readFileSync(join(dir, "mean/model.safetensors"))),
    ).toBe(true);
    expect(
      (
        await run(
          "evaluate",
          "--checkpoint",
          "mean",
          "--data",
          "data.fasta",
          "--max-length",
          "64",
          "--backend",
          "onnxruntime",
        )
      ).code,
    ).toBe(0);
  });

  it.each([
    [["run", "--out", "x"], /two checkpoints or more, got one/],
    [["run", "--last", "9", "--out", "x"], /--last 9: expected a run with so many checkpoints, got 3/],
    [["run", "mean", "--last", "2", "--out", "x"], /one run folder, got 2 folders/],
    [["run/checkpoints/step-10", "run/checkpoints/step-20", "--out", "run"], /expected a new folder/],
  ] as const)("refuses %j", async (args, message) => {
    const { code, err } = await run("checkpoint", "average", ...args);
    expect(code).not.toBe(0);
    expect(err).toMatch(message);
    expect(existsSync(join(dir, "x"))).toBe(false);
  });
});
