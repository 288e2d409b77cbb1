// Window, rotary base, row length, batch size, mask rate and objective change during a run. After a resume, the run
// continues as if it had never stopped.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backend } from "@cloze/backend-reference";
import { memoryDataset, packedBatches, paddedBatches } from "@cloze/data";
import { openModel } from "@cloze/models/families";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { mlm } from "@cloze/objective-mlm";
import type { Objective } from "@cloze/objective";
import { adamw, byParameter, muon, muonRules } from "@cloze/optim";
import { heldSchedule, schedule, type Progress } from "@cloze/schedule";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  Evaluator,
  loadTrainerState,
  loadWeights,
  newestCheckpoint,
  parseMetrics,
  planTraining,
  train,
  withoutTime,
  type MetricsRow,
  type Stage,
  type Stages,
  type TrainOptions,
} from "../src/index.ts";
import { corpus, tinyRun, tokenizer } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-stages-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = (run: string): readonly MetricsRow[] =>
  parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows;
const special = { pad: tokenizer.special.pad, start: 0, end: 2 };

const config = {
  model_type: "cloze_speedrun",
  vocab_size: 33,
  pad_token_id: 1,
  mask_token_id: 32,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 64,
};

/** Like mlm, with one more metric to sum. */
const counting = (inner: Objective): Objective => ({
  ...inner,
  name: "counting",
  loss(scope, model, feeds) {
    const terms = inner.loss(scope, model, feeds);
    return { ...terms, metrics: { ...terms.metrics, nats: terms.loss } };
  },
});

interface Plan {
  readonly window: string;
  readonly ropeBase: string;
  readonly length: string;
  readonly accumulate: string;
  readonly second: string;
}

/** Five settings that change, each at its own steps. */
const PLAN: Plan = {
  window: "0:2,4:4",
  ropeBase: "0:100,6:1000",
  length: "0:16,6:32",
  accumulate: "0:1,3:3,10:1",
  second: "0:0,8:1",
};

async function stagedRun(run: string, plan: Plan, changes: Partial<TrainOptions> = {}): Promise<TrainOptions> {
  const opened = await openModel(config);
  const engine = changes.backend ?? backend();
  const data = memoryDataset(corpus(60));
  const objective = mlm(tokenizer, { rate: "0:0.4,1:0.1" });
  const held = Object.fromEntries(
    Object.entries(plan).map(([name, spec]) => [name, heldSchedule(spec as string, { where: name })]),
  ) as Record<keyof Plan, ReturnType<typeof heldSchedule>>;
  const sources = new Map<string, Stage["source"]>();
  const batches = new Map<number, Stage["batches"]>();
  const objectives = [objective, counting(objective)] as const;
  const made = new Map<string, Stage>();
  const stageOf = (values: Record<keyof Plan, number>): Stage => {
    const key = JSON.stringify(values);
    const { window, ropeBase, length, accumulate, second } = values;
    const varied = opened.vary({ window, ropeBase });
    const name = `${window} ${ropeBase}`;
    const source = sources.get(name) ?? {
      name: "tiny",
      model: varied.model,
      configText: varied.configText(),
      buffers: {},
      maxLength: 64,
    };
    const rowsOf = batches.get(length) ?? packedBatches(data, { seed: 1, length, rowsPerBatch: 64 / length, special });
    sources.set(name, source);
    batches.set(length, rowsOf);
    const stage = made.get(key) ?? {
      source,
      objective: objectives[second] as Objective,
      batches: rowsOf,
      accumulate,
      values,
    };
    made.set(key, stage);
    return stage;
  };
  const at = (progress: Progress): Stage =>
    stageOf(
      Object.fromEntries(Object.entries(held).map(([name, value]) => [name, value.at(progress)])) as Record<
        keyof Plan,
        number
      >,
    );
  const all = [...new Set(Array.from({ length: 13 }, (_, step) => at({ step, share: step / 12 })))];
  const stages: Stages = { all, at };
  const first = at({ step: 0, share: 0 });
  return {
    ...tinyRun(run),
    backend: engine,
    source: first.source,
    objective,
    batches: first.batches,
    accumulate: first.accumulate,
    stages,
    evaluator: new Evaluator({
      backend: engine,
      source: first.source,
      objective,
      batches: paddedBatches(memoryDataset(corpus(6)), { special, maxSequence: 32, rowsPerBatch: 3 }),
    }),
    optimizer: byParameter(
      muonRules({
        matrices: muon({ momentum: "0:0.8,1:0.95", weightDecay: "0:0,1:0.1" }),
        rest: adamw({ weightDecay: "0:0.1,1:0" }),
        lrScale: 0.3,
      }),
    ),
    weights: initialize(maskedLmParameters(opened.model), 1),
    schedule: schedule("cosine", { warmup: 0.2, final: 0.1 }),
    until: { steps: 12 },
    evalEvery: 4,
    saveEvery: 3,
    ...changes,
  };
}

async function resumedRun(run: string, plan: Plan, changes: Partial<TrainOptions> = {}): Promise<TrainOptions> {
  const from = (await newestCheckpoint(run)) as string;
  const options = await stagedRun(run, plan, changes);
  const { optimizer, state } = await loadTrainerState(from);
  return {
    ...options,
    weights: await loadWeights(from, new Map(Object.entries(options.weights))),
    resume: { optimizer, state, dir: from },
  };
}

/** Stops the run when the training row of `step` is written. */
const stoppingAt = (step: number): Partial<TrainOptions> => {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    onEvent: (e) => {
      if (e.kind === "row" && e.row.type === "train" && e.row.step === step) stop.abort();
    },
  };
};

async function everythingOf(checkpoint: string, options: TrainOptions): Promise<unknown> {
  const {
    optimizer,
    state: { elapsedSeconds: _, ...state },
  } = await loadTrainerState(checkpoint);
  return {
    optimizer,
    state,
    config: JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8")) as unknown,
    weights: await loadWeights(checkpoint, new Map(Object.entries(options.weights))),
  };
}

describe("stages", () => {
  it.each([
    ["steps", { steps: 12 }, PLAN],
    [
      "tokens",
      { tokens: 1500 },
      {
        window: "0:2,0.3:4",
        ropeBase: "0:100,0.5:1000",
        length: "0:16,0.5:32",
        accumulate: "0:1,0.25:3,0.8:1",
        second: "0:0,0.6:1",
      },
    ],
  ] as const)(
    "a run by %s that was stopped, again and again, has the numbers of one that was not, bit for bit",
    async (_, until, plan) => {
      const straight = join(dir, "straight");
      const broken = join(dir, "broken");
      const options = await stagedRun(straight, plan, { until });
      const whole = await train(options);
      const stops = [await train(await stagedRun(broken, plan, { until, ...stoppingAt(1) }))];
      for (const step of [4, 7])
        stops.push(await train(await resumedRun(broken, plan, { until, ...stoppingAt(step) })));
      // After the stop, the loop finishes the steps in flight.
      expect(stops.map(({ interrupted, steps }) => [interrupted, steps])).toEqual([
        [true, 2],
        [true, 4],
        [true, 8],
      ]);
      const again = await train(await resumedRun(broken, plan, { until }));
      expect(rows(broken).map(withoutTime)).toEqual(rows(straight).map(withoutTime));
      expect(await everythingOf(again.checkpoint, options)).toEqual(await everythingOf(whole.checkpoint, options));
      expect(whole.steps).toBeGreaterThan(8);
      if ("tokens" in until) expect(whole.tokens).toBeGreaterThanOrEqual(until.tokens);
    },
    60_000,
  );

  it("says in the record what a stage is, where it begins, and saves the model that is in force", async () => {
    const options = await stagedRun(dir, PLAN);
    const { checkpoint } = await train(options);
    const told = rows(dir).filter((row) => row["window"] !== undefined);
    expect(
      told.map(({ step, window, ropeBase, length, accumulate, second }) => [
        step,
        window,
        ropeBase,
        length,
        accumulate,
        second,
      ]),
    ).toEqual([
      [1, 2, 100, 16, 1, 0],
      [4, 2, 100, 16, 3, 0],
      [5, 4, 100, 16, 3, 0],
      [7, 4, 1000, 32, 3, 0],
      [9, 4, 1000, 32, 3, 1],
      [11, 4, 1000, 32, 1, 1],
    ]);
    expect(
      rows(dir)
        .filter(({ type, nats }) => type === "train" && nats !== undefined)
        .map(({ step }) => step),
    ).toEqual([9, 10, 11, 12]);
    expect(JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8"))).toMatchObject({
      window: 4,
      rope_theta: 1000,
    });
    expect((await loadTrainerState(checkpoint)).state).toMatchObject({
      parts: 3 * 1 + 7 * 3 + 2 * 1,
      stage: { window: 4, accumulate: 1 },
    });
    // Three parts of equal size hold about three times as many tokens, apart from padding.
    const tokens = rows(dir).flatMap((row) => (row.type === "train" ? [row.tokens] : []));
    const taken = tokens.map((n, i) => n - (tokens[i - 1] ?? 0));
    expect(Math.min(...taken.slice(3, 10))).toBeGreaterThan(2 * Math.max(...taken.slice(0, 3), ...taken.slice(10)));
  }, 60_000);

  it("compiles a program for each model, objective and shape, and once for all updates of an objective", async () => {
    const engine = backend();
    let compiled = 0;
    const counted: typeof engine = {
      ...engine,
      compile: (...given) => {
        compiled++;
        return engine.compile(...given);
      },
      start: (state) => engine.start(state),
    };
    const { evaluator: _, ...options } = await stagedRun(dir, PLAN, { backend: counted });
    await train(options);
    // step (window 2); part (window 2), update; part (window 4); part (other base, longer rows); part and update of the
    // other objective; step of the other objective.
    expect(compiled).toBe(1 + 2 + 1 + 1 + 2 + 1);
  }, 60_000);

  it("evaluates the model of the stage: the last figures are those of the weights under the saved config.json", async () => {
    const options = await stagedRun(dir, PLAN);
    const { evaluation, checkpoint } = await train(options);
    const engine = backend();
    const opened = await openModel(JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8")));
    const session = await engine.start(await loadWeights(checkpoint, new Map(Object.entries(options.weights))));
    const evaluate = (model: typeof opened): Promise<unknown> =>
      new Evaluator({
        backend: engine,
        source: { ...options.source, model: model.model },
        objective: mlm(tokenizer),
        batches: paddedBatches(memoryDataset(corpus(6)), { special, maxSequence: 32, rowsPerBatch: 3 }),
      }).run(session);
    expect(await evaluate(opened)).toEqual(evaluation);
    expect(await evaluate(opened.vary({ window: 2, ropeBase: 100 }))).not.toEqual(evaluation);
  }, 60_000);

  it("is planned stage by stage", async () => {
    const plans = await planTraining(await stagedRun(dir, PLAN));
    expect(plans.map(({ program, times, stage }) => [program, times, stage?.["window"], stage?.["length"]])).toEqual([
      ["step", 1, 2, 16],
      ["part", 3, 2, 16],
      ["update", 1, 2, 16],
      ["part", 3, 4, 16],
      ["update", 1, 4, 16],
      ["part", 3, 4, 32],
      ["update", 1, 4, 32],
      ["part", 3, 4, 32],
      ["update", 1, 4, 32],
      ["step", 1, 4, 32],
    ]);
  });

  it("refuses objectives that ask for different things of the model, and a stage that was not named", async () => {
    const options = await stagedRun(dir, PLAN);
    const [first] = (options.stages as Stages).all as readonly [Stage];
    const objective: Objective = { ...first.objective, name: "nsp", requires: "sentence-pair" };
    const other: Stage = { ...first, objective, values: { other: 1 } };
    await expect(train({ ...options, stages: { all: [first, other], at: () => first } })).rejects.toThrow(
      /objectives that require the same of the model, got mlm for masked-lm and nsp for sentence-pair/,
    );
    await expect(train({ ...options, stages: { all: [first], at: () => ({ ...first }) } })).rejects.toThrow(
      /expected at\(\) to give one of all/,
    );
  });
});
