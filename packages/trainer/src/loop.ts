/**
 * The training loop. One value in, one result out; all it needs is given: backend, model, objective, optimizer, batches.
 *
 * A step is a pure function of (configuration, seed, step number, state), so a run that was killed and resumed continues bit for
 * bit. While the device computes a step, the host prepares the next one.
 */
import { join } from "node:path";
import { mkdir, readdir, rm } from "node:fs/promises";
import type { Backend, Executable, Session } from "@cloze/backend";
import type { Batches } from "@cloze/data";
import type { TokenMetricsResult } from "@cloze/eval";
import type { HostTensor, HostTensors } from "@cloze/graph";
import { feedTypes, type Prepared } from "@cloze/objective";
import type { Schedule } from "@cloze/optim";
import type { TokenBatch } from "@cloze/tokenizer";
import { checkpointsFolder, checkResumable, saveStep, type TrainerState } from "./checkpoint.ts";
import { firstNonFinite } from "./diagnose.ts";
import { scalar, type Evaluator } from "./evaluate.ts";
import { MetricsLog, readMetrics, type MetricsRow } from "./log/metrics-log.ts";
import { TensorBoardWriter } from "./log/tensorboard.ts";
import type { Weights } from "./model-source.ts";
import { NumericError } from "./numeric-error.ts";
import { checkOptimizerState, initialState } from "./state.ts";
import { accumulateProgram, applyProgram, stepProgram, type FeedTypes, type TrainSetup } from "./train-programs.ts";

export interface TrainOptions extends TrainSetup {
  readonly backend: Backend;
  /** Micro-batches by number: step s takes those from s * accumulate to before (s + 1) * accumulate. */
  readonly batches: Batches;
  /** Micro-batches in one step. */
  readonly accumulate: number;
  readonly weights: Weights;
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  /** Peak learning rate; the schedule multiplies it. */
  readonly lr: number;
  readonly schedule: Schedule;
  /** Ends after so many steps, or after so many seconds of training (the schedule then runs over time). */
  readonly until: { readonly steps: number } | { readonly seconds: number };
  readonly seed: number;
  readonly resume?: { readonly optimizer: HostTensors; readonly state: TrainerState; readonly dir: string };
  /** The run was begun before and left no checkpoint: it begins again, over the record it left. */
  readonly restart?: boolean;
  readonly evaluator?: Evaluator;
  /** Steps between evaluations; there is always one at the end. 0: only that. */
  readonly evalEvery: number;
  /** Steps between checkpoints; there is always one at the end. 0: only that. */
  readonly saveEvery: number;
  /** Newest checkpoints to keep. */
  readonly keep: number;
  /** The run folder: metrics.jsonl, TensorBoard events, checkpoints. */
  readonly run: string;
  /** Once aborted, the step is finished and a checkpoint written. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

export type TrainEvent =
  | { readonly kind: "compiled"; readonly seconds: number }
  | { readonly kind: "row"; readonly row: MetricsRow; readonly fraction: number }
  | { readonly kind: "saved"; readonly dir: string; readonly step: number };

export interface TrainResult {
  readonly steps: number;
  readonly tokens: number;
  readonly trainLoss: number | undefined;
  readonly evaluation: TokenMetricsResult | undefined;
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly seconds: number;
  readonly parameters: number;
  readonly checkpoint: string;
  readonly interrupted: boolean;
}

interface PreparedStep {
  readonly parts: readonly { readonly prepared: Prepared; readonly types: FeedTypes; readonly key: string }[];
  readonly tokens: number;
}

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { seed, resume, run, until } = options;
  if (resume) checkResumable(resume.state, { seed, objective: options.objective.name, optimizer: options.optimizer.name }, resume.dir);
  const started = performance.now(), before = resume?.state.elapsedSeconds ?? 0;
  const elapsed = (): number => before + (performance.now() - started) / 1000;
  let step = resume?.state.step ?? 0, tokens = resume?.state.tokens ?? 0;

  let pending: Promise<PreparedStep> | undefined = prepareStep(options, step);
  const first = await pending;
  const programs = new Programs(options), session = await programs.start(first);
  options.onEvent?.({ kind: "compiled", seconds: (performance.now() - started) / 1000 });

  await mkdir(run, { recursive: true });
  const kept = resume || options.restart ? { resumeAfter: step } : {};
  const log = new MetricsLog(join(run, "metrics.jsonl"), kept), board = new TensorBoardWriter(run, kept);
  // What the run that is resumed has recorded and saved of this very step is not done twice.
  const last = resume && readMetrics(log.path).rows.at(-1), recordedAt = last?.type === "eval" ? last.step : -1;
  let trainLoss: number | undefined, evaluation: TokenMetricsResult | undefined, evaluatedAt = -1, savedAt = resume ? step : -1, checkpoint = resume?.dir ?? "";
  let trainingMs = 0, trainedTokens = 0, trainedSteps = 0;

  const fraction = (): number => ("steps" in until ? step / until.steps : Math.min(1, elapsed() / until.seconds));
  const done = (): boolean => ("steps" in until ? step >= until.steps : elapsed() >= until.seconds);
  const record = (row: MetricsRow): void => {
    log.write(row);
    const { type, step: at, tokens: _, time, ...values } = row;
    const numbers = Object.entries({ ...values, ...time }).filter((entry): entry is [string, number] => typeof entry[1] === "number");
    board.scalars(at, Object.fromEntries(numbers.map(([name, value]) => [`${type}/${name}`, value])));
    options.onEvent?.({ kind: "row", row, fraction: fraction() });
  };
  const evaluate = async (): Promise<void> => {
    if (options.evaluator === undefined || evaluatedAt === step) return;
    const began = performance.now();
    evaluation = await options.evaluator.run(session);
    evaluatedAt = step;
    const { loss, tokens: predicted, ...scores } = evaluation;
    if (recordedAt !== step) record({ type: "eval", step, tokens, loss, predicted, ...scores, time: { elapsed: elapsed(), seconds: (performance.now() - began) / 1000 } });
  };
  const save = async (): Promise<void> => {
    if (savedAt === step) return;
    log.flush();
    board.flush();
    const state = await session.read([...programs.trainedNames, ...programs.optimizerNames]);
    const optimizer = Object.fromEntries(programs.optimizerNames.map((name) => [name, state[name] as HostTensor]));
    const weights = Object.fromEntries(Object.keys(options.weights).map((name) => [name, state[name] ?? options.weights[name]])) as Weights;
    const trainerState: TrainerState = { version: 1, step, tokens, seed, objective: options.objective.name, optimizer: options.optimizer.name, elapsedSeconds: elapsed(), ...(evaluation ? { evalLoss: evaluation.loss } : {}) };
    checkpoint = await saveStep(run, step, { source: options.source, weights, tokenizerFiles: options.tokenizerFiles, optimizer, state: trainerState });
    savedAt = step;
    options.onEvent?.({ kind: "saved", dir: checkpoint, step });
    await removeOld(run, options.keep);
  };

  try {
    while (!done() && !options.signal?.aborted) {
      const began = performance.now(), prepared = await (pending ?? prepareStep(options, step));
      const lr = options.lr * ("steps" in until ? options.schedule(step, until.steps) : options.schedule(elapsed(), until.seconds));
      const running = programs.run(session, prepared, step, lr);
      // A failure of the next preparation is reported when its turn comes, not while this step is under way.
      pending = prepareStep(options, step + 1);
      pending.catch(() => {});
      const out = await running;
      const weight = out["weight"] ?? 0, loss = (out["loss"] ?? NaN) / (weight > 0 ? weight : 1), gradNorm = out["gradNorm"] ?? NaN;
      if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) throw await numericError(options, session, prepared, step, loss, gradNorm);
      step += 1;
      tokens += prepared.tokens;
      const ms = performance.now() - began;
      trainingMs += ms;
      trainedTokens += prepared.tokens;
      trainedSteps += 1;
      trainLoss = loss;
      record({ type: "train", step, tokens, loss, lr, gradNorm, ...metricsOf(out), time: { elapsed: elapsed(), tokensPerSecond: (prepared.tokens / ms) * 1000, stepMs: ms } });
      if (options.evalEvery > 0 && step % options.evalEvery === 0) await evaluate();
      if (options.saveEvery > 0 && step % options.saveEvery === 0) await save();
    }
    const interrupted = options.signal?.aborted === true && !done();
    if (!interrupted) await evaluate();
    await save();
    return {
      steps: step, tokens, trainLoss, evaluation, interrupted, checkpoint,
      tokensPerSecond: trainingMs > 0 ? (trainedTokens / trainingMs) * 1000 : 0,
      stepMs: trainedSteps > 0 ? trainingMs / trainedSteps : 0,
      seconds: elapsed(), parameters: programs.parameterCount,
    };
  } finally {
    log.close();
    board.close();
    await session.dispose();
  }
}

async function prepareStep({ batches, objective, accumulate, seed }: TrainOptions, step: number): Promise<PreparedStep> {
  const parts: { prepared: Prepared; types: FeedTypes; key: string }[] = [];
  let tokens = 0;
  for (let micro = 0; micro < accumulate; micro++) {
    const batch = await batches.batchAt(step * accumulate + micro);
    const prepared = objective.prepare(batch, { seed, step, evaluation: false }), types = feedTypes(prepared);
    parts.push({ prepared, types, key: JSON.stringify(types) });
    tokens += tokensIn(batch);
  }
  return { parts, tokens };
}

const tokensIn = ({ sequences }: TokenBatch): number => sequences.reduce((n, s) => n + s.length, 0);

function metricsOf(out: Readonly<Record<string, number>>): Record<string, number> {
  const names = Object.keys(out).flatMap((key) => /^metric\.(.+)\.sum$/.exec(key)?.[1] ?? []);
  return Object.fromEntries(names.map((name) => {
    const weight = out[`metric.${name}.weight`] as number;
    return [name, weight > 0 ? (out[`metric.${name}.sum`] as number) / weight : 0];
  }));
}

/** The compiled programs by feed shapes, and how one step runs over them. */
class Programs {
  readonly #options: TrainOptions;
  readonly #compiled = new Map<string, Promise<Executable>>();
  #apply: Promise<Executable> | undefined;
  /** Parameters that the steps change, and the optimizer's state for them. */
  trainedNames: readonly string[] = [];
  optimizerNames: readonly string[] = [];
  parameterCount = 0;

  constructor(options: TrainOptions) {
    this.#options = options;
  }

  async start(first: PreparedStep): Promise<Session> {
    const { backend, weights, resume, optimizer } = this.#options, part = first.parts[0] as PreparedStep["parts"][number];
    const executables = [await this.#part(part), ...(this.#options.accumulate > 1 ? [await this.#applied(part.types)] : [])];
    const programs = executables.map((e) => e.program);
    this.trainedNames = Object.keys(weights).filter((name) => programs.some((p) => name in p.updates));
    this.optimizerNames = optimizer.stateNames(this.trainedNames);
    this.parameterCount = Object.values(weights).reduce((n, w) => n + w.data.length, 0);
    if (resume) checkOptimizerState(this.optimizerNames, resume.optimizer, resume.dir);
    return backend.start(initialState(programs, weights, resume?.optimizer));
  }

  /** Runs step number `step` (from 0) and returns its scalar outputs. */
  async run(session: Session, { parts }: PreparedStep, step: number, lr: number): Promise<Readonly<Record<string, number>>> {
    const { optimizer, accumulate, seed } = this.#options;
    const scalars = optimizer.hostScalars(step + 1, lr), key = (micro: number): HostTensors => randomKey(seed, step * accumulate + micro);
    let out: HostTensors;
    if (accumulate === 1) {
      const [part] = parts as [PreparedStep["parts"][number]];
      out = await session.run(await this.#part(part), { ...part.prepared.feeds, ...scalars, ...key(0) });
    } else {
      for (const [micro, part] of parts.entries()) await session.run(await this.#part(part), { ...part.prepared.feeds, ...key(micro) });
      out = await session.run(await this.#applied((parts[0] as PreparedStep["parts"][number]).types), scalars);
    }
    return Object.fromEntries(Object.entries(out).map(([name, value]) => [name, scalar(value)]));
  }

  #part({ key, types }: PreparedStep["parts"][number]): Promise<Executable> {
    let made = this.#compiled.get(key);
    if (made === undefined) {
      made = this.#options.backend.compile((this.#options.accumulate === 1 ? stepProgram : accumulateProgram)(this.#options, types));
      this.#compiled.set(key, made);
    }
    return made;
  }

  #applied(types: FeedTypes): Promise<Executable> {
    this.#apply ??= this.#options.backend.compile(applyProgram(this.#options, types));
    return this.#apply;
  }
}

/** The key of dropout: the seed and the number of the micro-batch, so that the parts of a step draw masks of their own. */
const randomKey = (seed: number, batch: number): HostTensors => ({ "random.key": { dtype: "u32", shape: [2], data: Uint32Array.of(seed >>> 0, batch >>> 0) } });

async function numericError(options: TrainOptions, session: Session, { parts }: PreparedStep, step: number, loss: number, gradNorm: number): Promise<NumericError> {
  let culprit: Awaited<ReturnType<typeof firstNonFinite>>;
  for (const [micro, { types, prepared }] of parts.entries()) {
    culprit ??= await firstNonFinite(options.backend, session, options, types, { ...prepared.feeds, ...randomKey(options.seed, step * options.accumulate + micro) });
  }
  const where = culprit ? `first in ${culprit.layer} (${culprit.op})` : "in the sum of the gradients: each of them alone is finite";
  return new NumericError(
    { step: step + 1, layer: culprit?.layer, op: culprit?.op },
    `step ${step + 1}: expected a finite loss and gradient, got loss ${loss} and gradient norm ${gradNorm}, ${where}. Lower --lr or --clip and resume from the last checkpoint.`,
  );
}

/** Keeps the newest `keep` checkpoints of a run. */
async function removeOld(run: string, keep: number): Promise<void> {
  const folder = checkpointsFolder(run), steps = (await readdir(folder)).flatMap((name) => (/^step-\d+$/.test(name) ? [Number(name.slice(5))] : []));
  for (const step of steps.sort((a, b) => b - a).slice(Math.max(1, keep))) await rm(join(folder, `step-${step}`), { recursive: true, force: true });
}
