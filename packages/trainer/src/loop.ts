/**
 * The training loop: a function from one options object to one result. The options hold everything that the loop needs:
 * backend, model, objective, optimizer, batches.
 *
 * A step is a pure function of (configuration, seed, step number, tokens and parts so far, state). So a run that was
 * killed and resumed continues bit for bit. Only a time budget reads a clock.
 *
 * The device is always busy: the host calls a step while the previous step runs, and then prepares the next step.
 * Evaluations and checkpoints need the state of one exact step, so they run while no step is in flight.
 *
 *   device   | step 7        | step 8        | step 9
 *   host      call 8, read 7   call 9, read 8   …
 */
import { join } from "node:path";
import { mkdir, readdir, rm } from "node:fs/promises";
import { stepDirectory } from "@cloze/checkpoint/node";
import type { Session } from "@cloze/backend";
import type { HostTensor } from "@cloze/graph";
import { lossScaler, type LossScaleOptions } from "@cloze/optim";
import type { Progress, Schedule } from "@cloze/schedule";
import { evaluateAverages, readAverages } from "./averages.ts";
import { isSpent, rateFactor, shareOf, type Spent, type Until } from "./budget.ts";
import { isOver, judge, resumedBest, type BestCheckpoint, type BestRule } from "./best.ts";
import { checkpointsFolder, checkResumable, saveStep } from "./checkpoint.ts";
import { firstNonFinite } from "./diagnose.ts";
import { drawsOf } from "./draws.ts";
import type { Evaluation, EvaluationNumbers, EvaluationResult } from "./evaluate.ts";
import { LateLossScale } from "./late-loss-scale.ts";
import { MetricsLog, readMetrics, type MetricsRow } from "./log/metrics-log.ts";
import { eventsFolder, TensorBoardWriter } from "./log/tensorboard.ts";
import type { Weights } from "./model-source.ts";
import { NumericError } from "./numeric-error.ts";
import { partFeeds, prepareStep, Programs, type PreparedStep, type StepCall } from "./programs.ts";
import { nameOfStage, stagesOf } from "./stages.ts";
import type { StepOptions } from "./step-options.ts";
import { hasLossScale } from "./train-programs.ts";
import type { TrainerState } from "./trainer-state.ts";

export interface TrainOptions<R extends EvaluationNumbers = EvaluationResult> extends StepOptions {
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  /** Peak learning rate. The schedule multiplies this rate. */
  readonly lr: number;
  readonly schedule: Schedule;
  /** Rules for changes of the loss scale, with compute f16. */
  readonly lossScale?: LossScaleOptions;
  /** The run ends after this number of steps, tokens or seconds of training. The schedule has the same length. */
  readonly until: Until;
  /**
   * Starts the run again from step 0 in a folder of a run that left no checkpoint. Later rows of the old record are cut
   * off.
   */
  readonly restart?: boolean;
  readonly evaluator?: Evaluation<R>;
  /**
   * Keeps the checkpoint with the best evaluation, and may end the run when no evaluation is better any more. Needs
   * `evaluator`.
   */
  readonly best?: BestRule;
  /**
   * Steps between evaluations. A run also ends with an evaluation, unless it is interrupted. 0: only the one at the
   * end.
   */
  readonly evalEvery: number;
  /** Steps between checkpoints. A run also ends with a checkpoint. 0: only the one at the end, and the best one. */
  readonly saveEvery: number;
  /** Number of newest checkpoints to keep. */
  readonly keep: number;
  /** Further values of the first row that this call logs: what the reader of the log should know of its beginning. */
  readonly remark?: Readonly<Record<string, string | number | boolean>>;
  /** The run folder: metrics.jsonl, TensorBoard events in `tensorboard`, checkpoints. */
  readonly run: string;
  /** After an abort, the loop finishes the steps in flight and writes a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
  /**
   * Further figures of a step that depend on the clock, for the record: a share of the device's peak, dollars so far.
   */
  readonly timeFigures?: (time: {
    readonly tokensPerSecond: number;
    readonly elapsed: number;
  }) => Readonly<Record<string, number>>;
}

export type TrainEvent =
  | { readonly kind: "compiled"; readonly seconds: number }
  | { readonly kind: "row"; readonly row: MetricsRow; readonly fraction: number }
  | { readonly kind: "saving"; readonly step: number }
  | { readonly kind: "saved"; readonly dir: string; readonly step: number };

export interface TrainResult<R extends EvaluationNumbers = EvaluationResult> {
  readonly steps: number;
  readonly tokens: number;
  readonly trainLoss: number | undefined;
  /** The last evaluation. */
  readonly evaluation: R | undefined;
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly seconds: number;
  readonly parameters: number;
  readonly checkpoint: string;
  /** With `best`: the best checkpoint, which may be older than the last one. */
  readonly best?: BestCheckpoint;
  readonly interrupted: boolean;
}

/** Largest number of steps in flight (called, not done): one step runs and one step waits. */
const IN_FLIGHT = 2;

interface StepInFlight extends StepCall {
  /** The time at which the host began to prepare and call the step, in ms. */
  readonly began: number;
  readonly done: Promise<Readonly<Record<string, number>>>;
}

export async function train<R extends EvaluationNumbers = EvaluationResult>(
  options: TrainOptions<R>,
): Promise<TrainResult<R>> {
  const { seed, resume, run, until } = options;
  const settings = {
    seed,
    objective: options.objective.name,
    optimizer: options.optimizer.name,
    compute: options.compute ?? "f32",
  } as const;
  if (resume) checkResumable(resume.state, settings, resume.dir);
  const started = performance.now();
  const before = resume?.state.elapsedSeconds ?? 0;
  const elapsed = (): number => before + (performance.now() - started) / 1000;
  let step = resume?.state.step ?? 0;
  let tokens = resume?.state.tokens ?? 0;

  /** Totals over all called steps, done or not. The next step depends on these totals. */
  let called = step;
  let calledTokens = tokens;
  let calledParts = resume?.state.parts ?? step * options.accumulate;
  const prepareNext = (): Promise<PreparedStep> => {
    const progress: Progress = {
      step: called,
      share: shareOf(until, { steps: called, tokens: calledTokens, seconds: elapsed() }),
    };
    return prepareStep(options, called, { progress, firstPart: calledParts });
  };
  let pending: Promise<PreparedStep> | undefined = prepareNext();
  const first = await pending;
  const programs = new Programs(options, step);
  const session = await programs.start(first);
  options.onEvent?.({ kind: "compiled", seconds: (performance.now() - started) / 1000 });

  await mkdir(run, { recursive: true });
  const kept = resume || options.restart ? { resumeAfter: step } : {};
  const log = new MetricsLog(join(run, "metrics.jsonl"), kept);
  const board = new TensorBoardWriter(eventsFolder(run), kept);
  // A resumed run does not repeat an evaluation or a checkpoint that this step already has.
  const last = resume && readMetrics(log.path).rows.at(-1);
  const recordedAt = last?.type === "eval" ? last.step : -1;
  let trainLoss: number | undefined;
  let evaluation: R | undefined;
  let evaluatedAt = -1;
  let savedAt = resume ? step : -1;
  let checkpoint = resume?.dir ?? "";
  let best = resumedBest(options.best, resume?.state.best, resume?.dir ?? "");
  let trainingMs = 0;
  let trainedTokens = 0;
  let trainedSteps = 0;
  let stepMs = 0;
  let lastDone = 0;
  /** Steps in flight, in order. `called` counts the steps that are called, `step` counts the steps that are done. */
  const inFlight: StepInFlight[] = [];
  // The stage of the last step that is done. Before the first step is done: the stage of the saved state, or of the
  // first step.
  let inForce =
    stagesOf(options).all.find(({ values }) => nameOfStage(values) === nameOfStage(resume?.state.stage)) ?? first.stage;
  let toldStage = nameOfStage(resume?.state.stage);
  let doneParts = calledParts;
  const scales = hasLossScale(options.compute)
    ? new LateLossScale(lossScaler(options.lossScale), resume?.state.lossScale)
    : undefined;

  const spent = (): Spent => ({ steps: step, tokens, seconds: elapsed() });
  const done = (): boolean => isOver(options.best, best) || isSpent(until, spent());
  const record = (row: MetricsRow): void => {
    log.write(row);
    const { type, step: at, tokens: _, time, ...values } = row;
    const numbers = Object.entries({ ...values, ...time }).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    );
    board.scalars(at, Object.fromEntries(numbers.map(([name, value]) => [`${type}/${name}`, value])));
    options.onEvent?.({ kind: "row", row, fraction: shareOf(until, spent()) });
  };
  const evaluate = async (): Promise<void> => {
    if (options.evaluator === undefined || evaluatedAt === step) return;
    const began = performance.now();
    const averages = await readAverages(session, options.optimizer, options.weights, programs.trainedNames);
    evaluation = {
      ...(await options.evaluator.run(session, undefined, inForce.source)),
      ...(averages && (await evaluateAverages(options.backend, options.evaluator, averages, inForce.source))),
    };
    evaluatedAt = step;
    const { loss, tokens: predicted, ...scores } = evaluation;
    if (recordedAt !== step)
      record({
        type: "eval",
        step,
        tokens,
        loss,
        ...(predicted === undefined ? {} : { predicted }),
        ...scores,
        time: { elapsed: elapsed(), seconds: (performance.now() - began) / 1000 },
      });
    if (options.best === undefined) return;
    best = judge(options.best, best, step, evaluation);
    if (best.step === step) await save();
  };
  const save = async (): Promise<void> => {
    if (savedAt === step) return;
    options.onEvent?.({ kind: "saving", step });
    log.flush();
    board.flush();
    const state = await session.read([...programs.trainedNames, ...programs.optimizerNames]);
    const optimizer = Object.fromEntries(programs.optimizerNames.map((name) => [name, state[name] as HostTensor]));
    const weights = Object.fromEntries(
      Object.keys(options.weights).map((name) => [name, state[name] ?? options.weights[name]]),
    ) as Weights;
    const trainerState: TrainerState = {
      version: 1,
      step,
      tokens,
      parts: doneParts,
      ...(options.stages && { stage: inForce.values }),
      ...settings,
      draws: drawsOf(resume),
      elapsedSeconds: elapsed(),
      ...(scales ? { lossScale: scales.saved } : {}),
      ...(evaluation ? { evalLoss: evaluation.loss } : {}),
      ...(best ? { best } : {}),
    };
    const averages = await readAverages(session, options.optimizer, options.weights, programs.trainedNames);
    checkpoint = await saveStep(run, step, {
      source: inForce.source,
      weights,
      ...(averages && { averages }),
      tokenizerFiles: options.tokenizerFiles,
      optimizer,
      state: trainerState,
    });
    savedAt = step;
    options.onEvent?.({ kind: "saved", dir: checkpoint, step });
    await removeOld(run, options.keep, best?.step);
  };

  const due = (every: number, at: number): boolean => every > 0 && at % every === 0;
  /** Whether the loop may call the next step now, before it finishes more of the steps in flight. */
  const mayCall = (): boolean => {
    if (inFlight.length === IN_FLIGHT || options.signal?.aborted === true || isOver(options.best, best)) return false;
    if (isSpent(until, { steps: called, tokens: calledTokens, seconds: elapsed() + (inFlight.length * stepMs) / 1000 }))
      return false;
    if (inFlight.length === 0) return true;
    // An evaluation or a checkpoint must find the state of its own step. An error that ends the run must find the state
    // of the step before the failure.
    return (
      !due(options.evalEvery, called) &&
      !due(options.saveEvery, called) &&
      !inFlight.some(({ lossScale }) => lossScale && scales?.isSmallest(lossScale))
    );
  };
  const callNext = async (): Promise<void> => {
    const number = called;
    const began = performance.now();
    const prepared = await (pending ?? prepareNext());
    const lr =
      options.lr *
      rateFactor(options.schedule, until, {
        steps: number + 1,
        tokens: calledTokens + prepared.tokens,
        seconds: elapsed(),
      });
    const next: StepCall = { number, prepared, lr, lossScale: scales?.take() };
    inFlight.push({ ...next, began, ...(await programs.call(session, next)) });
    called += 1;
    calledTokens += prepared.tokens;
    calledParts += prepared.parts.length;
    // The loop reports a failure of the next preparation when that step is due, not while this step is in flight.
    pending = prepareNext();
    pending.catch(() => {});
  };
  const finish = async (oldest: StepInFlight): Promise<void> => {
    const { prepared, lr, lossScale } = oldest;
    const out = await oldest.done;
    const weight = out["weight"] ?? 0;
    const loss = (out["loss"] ?? NaN) / (weight > 0 ? weight : 1);
    const gradNorm = out["gradNorm"] ?? NaN;
    const finite = Number.isFinite(loss) && Number.isFinite(gradNorm);
    if (!finite && (!lossScale || scales?.isSmallest(lossScale))) {
      await settled(inFlight);
      throw await numericError(options, session, oldest, loss, gradNorm);
    }
    if (lossScale) scales?.settle(lossScale, finite);
    step += 1;
    tokens += prepared.tokens;
    doneParts += prepared.parts.length;
    inForce = prepared.stage;
    // The time between the ends of two steps. Where the device was idle before this step: the time since the host began
    // the step.
    const now = performance.now();
    stepMs = now - Math.max(lastDone, oldest.began);
    lastDone = now;
    trainingMs += stepMs;
    trainedTokens += prepared.tokens;
    trainedSteps += 1;
    trainLoss = loss;
    const scaling = lossScale ? { lossScale: lossScale.scale, ...(finite ? {} : { skipped: true }) } : {};
    const news = nameOfStage(inForce.values) === toldStage ? {} : inForce.values;
    toldStage = nameOfStage(inForce.values);
    const time = { elapsed: elapsed(), tokensPerSecond: (prepared.tokens / stepMs) * 1000 };
    record({
      type: "train",
      step,
      tokens,
      loss,
      lr,
      gradNorm,
      ...news,
      ...(trainedSteps === 1 ? options.remark : {}),
      ...scaling,
      ...metricsOf(out),
      time: { ...time, stepMs, ...options.timeFigures?.(time) },
    });
  };

  try {
    for (;;) {
      while (mayCall()) await callNext();
      const oldest = inFlight.shift();
      if (oldest === undefined) break;
      await finish(oldest);
      if (due(options.evalEvery, step)) await evaluate();
      if (due(options.saveEvery, step)) await save();
    }
    const interrupted = options.signal?.aborted === true && !done();
    if (!interrupted) await evaluate();
    await save();
    return {
      steps: step,
      tokens,
      trainLoss,
      evaluation,
      interrupted,
      checkpoint,
      tokensPerSecond: trainingMs > 0 ? (trainedTokens / trainingMs) * 1000 : 0,
      stepMs: trainedSteps > 0 ? trainingMs / trainedSteps : 0,
      seconds: elapsed(),
      parameters: programs.parameterCount,
      ...(best
        ? {
            best: {
              metric: best.metric,
              value: best.value,
              step: best.step,
              checkpoint: stepDirectory(checkpointsFolder(run), best.step),
            },
          }
        : {}),
    };
  } finally {
    log.close();
    board.close();
    await settled(inFlight);
    await session.dispose();
  }
}

const settled = (steps: readonly StepInFlight[]): Promise<unknown> => Promise.allSettled(steps.map(({ done }) => done));

function metricsOf(out: Readonly<Record<string, number>>): Record<string, number> {
  const names = Object.keys(out).flatMap((key) => /^metric\.(.+)\.sum$/.exec(key)?.[1] ?? []);
  return Object.fromEntries(
    names.map((name) => {
      const weight = out[`metric.${name}.weight`] as number;
      return [name, weight > 0 ? (out[`metric.${name}.sum`] as number) / weight : 0];
    }),
  );
}

async function numericError(
  options: Omit<TrainOptions, "evaluator">,
  session: Session,
  failed: StepCall,
  loss: number,
  gradNorm: number,
): Promise<NumericError> {
  const { number, prepared, lossScale } = failed;
  const step = number + 1;
  let culprit: Awaited<ReturnType<typeof firstNonFinite>>;
  for (const [micro, { types }] of prepared.parts.entries())
    culprit ??= await firstNonFinite(
      options.backend,
      session,
      { ...options, ...prepared.stage },
      types,
      partFeeds(failed, micro),
    );
  const where = culprit
    ? `first in ${culprit.layer} (${culprit.op})`
    : "in the sum of the gradients: each of them alone is finite";
  const scaled = lossScale ? ` with the smallest loss scale, ${lossScale.scale}` : "";
  return new NumericError(
    { step, layer: culprit?.layer, op: culprit?.op },
    `step ${step}: expected a finite loss and gradient, got loss ${loss} and gradient norm ${gradNorm}${scaled}, ` +
      `${where}. Lower --lr or --clip and resume from the last checkpoint.`,
  );
}

/** Removes old checkpoints of a run. The newest `keep` checkpoints and the best checkpoint stay. */
async function removeOld(run: string, keep: number, best: number | undefined): Promise<void> {
  const folder = checkpointsFolder(run);
  const steps = (await readdir(folder)).flatMap((name) => (/^step-\d+$/.test(name) ? [Number(name.slice(5))] : []));
  for (const step of steps.sort((a, b) => b - a).slice(Math.max(1, keep)))
    if (step !== best) await rm(join(folder, `step-${step}`), { recursive: true, force: true });
}
