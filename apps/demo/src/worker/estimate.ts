/**
 * The estimate of a run's memory and time before its start. Memory is the peak of live bytes in a step without fusion,
 * which is more than a backend needs. Time comes from a few steps of the run's own program (`step-time.ts`), and from
 * the size of its evaluations.
 */
import type { Backend } from "@cloze/backend";
import { peakLiveBytes } from "@cloze/graph";
import { initialize } from "@cloze/nn";
import { feedTypes, type Objective } from "@cloze/objective";
import { Evaluator, prepareStep, Programs, stepProgram, type StepOptions } from "@cloze/trainer/step";
import type { Estimate, Settings } from "../protocol.ts";
import { rowsOf, type OpenedData } from "./data.ts";
import { evaluationsAfter, evaluationSize } from "./evaluation-plan.ts";
import { objectiveOf, optimizerOf, type Model } from "./model.ts";
import { CLIP } from "./run.ts";
import { rowsToTime, stepSeconds, type TimedRows } from "./step-time.ts";

/** Time for the timed steps of one number of rows, and the largest number of them. */
const TIMED_MS = 250;
const TIMED_STEPS = 4;

export interface EstimateRequest {
  readonly settings: Settings;
  readonly data: OpenedData;
  readonly model: Model;
  readonly backend: Backend;
  readonly signal: AbortSignal;
}

/** The times of the steps so far by the settings that matter to them, for the life of a worker. */
export type TimedSteps = Map<string, Promise<Timed>>;

interface Timed {
  readonly rows: readonly TimedRows[];
  /** Time to compile the step's program. */
  readonly compileSeconds: number;
  readonly evaluation: TimedEvaluation | undefined;
}

interface TimedEvaluation {
  readonly secondsPerToken: number;
  readonly compileSeconds: number;
}

export async function estimateRun(request: EstimateRequest, timedSteps: TimedSteps): Promise<Estimate> {
  const { settings, data, model } = request;
  const objective = await objectiveOf(settings, data.tokenizer);
  const { train, valid } = rowsOf(data, settings, objective);
  const types = feedTypes(
    objective.prepare(await train.batchAt(0), { seed: settings.seed, step: 0, evaluation: false }),
  );
  const memoryBytes = peakLiveBytes(
    stepProgram({ source: model.source, objective, optimizer: optimizerOf(settings), clip: CLIP }, types),
  );
  const { size, start, optimizer, length, rows } = settings;
  const key = JSON.stringify([
    size,
    start,
    settings.objective,
    optimizer,
    length,
    rows,
    data.hash,
    data.tokenizer.hash,
  ]);
  const timed = await timedOnce(timedSteps, key, request.signal, () => timeRun(request, objective));
  const pass = await evaluationSize(valid, rows * length);
  const { secondsPerToken = 0, compileSeconds = 0 } = timed.evaluation ?? {};
  const evaluations = timed.evaluation === undefined ? 0 : evaluationsAfter(0, settings.steps);
  return {
    parameters: [...model.parameters.values()].reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0),
    memoryBytes,
    seconds:
      timed.compileSeconds +
      stepSeconds(rows, timed.rows) * settings.steps +
      compileSeconds * pass.shapes +
      secondsPerToken * pass.tokens * evaluations,
  };
}

/** The times under a key. Work that another request has begun and then given up is done again. */
async function timedOnce(
  timedSteps: TimedSteps,
  key: string,
  signal: AbortSignal,
  time: () => Promise<Timed>,
): Promise<Timed> {
  for (;;) {
    const begun = timedSteps.get(key);
    const timing = begun ?? time();
    if (begun === undefined) {
      timedSteps.set(key, timing);
      timing.catch(() => timedSteps.delete(key));
    }
    try {
      return await timing;
    } catch (error) {
      if (begun === undefined || signal.aborted) throw error;
    }
  }
}

async function timeRun(request: EstimateRequest, objective: Objective): Promise<Timed> {
  const { settings } = request;
  const timed: TimedRows[] = [];
  let compileSeconds = 0;
  for (let rows = rowsToTime(settings.rows, timed); rows !== undefined; rows = rowsToTime(settings.rows, timed)) {
    const { first, later } = await timeRows(request, objective, rows);
    compileSeconds = Math.max(0, first - later);
    timed.push({ rows, seconds: later });
  }
  return { rows: timed, compileSeconds, evaluation: await timeEvaluation(request, objective) };
}

/** One batch of an evaluation, the middle one, with its compilation and without. */
async function timeEvaluation(
  { settings, data, model, backend, signal }: EstimateRequest,
  objective: Objective,
): Promise<TimedEvaluation | undefined> {
  const { valid } = rowsOf(data, settings, objective);
  if (valid === undefined || valid.count === 0) return undefined;
  const batch = await valid.batchAt(Math.floor(valid.count / 2));
  const evaluator = new Evaluator({
    backend,
    source: model.source,
    objective,
    batches: { count: 1, batchAt: async () => batch },
  });
  const session = await backend.start(initialize(model.parameters, settings.seed));
  try {
    const times: number[] = [];
    for (let run = 0; run < 2; run++) {
      const began = performance.now();
      await evaluator.run(session, signal);
      times.push((performance.now() - began) / 1000);
    }
    const [first = 0, later = 0] = times;
    return { secondsPerToken: later / (batch.rows * batch.length), compileSeconds: Math.max(0, first - later) };
  } finally {
    await session.dispose();
  }
}

/** Seconds to the end of the first step, and of a later step, on new weights that are thrown away. */
async function timeRows(
  { settings, data, model, backend, signal }: EstimateRequest,
  objective: Objective,
  rows: number,
): Promise<{ readonly first: number; readonly later: number }> {
  const steps: StepOptions = {
    backend,
    source: model.source,
    objective,
    optimizer: optimizerOf(settings),
    clip: CLIP,
    batches: rowsOf(data, { ...settings, rows }, objective).train,
    accumulate: 1,
    weights: initialize(model.parameters, settings.seed),
    seed: settings.seed,
  };
  const began = performance.now();
  const programs = new Programs(steps, 0);
  const session = await programs.start(await prepareStep(steps, 0));
  try {
    const times: number[] = [];
    for (let number = 0, timedMs = 0; number === 0 || (timedMs < TIMED_MS && number <= TIMED_STEPS); number++) {
      signal.throwIfAborted();
      const stepBegan = performance.now();
      const prepared = await prepareStep(steps, number);
      await (
        await programs.call(session, { number, prepared, lr: 1e-6, lossScale: undefined })
      ).done;
      times.push(performance.now() - (number === 0 ? began : stepBegan));
      if (number > 0) timedMs += times.at(-1) as number;
      // Lets the worker take a message, for instance that the estimate is not wanted any more.
      await new Promise((resolve) => {
        setTimeout(resolve, 0);
      });
    }
    const [first = 0, ...later] = times.map((ms) => ms / 1000);
    return { first, later: later.reduce((a, b) => a + b, 0) / later.length };
  } finally {
    await session.dispose();
  }
}
