// ESM-2 with dropout, rematerialised: the same training bit for bit, with fewer values alive at once.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  barrierComposite,
  interpret,
  isOp,
  lower,
  order,
  orderByDemand,
  peakLiveBytes,
  programRoots,
  type Program,
} from "@cloze/graph";
import { esm2, esm2Configs, esm2ConfigText } from "@cloze/models/esm2";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { feedTypes } from "@cloze/objective";
import { adamw } from "@cloze/optim";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  accumulateProgram,
  initialState,
  parseMetrics,
  stepProgram,
  train,
  withoutTime,
  type ModelSource,
  type TrainOptions,
} from "../src/index.ts";
import { objective, tinyRun } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-remat-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function sourceOf(layers: number): ModelSource {
  const config = {
    ...esm2Configs["esm2-8m"],
    layers,
    hidden: 16,
    heads: 2,
    intermediate: 32,
    hiddenDropoutRate: 0.1,
    attentionDropoutRate: 0.1,
  };
  return {
    name: `tiny-${layers}`,
    model: esm2(config),
    configText: esm2ConfigText(config),
    buffers: {},
    maxLength: 32,
  };
}

const setup = (layers: number, rematerialise: boolean): Parameters<typeof stepProgram>[0] => ({
  source: sourceOf(layers),
  objective,
  optimizer: adamw(),
  clip: 1,
  rematerialise,
});
const prepared = async (): Promise<ReturnType<typeof objective.prepare>> =>
  objective.prepare(await tinyRun(dir).batches.batchAt(0), { seed: 0, step: 0, evaluation: false });
const NATIVE = new Set([barrierComposite.name]);

describe("a rematerialised ESM-2", () => {
  it.each([
    ["step", stepProgram],
    ["accumulate", accumulateProgram],
  ] as const)("%s: outputs and updates are equal to the bit", async (_, make) => {
    const { feeds } = await prepared();
    const [plain, less] = [make(setup(2, false), feedTypes({ feeds })), make(setup(2, true), feedTypes({ feeds }))];
    expect(order(programRoots(less)).some((x) => isOp(x, "composite") && x.attrs.composite === barrierComposite)).toBe(
      true,
    );
    const state = initialState([plain], initialize(maskedLmParameters(sourceOf(2).model), 1));
    const scalars = adamw().hostScalars(1, 0.01);
    const given = Object.fromEntries(
      Object.entries({ ...state, ...feeds, ...scalars }).map(([name, { data }]) => [name, data]),
    );
    const run = (p: Program): unknown =>
      interpret(programRoots(p), { ...given, "random.key": [0, 1] }).map(({ data }) => Array.from(data));
    expect(run(less)).toEqual(run(plain));
  });

  it.each([1, 2])("trains as it does without, bit for bit (%i parts)", async (accumulate) => {
    const source = sourceOf(2);
    const weights = initialize(maskedLmParameters(source.model), 1);
    const settings: Partial<TrainOptions> = { source, weights, accumulate, until: { steps: 3 }, saveEvery: 0 };
    const rows = (run: string): string[] =>
      parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows.map(withoutTime);
    await train(tinyRun(join(dir, "plain"), settings));
    await train(tinyRun(join(dir, "less"), { ...settings, rematerialise: true }));
    expect(rows(join(dir, "less"))).toEqual(rows(join(dir, "plain")));
  });

  it.each(["f32", "f16"] as const)("%s: less than half is alive at once with 6 layers", async (compute) => {
    const types = feedTypes(await prepared());
    const demanded = (p: Program): number => peakLiveBytes(p, orderByDemand(programRoots(p)));
    const peak = (rematerialise: boolean): number =>
      demanded(lower(accumulateProgram({ ...setup(6, rematerialise), compute }, types), { compute, native: NATIVE }));
    expect(peak(false) / peak(true)).toBeGreaterThan(2);
  });
});
