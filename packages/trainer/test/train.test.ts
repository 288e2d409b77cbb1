import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTensor } from "@cloze/graph";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backend } from "@cloze/backend-reference";
import {
  loadTrainerState,
  loadWeights,
  NumericError,
  parseMetrics,
  train,
  withoutTime,
  type MetricsRow,
  type TrainOptions,
} from "../src/index.ts";
import { packedBatches, memoryDataset } from "@cloze/data";
import { corpus, resumed, tinyRun, tokenizer } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-train-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = (run: string): readonly MetricsRow[] =>
  parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows;
const plain = (run: string): string[] => rows(run).map(withoutTime);
const losses = (run: string): number[] => rows(run).flatMap((r) => (r.type === "train" ? [r.loss] : []));

describe("train", () => {
  it("learns: the loss falls below where it began", async () => {
    const result = await train(tinyRun(dir, { until: { steps: 60 }, evalEvery: 0, saveEvery: 0, lr: 0.02 }));
    const [first, last] = [
      losses(dir)[0] as number,
      losses(dir)
        .slice(-10)
        .reduce((s, x) => s + x, 0) / 10,
    ];
    expect(first).toBeGreaterThan(2.5);
    expect(last).toBeLessThan(first - 1);
    expect(result.evaluation?.loss).toBeLessThan(first);
    expect(result.steps).toBe(60);
  });

  it("resumes bit for bit: metrics and weights as of an uninterrupted run", async () => {
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    const whole = await train(tinyRun(straight));
    await train(tinyRun(broken, { until: { steps: 4 }, evalEvery: 3 }));
    // The longer run does not have the final evaluation of the shorter run: a resume cuts the record back to the
    // checkpoint's step.
    const again = await train(await resumed(broken));
    expect(losses(broken)).toEqual(losses(straight));
    expect(plain(broken).filter((l) => !l.includes('"step":4') || !l.includes('"eval"'))).toEqual(plain(straight));
    expect(await read(again.checkpoint)).toEqual(await read(whole.checkpoint));
  });

  it("resuming what is finished evaluates, and writes nothing twice", async () => {
    const first = await train(tinyRun(dir));
    const before = plain(dir);
    const again = await train(await resumed(dir));
    expect(again).toMatchObject({ steps: 6, checkpoint: first.checkpoint, interrupted: false });
    expect(again.evaluation).toEqual(first.evaluation);
    expect(plain(dir)).toEqual(before);
  });

  it("refuses to resume what was trained with another seed", async () => {
    await train(tinyRun(dir, { until: { steps: 2 } }));
    await expect(resumed(dir, { seed: 2 }).then(train)).rejects.toThrow(
      /it was trained with seed 1, this run says 2\. Use the same, or start a new run with --from/,
    );
  });

  it("stops when told to, saves, and says so; what follows is as if nothing had happened", async () => {
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    const stop = new AbortController();
    await train(tinyRun(straight));
    const halted = await train(
      tinyRun(broken, {
        signal: stop.signal,
        onEvent: (e) => {
          if (e.kind === "row" && e.row.step === 3) stop.abort();
        },
      }),
    );
    expect(halted).toMatchObject({ interrupted: true, steps: 3 });
    expect(halted.checkpoint).toMatch(/step-3$/);
    await train(await resumed(broken));
    expect(plain(broken)).toEqual(plain(straight));
  });

  it("gives the same steps in one batch and in accumulated parts", async () => {
    const whole = join(dir, "whole");
    const parts = join(dir, "parts");
    const data = memoryDataset(corpus(40));
    const special = { pad: tokenizer.special.pad, start: 0, end: 2 };
    const batches = (rowsPerBatch: number): TrainOptions["batches"] =>
      packedBatches(data, { seed: 1, length: 32, rowsPerBatch, special });
    const f64 = backend({ precision: "f64" });
    await train(tinyRun(whole, { backend: f64, batches: batches(4), accumulate: 1 }));
    await train(tinyRun(parts, { backend: f64, batches: batches(1), accumulate: 4 }));
    const [a, b] = [rows(whole), rows(parts)];
    expect(b.length).toBe(a.length);
    a.forEach((row, i) => {
      expect(b[i]?.tokens).toBe(row.tokens);
      expect(b[i]?.loss).toBeCloseTo(row.loss, 6);
    });
  });

  it("names the layer when a number overflows, and keeps the parameters of the step before", async () => {
    const options = tinyRun(dir, { saveEvery: 1 });
    const name = "esm.encoder.layer.0.intermediate.dense.weight";
    const huge = hostTensor("f32", options.weights[name]?.shape ?? []);
    // The row needs several values: against a constant row, a normalised input sums to zero.
    huge.data.forEach((_, i) => {
      huge.data[i] = i % 3 === 0 ? 3e38 : -1e38;
    });
    const error = await train({ ...options, weights: { ...options.weights, [name]: huge } }).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(NumericError.isInstance(error)).toBe(true);
    if (!NumericError.isInstance(error)) return;
    expect(error.facts).toMatchObject({ step: 1 });
    expect(error.facts.layer).toMatch(/esm\.encoder\.layer\.0/);
    expect(error.message).toMatch(
      /step 1: expected a finite loss and gradient, got loss .*, first in esm\.encoder\.layer\.0/,
    );
    expect(readdirSync(dir)).not.toContain("checkpoints");
  });

  it("keeps the newest checkpoints only", async () => {
    await train(tinyRun(dir, { keep: 2, saveEvery: 1, evalEvery: 0 }));
    expect(readdirSync(join(dir, "checkpoints")).sort()).toEqual(["step-5", "step-6"]);
  });

  it("writes a checkpoint that Python's layout asks for", async () => {
    const { checkpoint } = await train(tinyRun(dir));
    expect(readdirSync(checkpoint)).toEqual(
      expect.arrayContaining([
        "config.json",
        "model.safetensors",
        "optimizer.safetensors",
        "tokenizer.json",
        "trainer_state.json",
        "vocab.txt",
      ]),
    );
  });
});

async function read(checkpoint: string): Promise<unknown> {
  const { optimizer } = await loadTrainerState(checkpoint);
  const parameters = new Map(Object.entries(tinyRun(dir).weights));
  return { optimizer, weights: await loadWeights(checkpoint, parameters) };
}
