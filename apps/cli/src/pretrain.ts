/** The work of `cloze pretrain`: resolves the options, trains, and reports. */
import { relative } from "node:path";
import { framingLength, type PackedBatches } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { Objective } from "@cloze/objective";
import {
  formatBytes,
  formatCount,
  formatInteger,
  planTraining,
  ProgressWriter,
  train,
  type ModelSource,
  type TrainOptions,
  type TrainResult,
  type Until,
  type Weights,
} from "@cloze/trainer";
import { chooseBackend } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import { onInterrupt } from "./interrupt.ts";
import { tokenizerOfModel } from "./model-tokenizer.ts";
import { findObjectives } from "./objectives.ts";
import { optimizerOf, scheduleOf, withUsualRate } from "./optimizers.ts";
import { byFlagName, flag, readObject, showValue, type Values } from "./options.ts";
import { peakBytes, summary, writeReport } from "./pretrain-report.ts";
import { PRETRAIN_OPTIONS, RESUME_MAY_CHANGE } from "./pretrain-options.ts";
import { inExistingRun, inNewRun } from "./run-claim.ts";
import { checkpointFolder, newestRun, readRunConfig, writeRunConfig } from "./run-folder.ts";
import {
  costLines,
  deviceCosts,
  flopsOfSequences,
  percent,
  runCosts,
  timedCosts,
  type DeviceCosts,
  type RunCosts,
} from "./run-costs.ts";
import { changesRows, heldOptions, runShape, runStages, stagesInWords, toldIn, valuesOf } from "./run-stages.ts";
import { showProgress } from "./show-progress.ts";
import { startingPoint } from "./starting-point.ts";
import { holdsTokenizer, tokenizerFrom } from "./tokenizers.ts";
import { evaluationBatches, trainingBatches, unitOf } from "./training-batches.ts";
import { framingOf, openTrainingData, unigramEntropyOf } from "./training-data.ts";
import { validation } from "./validation.ts";

export type PretrainOptions = Values<typeof PRETRAIN_OPTIONS>;
type PretrainContext = Pick<
  Context<typeof PRETRAIN_OPTIONS>,
  "options" | "given" | "json" | "io" | "path" | "print" | "note"
> & {
  /** The name of a new run's folder in `runs/`. Default: the model's. */
  readonly runName?: string;
};

/** The summary of a finished run: the trainer's result, and what the trainer does not know. */
export interface PretrainSummary {
  readonly run: string;
  readonly result: TrainResult;
  /** Entropy, in nats, of the frequencies of the held-out residues. */
  readonly unigramEntropy: number | undefined;
  /** Share of the positions that hold tokens, in the rows of the first epoch. */
  readonly fill: number;
  /** Facts about the device and its price, from before the run. */
  readonly costs: DeviceCosts;
  readonly spent: RunCosts;
}

export async function pretrain(context: PretrainContext): Promise<Result> {
  const interrupt = onInterrupt(() =>
    context.note("Stopping after the steps under way; press Ctrl-C again to end at once."),
  );
  try {
    if (context.options.plan) return await plan(context, interrupt.signal);
    const { run, result, unigramEntropy, fill, costs, spent } = await runPretraining(context, interrupt.signal);
    const { evaluation } = result;
    const place = relative(context.io.cwd, run) || run;
    const json = {
      steps: result.steps,
      tokens: result.tokens,
      trainLoss: result.trainLoss,
      evalLoss: evaluation?.loss,
      perplexity: evaluation?.perplexity,
      accuracy: evaluation?.accuracy,
      ...Object.fromEntries(Object.entries(evaluation ?? {}).filter(([name]) => name.includes("."))),
      unigramEntropy,
      tokensPerSecond: result.tokensPerSecond,
      stepMs: result.stepMs,
      parameters: result.parameters,
      peakBytes: peakBytes(),
      seconds: result.seconds,
      ...spent,
      fill,
      interrupted: result.interrupted,
      run,
      checkpoint: result.checkpoint,
    };
    if (result.interrupted)
      return {
        json,
        exitCode: interrupt.exitCode(),
        text: [
          `Stopped after step ${formatInteger(result.steps)} and saved. Go on with: cloze pretrain --resume ${place}`,
        ],
      };
    return {
      json,
      text: summary(
        result,
        unigramEntropy,
        costLines(costs, spent, result.seconds),
        place,
        relative(context.io.cwd, result.checkpoint) || result.checkpoint,
      ),
    };
  } finally {
    interrupt.stop();
  }
}

/**
 * All options in the form that `--config` reads: durations have their unit, and `model` is left out if it is that of
 * `--from`.
 */
function savedOptions(options: PretrainOptions, given: ReadonlySet<string>): Record<string, unknown> {
  return {
    ...options,
    out: undefined,
    plan: undefined,
    resume: undefined,
    ...(options.from !== undefined && !given.has("model") ? { model: undefined } : {}),
    ...(options.budget === undefined ? {} : { budget: showValue(PRETRAIN_OPTIONS.budget, options.budget) }),
  };
}

/** The folder of the run to resume. */
async function resumedRun({ options, io, path }: PretrainContext): Promise<string> {
  if (options.resume !== "auto") return path(options.resume ?? "");
  return options.out !== undefined ? path(options.out) : await newestRun(io.cwd);
}

/** Runs `work` as the only writer of the run's folder. */
async function inRunFolder<T>(context: PretrainContext, work: (run: string) => Promise<T>): Promise<T> {
  const { options, io, path, runName = options.model } = context;
  const where = "pretrain";
  if (options.resume === undefined)
    return inNewRun({ where, cwd: io.cwd, out: options.out && path(options.out), name: runName }, work);
  const run = await resumedRun(context);
  return inExistingRun(run, where, () => work(run));
}

/** The options in force: those given now, over those that a resumed run saved, over the defaults. */
async function resolve(
  { options, given, path }: PretrainContext,
  run: string,
): Promise<{
  readonly options: PretrainOptions;
  readonly given: ReadonlySet<string>;
  readonly resuming: boolean;
}> {
  if (options.resume === undefined) {
    // A run from a checkpoint uses the tokenizer of this checkpoint, unless the user names another.
    const from =
      options.from === undefined || given.has("tokenizer") ? undefined : await checkpointFolder(path(options.from));
    const tokenizer =
      from !== undefined && (await holdsTokenizer(from))
        ? from
        : given.has("tokenizer") || options.data.length === 0
          ? options.tokenizer
          : await tokenizerOfModel(options.model, path, "pretrain");
    const clip = options.clipPercentile !== undefined && !given.has("clip") ? 0 : options.clip;
    return { options: { ...withUsualRate(options, given), tokenizer, clip }, given, resuming: false };
  }
  const saved = await readRunConfig(run, PRETRAIN_OPTIONS);
  const merged: Record<string, unknown> = { ...options };
  const newEnd = ENDS.some((key) => given.has(key));
  for (const [key, value] of saved) {
    if (!given.has(key)) {
      if (!(newEnd && ENDS.some((end) => end === key))) merged[key] = value;
    } else if (!RESUME_MAY_CHANGE.has(key) && JSON.stringify(merged[key]) !== JSON.stringify(value)) {
      throw new ConfigError(
        `--resume: the run was made with ${flag(key)} ${String(value)}, this says ${String(merged[key])}. Leave ` +
          "it out, or start a new run with --from.",
      );
    }
  }
  return { options: merged as PretrainOptions, given: new Set([...given, ...saved.keys()]), resuming: true };
}

/** Options that set the length of a run. */
const ENDS = ["steps", "epochs", "tokens", "budget"] as const;

/**
 * The settings of a training run, and the functions to begin and to finish it. `begin` prints the facts about the run.
 */
async function setUp(
  context: PretrainContext,
  run: string,
  signal: AbortSignal,
): Promise<{
  readonly training: TrainOptions;
  readonly dispose: () => Promise<void>;
  readonly begin: () => Promise<number | undefined>;
  readonly finish: () => void;
  readonly options: PretrainOptions;
  readonly costs: DeviceCosts;
  readonly fill: number;
}> {
  const { options, given, resuming } = await resolve(context, run);
  const { io, path, note } = context;
  if (options.data.length === 0)
    throw new ConfigError(
      "pretrain: --data is required: files of text or sequences, or the .json of token shards. See: cloze " +
        "pretrain --help",
    );
  const ends = ENDS.filter((key) => options[key] !== undefined);
  const held = heldOptions(options);
  if (ends.length > 1)
    throw new ConfigError(
      `pretrain: expected one of --steps, --epochs, --tokens and --budget, got ${ends.map(flag).join(" and ")}. ` +
        "Leave one out.",
    );

  const tokenizer = await tokenizerFrom(options.tokenizer, path);
  const objectives = await findObjectives(
    valuesOf(held.objective).map(String),
    tokenizer,
    readObject(options.objectiveOptions),
    io.cwd,
  );
  const [objective] = [...objectives.values()] as [Objective];
  const { said, ...start } = await startingPoint({
    options,
    modelGiven: given.has("model"),
    objective,
    tokenizer,
    run,
    resuming,
    path,
    cwd: io.cwd,
  });
  const { source } = start;
  if (tokenizer.vocabulary.length > source.model.vocab)
    throw new ConfigError(
      `pretrain: tokenizer ${tokenizer.name} has ${tokenizer.vocabulary.length} tokens, the model ` +
        `${source.model.vocab}. Choose a config.json with vocab_size ${tokenizer.vocabulary.length}.`,
    );
  const shape = runShape(options, held, source.maxLength);
  const { maxLength } = shape;

  const special = framingOf(tokenizer);
  const asked = { objective, special, length: maxLength };
  const data = await openTrainingData({
    files: options.data,
    tokenizer,
    validShare: options.valid,
    path,
    reading: options,
    env: io.env,
    stdin: io.stdin,
    unit: unitOf(objective),
    window: { length: maxLength - framingLength(special), seed: options.seed },
  });
  const byLength = new Map<number, PackedBatches>();
  const lengths = (valuesOf(held.maxLength) as readonly number[]).map((length) => Math.min(length, maxLength));
  for (const length of lengths)
    byLength.set(
      length,
      trainingBatches(await data.trainOf(length - framingLength(special)), {
        ...asked,
        length,
        seed: options.seed,
        rowsPerBatch: shape.rowsOf(length),
      }),
    );
  const length = lengths[0] as number;
  const batches = byLength.get(length) as PackedBatches;
  const fill = batches.fillOf(0);
  const stepRows = shape.rowsOf(length) * shape.partsOf(valuesOf(held.batchTokens)[0] as number);
  const until = endOf(options, {
    steps: batches.rowsIn(0) / stepRows,
    tokens: batches.rowsIn(0) * length * fill,
    sameSteps: !changesRows(held),
  });
  const stages = runStages({ held, shape, until, source, objectives, batches: byLength });
  const first = stages.at({ step: 0, share: 0 });
  const { accumulate } = first;
  const { backend, place } = await chooseBackend(options.backend, {
    tune: options.tune,
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  const costs = await costsOf(backend.capabilities.device, first.source, batches, options, path);
  const progress = new ProgressWriter(context.json ? io.stderr : io.stdout);
  const begin = async (): Promise<number | undefined> => {
    const unigramEntropy = data.valid.size > 0 ? await unigramEntropyOf(data.valid, tokenizer) : undefined;
    if (!resuming) await writeRunConfig(run, savedOptions({ ...options, accumulate: shape.accumulate }, given));
    note(
      `${data.summary}\n${place}\n${source.name}: ${formatCount(countOf(start.weights))} parameters; ${stepRows} ` +
        `rows of ${length} tokens a step, ${percent(fill)} ` +
        `filled${accumulate > 1 ? `, in ${accumulate} parts` : ""}` +
        (options.precision === "f32" ? "" : `; contractions in ${options.precision}`),
    );
    if (stages.all.length > 1) note(`over the run: ${stagesInWords(held)}`);
    said.forEach(note);
    return unigramEntropy;
  };
  return {
    options,
    costs,
    fill,
    begin,
    dispose: () => backend.dispose(),
    finish: () => progress.finish(),
    training: {
      backend,
      until,
      run,
      signal,
      ...start,
      ...first,
      ...(stages.all.length > 1 && { stages }),
      compute: options.precision,
      rematerialise: options.rematerialise,
      optimizer: optimizerOf(options),
      clip: options.clip === 0 ? undefined : options.clip,
      tokenizerFiles: tokenizer.files(),
      lr: options.lr,
      schedule: scheduleOf(options),
      seed: options.seed,
      evalEvery: options.evalEvery,
      saveEvery: options.saveEvery,
      keep: options.keep,
      ...(data.valid.size > 0
        ? {
            evaluator: validation({
              backend,
              source: first.source,
              objective,
              tokens: tokenizer,
              compute: options.precision,
              batches: evaluationBatches(data.valid, { ...asked, tokens: shape.rowsOf(maxLength) * maxLength }),
            }),
          }
        : {}),
      onEvent: showProgress(progress, until),
      timeFigures: timedCosts(costs),
    },
  };
}

export function runPretraining(context: PretrainContext, signal: AbortSignal): Promise<PretrainSummary> {
  return inRunFolder(context, (run) => trainIn(run, context, signal));
}

async function trainIn(run: string, context: PretrainContext, signal: AbortSignal): Promise<PretrainSummary> {
  const { training, options, costs, fill, begin, finish, dispose } = await setUp(context, run, signal);
  const { source } = training;
  try {
    const unigramEntropy = await begin();
    const result = await train(training).finally(finish);
    const spent = runCosts(costs, result);
    await writeReport(run, source, options, result, unigramEntropy, [
      ["rows filled", percent(fill)],
      ...costLines(costs, spent, result.seconds),
    ]);
    return { run, result, unigramEntropy, fill, costs, spent };
  } finally {
    await dispose();
  }
}

/** The costs of the run, estimated from the sequences of its first batch. */
async function costsOf(
  device: string,
  { flopsPerToken }: Pick<ModelSource, "flopsPerToken">,
  batches: TrainOptions["batches"],
  options: PretrainOptions,
  path: PretrainContext["path"],
): Promise<DeviceCosts> {
  const flops =
    flopsPerToken === undefined
      ? undefined
      : flopsOfSequences(
          flopsPerToken,
          (await batches.batchAt(0)).sequences.map(({ length }) => length),
        );
  return deviceCosts({ device, precision: options.precision, flopsPerToken: flops }, options, path);
}

/** The plan of a step on the device: kernels, the most frequent first, and memory. Nothing is written. */
async function plan(context: PretrainContext, signal: AbortSignal): Promise<Result> {
  const run = context.options.resume === undefined ? context.io.cwd : await resumedRun(context);
  const { training, dispose } = await setUp(context, run, signal);
  try {
    const plans = await planTraining(training);
    const text = plans.flatMap(({ program, times, stage, plan: { backend, steps, stateBytes, peakBytes: peak } }) => {
      const runs = steps.reduce((n, s) => n + s.count, 0);
      const memory = peak === undefined ? "" : `, ${formatBytes(peak)} at most`;
      return [
        `${stage === undefined ? "" : `${toldIn(stage)}: `}${program}${times > 1 ? `, ${times} times a step` : ""} ` +
          `on ${backend}: ${formatInteger(runs)} kernels, ${formatBytes(stateBytes)} of state${memory}`,
        ...[...steps]
          .sort((x, y) => y.count - x.count)
          .map(({ kernel, count }) => `${formatInteger(count).padStart(7)}  ${kernel}`.slice(0, 80)),
      ];
    });
    return { json: { plans }, text };
  } finally {
    await dispose();
  }
}

const countOf = (weights: Weights): number => Object.values(weights).reduce((n, w) => n + w.data.length, 0);

/** The end of the run. Epochs are counted in steps if all steps have one size, and in tokens otherwise. */
function endOf(
  options: PretrainOptions,
  epoch: { readonly steps: number; readonly tokens: number; readonly sameSteps: boolean },
): Until {
  const { steps, tokens, budget, epochs = 1 } = options;
  if (steps !== undefined) return { steps };
  if (tokens !== undefined) return { tokens };
  if (budget !== undefined) return { seconds: budget };
  return epoch.sameSteps
    ? { steps: Math.max(1, Math.ceil(epochs * epoch.steps)) }
    : { tokens: Math.max(1, Math.ceil(epochs * epoch.tokens)) };
}
