/** A run that changes its backend on the way: ONNX Runtime and TensorFlow.js each go on from the other's checkpoint. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "@cloze/backend";
import { readMetrics } from "@cloze/trainer";
import { describe, expect, it, type TestContext } from "vitest";
import { BACKENDS } from "../src/backends.ts";
import { fasta, tinyConfig } from "./corpus.ts";
import { cli } from "./run-cli.ts";

const NAMES = ["tfjs:node", "tfjs:wasm"] as const;

/** The backend. Without TensorFlow's native library the test is skipped and says why. */
async function open(name: (typeof NAMES)[number], context: TestContext): Promise<Backend> {
  const entry = BACKENDS.find((each) => each.name === name);
  const probe = await entry?.probe("use");
  if (entry === undefined || probe === undefined) throw new Error(`no backend ${name}`);
  // allow skip: TensorFlow's native library is not on every machine
  if (!probe.available) return context.skip(`${probe.reason} ${probe.remedy}`);
  return entry.open({});
}

describe.each(NAMES)("%s", (name) => {
  it("goes on where ONNX Runtime stopped, and the other way round, to the same losses", async (context) => {
    await (await open(name, context)).dispose();
    const { dir, run, write } = cli();
    write("data.fasta", fasta(120));
    write("tiny.json", JSON.stringify(tinyConfig));
    const settings = [
      "--model",
      "tiny.json",
      "--data",
      "data.fasta",
      "--steps",
      "12",
      "--batch-tokens",
      "256",
      "--max-length",
      "64",
      "--lr",
      "0.005",
      "--save-every",
      "6",
    ];
    const losses = (out: string): number[] =>
      readMetrics(join(dir, out, "metrics.jsonl"))
        .rows.filter((row) => row.type === "train")
        .map((row) => row.loss);
    const trained = async (out: string, ...more: string[]): Promise<void> => {
      const { code, err } = await run("pretrain", ...settings, "--out", out, ...more);
      expect(code, err).toBe(0);
    };
    await trained("straight", "--backend", "onnxruntime");
    for (const [first, then] of [
      ["onnxruntime", name],
      [name, "onnxruntime"],
    ] as const) {
      const out = `${first}-${then}`.replaceAll(":", "-");
      await trained(out, "--backend", first);
      rmSync(join(dir, out, "checkpoints", "step-12"), { recursive: true });
      const { code, err } = await run("pretrain", "--resume", out, "--backend", then);
      expect(code, err).toBe(0);
      const want = losses("straight");
      const got = losses(out);
      expect(got.length).toBe(12);
      got.forEach((loss, i) => expect(Math.abs(loss - (want[i] as number)), `step ${i + 1}`).toBeLessThan(1e-4));
    }
  });
});
