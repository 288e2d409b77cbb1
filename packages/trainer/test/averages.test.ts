// The moving average of the parameters in a run: saving and evaluation, with accumulation, after skipped steps and
// after a resume.
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adamw, clipByPercentile, ema } from "@cloze/optim";
import { afterEach, describe, expect, it } from "vitest";
import { loadTrainerState, loadWeights, train, type TrainOptions, type Weights } from "../src/index.ts";
import { resumed, source, tinyRun } from "./tiny.ts";

const folders: string[] = [];
const scratch = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), "cloze-averages-"));
  folders.push(dir);
  return dir;
};
afterEach(async () => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true });
});

const optimizer = (): TrainOptions["optimizer"] =>
  ema(clipByPercentile(adamw({ beta2: 0.98 }), { percentile: 50, history: 3 }), { decay: 0.6 });
const averaged = { optimizer: optimizer(), clip: undefined } as const;
const step = (run: string, n: number): string => join(run, "checkpoints", `step-${n}`);
const weightsOf = (dir: string, run: TrainOptions): Promise<Weights> =>
  loadWeights(dir, new Map(Object.entries(run.weights)));

describe("a run with a moving average", () => {
  it("saves, step by step, what the checkpoints' own parameters come to", async () => {
    const run = await scratch();
    const options = tinyRun(run, { ...averaged, saveEvery: 1, evalEvery: 0, until: { steps: 4 }, keep: 9 });
    await train(options);
    let expected = new Map(Object.entries(options.weights).map(([name, { data }]) => [name, Float64Array.from(data)]));
    for (let n = 1; n <= 4; n++) {
      const now = await weightsOf(step(run, n), options);
      const saved = await weightsOf(join(step(run, n), "ema"), options);
      const decay = Math.min(0.6, (1 + n) / (10 + n));
      expected = new Map(
        [...expected].map(([name, before]) => [
          name,
          before.map((x, i) => decay * x + (1 - decay) * (now[name]?.data[i] as number)),
        ]),
      );
      for (const [name, values] of expected)
        values.forEach((x, i) => expect(Math.abs((saved[name]?.data[i] as number) - x), name).toBeLessThan(1e-6));
    }
    const files = async (dir: string): Promise<string[]> =>
      (await readdir(dir)).filter((name) => !/^(cloze-manifest|optimizer|trainer_state|ema)/.test(name)).sort();
    expect(await files(join(step(run, 4), "ema"))).toEqual(await files(step(run, 4)));
    expect(await readFile(join(step(run, 4), "ema", "config.json"), "utf8")).toBe(source.configText);
  });

  it("evaluates both, and each figure has its name", async () => {
    const run = await scratch();
    const options = tinyRun(run, { ...averaged, until: { steps: 3 } });
    const { evaluation, checkpoint } = await train(options);
    const session = await options.backend.start(await weightsOf(join(checkpoint, "ema"), options));
    const alone = await options.evaluator?.run(session);
    expect(evaluation?.["ema.loss"]).toBe(alone?.loss);
    expect(evaluation?.["ema.accuracy"]).toBe(alone?.accuracy);
    expect(evaluation?.["ema.loss"]).not.toBe(evaluation?.loss);
    await session.dispose();
  });

  it.each([
    ["in one part", {}],
    ["in two parts", { accumulate: 2 }],
    ["with a loss scale that overflows at first", { compute: "f16", lossScale: { initScale: 2 ** 24 } }],
  ] as const)("goes on bit for bit, %s", async (_, changes) => {
    const straight = await scratch();
    const halved = await scratch();
    const settings = { ...averaged, ...changes, evalEvery: 2 };
    await train(tinyRun(straight, { ...settings, until: { steps: 6 } }));
    await cp(straight, halved, { recursive: true });
    for (const n of [4, 6]) await rm(step(halved, n), { recursive: true });
    await train(await resumed(halved, { ...settings, until: { steps: 6 } }));
    for (const file of ["model.safetensors", "optimizer.safetensors", "ema/model.safetensors"]) {
      expect(
        (await readFile(join(step(halved, 6), file))).equals(await readFile(join(step(straight, 6), file))),
        file,
      ).toBe(true);
    }
    const { optimizer: state } = await loadTrainerState(step(straight, 6));
    const count = state["ema.count"]?.data[0] as number;
    expect(state["clip.count"]?.data[0]).toBe(Math.min(3, count));
    expect(count).toBe(
      "compute" in changes ? 6 - skippedIn(await readFile(join(straight, "metrics.jsonl"), "utf8")) : 6,
    );
  });

  it("is the weights themselves before anything moved them", async () => {
    const run = await scratch();
    const options = tinyRun(run, {
      ...averaged,
      compute: "f16",
      lossScale: { initScale: 2 ** 24, maxScale: 2 ** 24 },
      until: { steps: 1 },
      saveEvery: 0,
    });
    const { checkpoint } = await train(options);
    expect(skippedIn(await readFile(join(run, "metrics.jsonl"), "utf8"))).toBe(1);
    expect(await weightsOf(join(checkpoint, "ema"), options)).toEqual(await weightsOf(checkpoint, options));
  });
});

const skippedIn = (metrics: string): number =>
  metrics.split("\n").filter((line) => line.includes('"skipped":true')).length;
