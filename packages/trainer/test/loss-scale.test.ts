// Training with 16-bit contractions: steps that overflow are skipped, the scale settles, and a resume changes nothing.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTensor } from "@cloze/graph";
import { feedTypes } from "@cloze/objective";
import { adamw, type Optimizer } from "@cloze/optim";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  loadTrainerState,
  loadWeights,
  NumericError,
  parseMetrics,
  stepProgram,
  train,
  withoutTime,
  type MetricsRow,
  type TrainOptions,
} from "../src/index.ts";
import { objective, resumed, source, tinyRun } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-scale-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = (run: string): readonly MetricsRow[] =>
  parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows.filter((row) => row.type === "train");
const skipped = (run: string): number[] => rows(run).flatMap((row) => (row["skipped"] === true ? [row.step] : []));
const f16 = (run: string, changes: Partial<TrainOptions> = {}): TrainOptions =>
  tinyRun(run, { compute: "f16", evalEvery: 0, saveEvery: 0, ...changes });
const mean = (xs: readonly number[]): number => xs.reduce((a, b) => a + b) / xs.length;

/** The weights and the optimizer state of a checkpoint. */
async function held(checkpoint: string): Promise<{ readonly weights: unknown; readonly optimizer: unknown }> {
  const { optimizer } = await loadTrainerState(checkpoint);
  return { optimizer, weights: await loadWeights(checkpoint, new Map(Object.entries(tinyRun(dir).weights))) };
}

describe("compute f16", () => {
  it("skips the steps that overflow, comes down from 2^16, and then learns as f32 does", async () => {
    const low = join(dir, "f16");
    const full = join(dir, "f32");
    const until = { steps: 80 };
    const lr = 0.02;
    await train(f16(low, { until, lr }));
    await train(tinyRun(full, { until, lr, evalEvery: 0, saveEvery: 0 }));
    const all = rows(low);
    const lost = skipped(low);
    expect(all[0]).toMatchObject({ lossScale: 65_536, skipped: true });
    // The skipped steps are the first steps: the scale falls until the gradients fit, each time at most two steps late.
    expect(lost).toEqual(lost.map((_, i) => i + 1));
    expect(lost.length).toBeGreaterThan(2);
    expect(lost.length).toBeLessThan(30);
    for (const row of all.slice(lost.length)) expect(row).toMatchObject({ lossScale: 65_536 / 2 ** (lost.length / 2) });
    // The skipped steps are lost. After them the two curves stay close.
    const end = (run: string): number =>
      mean(
        rows(run)
          .slice(-20)
          .map((row) => row.loss),
      );
    expect(Math.abs(end(low) - end(full))).toBeLessThan(0.15);
    expect(end(low)).toBeLessThan((all[0] as MetricsRow).loss - 1);
  });

  it("leaves parameters and moments alone where it skips", async () => {
    const { checkpoint } = await train(f16(dir, { until: { steps: 2 } }));
    expect(skipped(dir)).toEqual([1, 2]);
    const { weights, optimizer } = await held(checkpoint);
    expect(weights).toEqual(tinyRun(dir).weights);
    for (const { data } of Object.values(optimizer as Record<string, { readonly data: Float32Array }>))
      expect(data.every((x) => x === 0)).toBe(true);
  });

  // At steps 3 and 8 the scale still falls; step 13 comes after the fall. With a growth interval of 3 the scale also
  // rises, overflows again and returns.
  it.each([3, 8, 13])("resumed after step %i, it is bit for bit the run that was not interrupted", async (at) => {
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    const settings: Partial<TrainOptions> = { until: { steps: 24 }, lossScale: { growthInterval: 3 } };
    const whole = await train(f16(straight, settings));
    const scales = rows(straight).map((row) => row["lossScale"] as number);
    expect(scales.some((s, i) => i > 0 && s > (scales[i - 1] as number))).toBe(true);
    await train(f16(broken, { ...settings, until: { steps: at } }));
    const again = await train(await resumed(broken, { ...settings, compute: "f16", evalEvery: 0, saveEvery: 0 }));
    expect(rows(broken).map(withoutTime)).toEqual(rows(straight).map(withoutTime));
    expect(await held(again.checkpoint)).toEqual(await held(whole.checkpoint));
    expect((await loadTrainerState(again.checkpoint)).state.lossScale).toEqual(
      (await loadTrainerState(whole.checkpoint)).state.lossScale,
    );
  });

  it("evaluations and checkpoints in between change no scale", async () => {
    const settings: Partial<TrainOptions> = { until: { steps: 18 }, lossScale: { growthInterval: 3 } };
    await train(f16(join(dir, "plain"), settings));
    await train(f16(join(dir, "looking"), { ...settings, evalEvery: 2, saveEvery: 5 }));
    expect(rows(join(dir, "looking")).map(withoutTime)).toEqual(rows(join(dir, "plain")).map(withoutTime));
  });

  it("in parts: sums that overflowed are gone when the next step begins", async () => {
    await train(f16(dir, { until: { steps: 40 }, accumulate: 3, lr: 0.02 }));
    const lost = skipped(dir);
    const after = rows(dir).slice(lost.length);
    expect(lost).toEqual(lost.map((_, i) => i + 1));
    expect(lost.length).toBeGreaterThan(2);
    expect(after.every((row) => Number.isFinite(row.loss) && Number.isFinite(row.gradNorm))).toBe(true);
    // Each loss belongs to its own step. It is not a sum that includes skipped steps.
    expect(Math.abs((after[0] as MetricsRow).loss - (rows(dir)[0] as MetricsRow).loss)).toBeLessThan(0.2);
    expect((after.at(-1) as MetricsRow).loss).toBeLessThan((after[0] as MetricsRow).loss - 1);
  });

  it("a skipped step is no update of the optimizer, and the schedule goes on", async () => {
    const inner = adamw();
    const updates: number[] = [];
    const rates: number[] = [];
    const optimizer: Optimizer = {
      ...inner,
      hostScalars: (t, lr) => {
        updates.push(t);
        rates.push(lr);
        return inner.hostScalars(t, lr);
      },
    };
    await train(f16(dir, { optimizer, until: { steps: 16 }, lr: 1, schedule: (step) => step / 1000 }));
    const lost = new Set(skipped(dir));
    // When the loop calls step n (from 0), it knows the outcomes up to step n - 2.
    expect(updates).toEqual(
      Array.from({ length: 16 }, (_, n) => n + 1 - [...lost].filter((step) => step <= n - 1).length),
    );
    expect(updates.at(-1)).toBe(16 - lost.size);
    expect(rates).toEqual(rates.map((_, n) => (n + 1) / 1000));
  });

  it("an overflow with the smallest scale ends the run and names the layer", async () => {
    const options = f16(dir, { until: { steps: 12 }, lossScale: { initScale: 4, minScale: 1 } });
    const name = "esm.encoder.layer.0.intermediate.dense.weight";
    const huge = hostTensor("f32", options.weights[name]?.shape ?? []);
    huge.data.forEach((_, i) => {
      huge.data[i] = i % 3 === 0 ? 3e5 : -1e5;
    });
    const error = await train({ ...options, weights: { ...options.weights, [name]: huge } }).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(NumericError.isInstance(error)).toBe(true);
    if (!NumericError.isInstance(error)) return;
    // The scales are 4, 4, 2, 2, 1. The first step with scale 1 ends the run.
    expect(rows(dir).map((row) => row["lossScale"])).toEqual([4, 4, 2, 2]);
    expect(error.facts).toMatchObject({ step: 5 });
    expect(error.facts.layer).toMatch(/esm\.encoder\.layer\.0/);
    expect(error.message).toMatch(/with the smallest loss scale, 1, first in esm\.encoder\.layer\.0/);
  });

  it("is refused by a run of another precision", async () => {
    await train(f16(dir, { until: { steps: 2 } }));
    await expect(resumed(dir).then(train)).rejects.toThrow(/it was trained with compute f16, this run says f32/);
  });
});

describe("f32 and bf16", () => {
  it.each(["f32", "bf16"] as const)("%s has no loss scale", async (compute) => {
    const batch = await tinyRun(dir).batches.batchAt(0);
    const prepared = objective.prepare(batch, { seed: 0, step: 0, evaluation: false });
    const program = stepProgram({ source, objective, optimizer: adamw(), clip: 1, compute }, feedTypes(prepared));
    expect(program.feeds.map((f) => f.attrs.name)).not.toContain("optim.lossScale");
    await train(tinyRun(dir, { compute, until: { steps: 3 }, evalEvery: 0 }));
    expect(rows(dir).every((row) => !("lossScale" in row) && Number.isFinite(row.gradNorm))).toBe(true);
  });
});
