/**
 * A training run in the page: the steps of `@cloze/trainer`, one after another. Between two steps is a boundary, at
 * which the run can be paused, saved and read. A step is a pure function of (settings, data, step number, state), so a
 * saved and loaded run continues with the same losses.
 */
import type { Backend, Session } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import type { HostTensor, HostTensors } from "@cloze/graph";
import { initialize } from "@cloze/nn";
import type { Objective } from "@cloze/objective";
import { schedule, type Schedule } from "@cloze/schedule";
import {
  Evaluator,
  drawsOf,
  prepareStep,
  Programs,
  type PreparedStep,
  type StepOptions,
  type TrainerState,
} from "@cloze/trainer/step";
import type { RunPhase, Settings } from "../protocol.ts";
import type { TrainerRow } from "../run-files.ts";
import { rowsOf, type OpenedData } from "./data.ts";
import { evaluationEvery, evaluationsAfter, evaluationSize } from "./evaluation-plan.ts";
import { optimizerOf, type Model } from "./model.ts";
import { TimeLeft } from "./time-left.ts";

/** Largest norm of the gradient. */
export const CLIP = 1;

export interface RunOptions {
  readonly backend: Backend;
  readonly settings: Settings;
  readonly model: Model;
  readonly objective: Objective;
  /** Undefined: the model answers the views, but cannot train. */
  readonly data: OpenedData | undefined;
  /** The weights at step 0. Default: new ones, by the seed. */
  readonly weights?: HostTensors;
  /** The state from which the run resumes. */
  readonly saved?: SavedRun;
  readonly onRow: (row: TrainerRow) => void;
  readonly onPhase: (phase: RunPhase) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface SavedRun {
  readonly weights: HostTensors;
  readonly optimizer: HostTensors;
  readonly state: TrainerState;
  readonly rows: readonly TrainerRow[];
}

export class Run {
  readonly options: RunOptions;
  readonly session: Session;
  readonly parameterCount: number;
  readonly rows: TrainerRow[];
  step: number;
  validLoss: number | undefined;
  phase: RunPhase;
  evaluating = false;
  /** The weights at the start of this run object. */
  readonly weights: HostTensors;
  readonly #steps: StepOptions | undefined;
  readonly #programs: Programs | undefined;
  readonly #evaluator: Evaluator | undefined;
  readonly #schedule: Schedule = schedule("linear", { warmup: 0.05, final: 0.1 });
  readonly #atBoundary: (() => Promise<void>)[] = [];
  #evaluating: AbortController = new AbortController();
  #tokens: number;
  #elapsed: number;
  readonly #timeLeft: TimeLeft;
  #ended: Promise<void> = Promise.resolve();

  private constructor(
    options: RunOptions,
    session: Session,
    weights: HostTensors,
    training:
      | {
          readonly steps: StepOptions;
          readonly programs: Programs;
          readonly evaluator: Evaluator | undefined;
          readonly evaluationSteps: number;
        }
      | undefined,
  ) {
    const { saved } = options;
    this.options = options;
    this.session = session;
    this.parameterCount = Object.values(weights).reduce((n, { data }) => n + data.length, 0);
    this.rows = [...(saved?.rows ?? [])];
    this.step = saved?.state.step ?? 0;
    this.validLoss = this.rows.findLast(({ type }) => type === "eval")?.loss;
    // A run that was saved after its last evaluation has nothing left to do.
    const last = this.rows.at(-1);
    const evaluated = training?.evaluator === undefined || (last?.type === "eval" && last.step === this.step);
    this.phase = this.step > 0 && this.step >= options.settings.steps && evaluated ? "finished" : "paused";
    this.weights = weights;
    this.#steps = training?.steps;
    this.#programs = training?.programs;
    this.#evaluator = training?.evaluator;
    this.#tokens = saved?.state.tokens ?? 0;
    this.#elapsed = saved?.state.elapsedSeconds ?? 0;
    this.#timeLeft = new TimeLeft(training?.evaluationSteps ?? 0);
  }

  /** Compiles the first step and puts the parameters on the device. */
  static async start(options: RunOptions): Promise<Run> {
    const { backend, settings, model, objective, data, saved } = options;
    const weights = saved?.weights ?? options.weights ?? initialize(model.parameters, settings.seed);
    if (data === undefined) return new Run(options, await backend.start(weights), weights, undefined);
    const rows = rowsOf(data, settings, objective);
    const { source } = model;
    const steps: StepOptions = {
      backend,
      source,
      objective,
      optimizer: optimizerOf(settings),
      clip: CLIP,
      batches: rows.train,
      accumulate: 1,
      weights,
      seed: settings.seed,
      ...(saved && { resume: { optimizer: saved.optimizer, state: saved.state, dir: "the saved run" } }),
    };
    const first = saved?.state.step ?? 0;
    const programs = new Programs(steps, first);
    const session = await programs.start(await prepareStep(steps, first));
    const { valid } = rows;
    const { steps: evaluationSteps } = await evaluationSize(valid, settings.rows * settings.length);
    // Between two batches of an evaluation the state is that of the last step, so the boundary's work may be done.
    const between = async (): Promise<void> => {
      await run.#runBoundary();
      await turn();
    };
    const evaluator =
      valid &&
      new Evaluator({
        backend,
        source,
        objective,
        batches: { count: valid.count, batchAt: async (i) => (await between(), valid.batchAt(i)) },
      });
    const run = new Run(options, session, weights, { steps, programs, evaluator, evaluationSteps });
    return run;
  }

  /** Seconds to the end of the run. Undefined before the second step. */
  get secondsLeft(): number | undefined {
    const { steps } = this.options.settings;
    const evaluations = this.#evaluator === undefined ? 0 : evaluationsAfter(this.step, steps);
    return this.#timeLeft.seconds(steps - this.step, evaluations);
  }

  /** Trains until the run is paused or over. */
  train(): void {
    if (this.#steps === undefined)
      throw new ConfigError(
        "training: this run was loaded without its data. Open that data first, then load the run again.",
      );
    if (this.phase === "training" || this.phase === "finished") return;
    this.#set("training");
    this.#timeLeft.started(performance.now());
    this.#ended = this.#loop(this.#steps).catch(async (error: unknown) => {
      this.#set("failed");
      this.options.onFailure(error);
      await this.#runBoundary(); // Work that waits for a boundary must not wait for ever.
    });
  }

  /** Pauses the run. Resolves at the end of the current step. Aborts an evaluation. */
  async pause(): Promise<void> {
    if (this.phase === "training") this.phase = "paused";
    this.#evaluating.abort();
    await this.#ended;
  }

  /** The complete state of the run at the end of a step, for an exact resume. */
  save(): Promise<SavedRun> {
    return this.#between(async () => {
      const { settings, objective } = this.options;
      const trained = this.#programs?.trainedNames ?? [];
      const moments = this.#programs?.optimizerNames ?? [];
      const read = this.#programs === undefined ? {} : await this.session.read([...trained, ...moments]);
      const pick = (names: readonly string[]): HostTensors =>
        Object.fromEntries(names.map((name) => [name, read[name] as HostTensor]));
      const state: TrainerState = {
        version: 1,
        step: this.step,
        tokens: this.#tokens,
        seed: settings.seed,
        objective: objective.name,
        optimizer: optimizerOf(settings).name,
        compute: "f32",
        draws: drawsOf(this.options.saved),
        elapsedSeconds: this.#elapsed,
        ...(this.validLoss === undefined ? {} : { evalLoss: this.validLoss }),
      };
      return {
        weights: { ...this.weights, ...pick(trained) },
        optimizer: this.#programs === undefined ? (this.options.saved?.optimizer ?? {}) : pick(moments),
        state,
        rows: this.rows,
      };
    });
  }

  async dispose(): Promise<void> {
    await this.pause();
    await this.session.dispose();
  }

  #set(phase: RunPhase): void {
    this.phase = phase;
    this.options.onPhase(phase);
  }

  /** Runs `work` between two steps. */
  #between<T>(work: () => Promise<T>): Promise<T> {
    if (this.phase !== "training") return this.#ended.then(work);
    return new Promise<T>((resolve, reject) => {
      this.#atBoundary.push(() => work().then(resolve, reject));
    });
  }

  async #loop(steps: StepOptions): Promise<void> {
    const { settings } = this.options;
    const every = evaluationEvery(settings.steps);
    let next: Promise<PreparedStep> | undefined;
    while (this.phase === "training") {
      const done = this.step >= settings.steps;
      const last = this.rows.at(-1);
      const isDue =
        this.step > 0 && (done || this.step % every === 0) && !(last?.type === "eval" && last.step === this.step);
      if (isDue && this.#evaluator !== undefined) await this.#evaluate(this.#evaluator);
      else if (done) this.phase = "finished";
      else {
        const prepared = await (next ?? prepareStep(steps, this.step));
        next = prepareStep(steps, this.step + 1);
        next.catch(() => {}); // The loop sees the error when it awaits `next`.
        await this.#advance(prepared);
      }
      await this.#runBoundary();
      await turn();
    }
    this.options.onPhase(this.phase);
    await this.#runBoundary();
  }

  async #runBoundary(): Promise<void> {
    for (let work = this.#atBoundary.shift(); work !== undefined; work = this.#atBoundary.shift()) await work();
  }

  async #advance(prepared: PreparedStep): Promise<void> {
    const { settings } = this.options;
    const began = performance.now();
    const lr = settings.lr * this.#schedule(this.step + 1, settings.steps);
    const { done } = await (this.#programs as Programs).call(this.session, {
      number: this.step,
      prepared,
      lr,
      lossScale: undefined,
    });
    const out = await done;
    const weight = out["weight"] ?? 0;
    const loss = (out["loss"] ?? NaN) / (weight > 0 ? weight : 1);
    const gradNorm = out["gradNorm"] ?? NaN;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm))
      throw new ConfigError(
        `step ${this.step + 1}: expected a finite loss, got ${loss} with a gradient of norm ${gradNorm}. The ` +
          "model is as it was before this step. Begin again with a lower learning rate.",
      );
    const stepMs = performance.now() - began;
    this.step += 1;
    this.#tokens += prepared.tokens;
    this.#elapsed += stepMs / 1000;
    this.#timeLeft.stepped(performance.now());
    this.#record({
      type: "train",
      step: this.step,
      tokens: this.#tokens,
      loss,
      lr,
      gradNorm,
      time: { elapsed: this.#elapsed, tokensPerSecond: (prepared.tokens / stepMs) * 1000, stepMs },
    });
  }

  /** Evaluates the model. A pause aborts the evaluation: it leaves no row, and the resumed run repeats it. */
  async #evaluate(evaluator: Evaluator): Promise<void> {
    const { signal } = (this.#evaluating = new AbortController());
    const began = performance.now();
    this.evaluating = true;
    this.options.onPhase(this.phase);
    try {
      const { loss, accuracy } = await evaluator.run(this.session, signal);
      this.evaluating = false;
      this.validLoss = loss;
      this.#timeLeft.evaluated((performance.now() - began) / 1000, performance.now());
      this.#record({
        type: "eval",
        step: this.step,
        tokens: this.#tokens,
        loss,
        accuracy,
        time: { elapsed: this.#elapsed },
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.evaluating = false;
    }
  }

  #record(row: TrainerRow): void {
    this.rows.push(row);
    this.options.onRow(row);
  }
}

/** Lets the worker handle its messages. A backend that computes on this thread would block them. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
