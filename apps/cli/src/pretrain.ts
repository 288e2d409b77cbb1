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
  type TrainEvent,
  type TrainOptions,
  type TrainResult,
  type Until,
  type Weights,
} from "@cloze/trainer";
import { chooseBackend } from "./backends.ts";
import { checkInputs, contentOf } from "./check-inputs.ts";
import type { Result } from "./command.ts";
import { resolveData } from "./data-sources.ts";
import { onInterrupt, UnsavedSteps } from "./interrupt.ts";
import { isCpu, longRunLine } from "./long-run.ts";
import { findObjectives } from "./objectives.ts";
import { optimizerOf, scheduleOf } from "./optimizers.ts";
import { flag, readObject } from "./options.ts";
import { peakBytes, summary, writeReport } from "./pretrain-report.ts";
import {
  ENDS,
  inputsOf,
  inRunFolder,
  MOVABLE,
  resolve,
  resumedRun,
  savedOptions,
  type PretrainContext,
  type PretrainOptions,
} from "./pretrain-run.ts";

export type { PretrainOptions } from "./pretrain-run.ts";
import { writeRunConfig } from "./run-folder.ts";
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
import { fitOf } from "./tokenizer-of-model.ts";
import { tokenizerFrom } from "./tokenizers.ts";
import { evaluationBatches, trainingBatches, unitOf } from "./training-batches.ts";
import { framingOf, openTrainingData, unigramEntropyOf } from "./training-data.ts";
import { validation } from "./validation.ts";
import { afterWaiting, namesInWords, whileWaiting, type WaitingLine } from "./waiting-line.ts";

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
  /** The verdict on the run. */
  readonly sentences: readonly string[];
}

export async function pretrain(context: PretrainContext): Promise<Result> {
  const unsaved = new UnsavedSteps();
  const interrupt = onInterrupt(context.note, () => unsaved.inWords());
  try {
    if (context.options.plan) return await plan(context, interrupt.signal);
    const { run, result, unigramEntropy, fill, costs, spent, sentences } = await runPretraining(
      context,
      interrupt.signal,
      unsaved,
    );
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
      verdict: sentences,
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
        sentences,
      ),
    };
  } finally {
    interrupt.stop();
  }
}

/** What is known when a run begins. */
interface Begun extends Pick<TrainOptions, "remark"> {
  readonly unigramEntropy: number | undefined;
}

/**
 * The settings of a training run, and the functions to begin and to finish it. `begin` prints the facts about the run.
 */
async function setUp(
  context: PretrainContext,
  run: string,
  signal: AbortSignal,
  waiting: WaitingLine,
): Promise<{
  readonly training: TrainOptions;
  readonly dispose: () => Promise<void>;
  readonly begin: () => Promise<Begun>;
  readonly finish: () => void;
  readonly options: PretrainOptions;
  readonly costs: DeviceCosts;
  readonly fill: number;
}> {
  const { options, given, resuming } = await resolve(context, run);
  const { io, path, note } = context;
  if (options.data.length === 0)
    throw new ConfigError(
      "pretrain: FILE… or --data is required: files of text or sequences, or the .json of token shards. See: cloze " +
        "pretrain --help",
    );
  const ends = ENDS.filter((key) => options[key] !== undefined);
  const held = heldOptions(options);
  if (ends.length > 1)
    throw new ConfigError(
      `pretrain: expected one of --steps, --epochs, --tokens and --budget, got ${ends.map(flag).join(" and ")}. ` +
        "Leave one out.",
    );

  const named = await resolveData({
    names: options.data,
    format: options.format,
    path,
    env: io.env,
    stdin: io.stdin,
    where: "--data ",
  });
  waiting.say(`checking ${namesInWords(options.data)}`);
  const inputs = context.options.plan
    ? undefined
    : await checkInputs(inputsOf(context, { options, given, run, named }));
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
  for (const line of fitOf(tokenizer, source.model.vocab, "pretrain")) note(line);
  const shape = runShape(options, held, source.maxLength);
  const { maxLength } = shape;

  const special = framingOf(tokenizer);
  const asked = { objective, special, length: maxLength };
  waiting.say(`reading ${namesInWords(options.data)}`);
  const data = await openTrainingData({
    files: options.data,
    named,
    tokenizer,
    validShare: options.valid,
    path,
    reading: options,
    env: io.env,
    stdin: io.stdin,
    unit: unitOf(objective),
    window: { length: maxLength - framingLength(special), seed: options.seed },
  });
  await inputs?.settle(() => contentOf([data.train, data.valid]));
  waiting.say("packing rows");
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
  waiting.say(options.tune ? "starting the backend, and measuring how it multiplies fastest" : "starting the backend");
  const { backend, place } = await chooseBackend(options.backend, {
    tune: options.tune,
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  const costs = await costsOf(backend.capabilities.device, first.source, batches, options, path);
  const progress = new ProgressWriter(context.json ? io.stderr : io.stdout);
  const begin = async (): Promise<Begun> => {
    waiting.say("counting the tokens that are held out");
    const unigramEntropy = data.valid.size > 0 ? await unigramEntropyOf(data.valid, tokenizer) : undefined;
    const moved = resuming && [...MOVABLE].some((key) => context.given.has(key));
    if (!resuming || moved)
      await writeRunConfig(run, savedOptions({ ...options, accumulate: shape.accumulate }, given));
    const changes = await inputs?.record(start.resume?.state.step ?? 0);
    waiting.finish();
    note(
      `${data.summary}\n${place}\n${source.name}: ${formatCount(countOf(start.weights))} parameters; ${stepRows} ` +
        `rows of ${length} tokens a step, ${percent(fill)} ` +
        `filled${accumulate > 1 ? `, in ${accumulate} parts` : ""}` +
        (options.precision === "f32" ? "" : `; contractions in ${options.precision}`),
    );
    if (stages.all.length > 1) note(`over the run: ${stagesInWords(held)}`);
    [...said, ...(inputs?.said ?? [])].forEach(note);
    waiting.say("compiling the training step");
    return { unigramEntropy, ...(changes !== undefined && { remark: { acceptedChanges: changes } }) };
  };
  return {
    options,
    costs,
    fill,
    begin,
    dispose: () => backend.dispose(),
    finish: () => {
      waiting.finish();
      progress.finish();
    },
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
      onEvent: afterWaiting(waiting, showProgress(progress, until, longRunLine({ onCpu: isCpu(place), helps: HELPS }))),
      timeFigures: timedCosts(costs),
    },
  };
}

/** Pretrains, and tells `unsaved` how far it is. */
export function runPretraining(
  context: PretrainContext,
  signal: AbortSignal,
  unsaved: UnsavedSteps = new UnsavedSteps(),
): Promise<PretrainSummary> {
  return whileWaiting(context.io.stderr, context.json, (waiting) => {
    const note = (line: string): void => {
      waiting.finish();
      context.note(line);
    };
    return inRunFolder(context, (run) => trainIn(run, { ...context, note }, signal, unsaved, waiting));
  });
}

async function trainIn(
  run: string,
  context: PretrainContext,
  signal: AbortSignal,
  unsaved: UnsavedSteps,
  waiting: WaitingLine,
): Promise<PretrainSummary> {
  const { training, options, costs, fill, begin, finish, dispose } = await setUp(context, run, signal, waiting);
  const { source } = training;
  try {
    const { unigramEntropy, ...remarks } = await begin();
    unsaved.begin(`cloze pretrain --resume ${relative(context.io.cwd, run) || run}`, training.resume?.state.step);
    const onEvent = (event: TrainEvent): void => {
      unsaved.follow(event);
      training.onEvent?.(event);
    };
    const result = await train({ ...training, ...remarks, onEvent }).finally(finish);
    const spent = runCosts(costs, result);
    const sentences = await writeReport(run, source, options, result, unigramEntropy, [
      ["rows filled", percent(fill)],
      ...costLines(costs, spent, result.seconds),
    ]);
    return { run, result, unigramEntropy, fill, costs, spent, sentences };
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
  const { training, dispose } = await whileWaiting(context.io.stderr, context.json, (waiting) =>
    setUp(context, run, signal, waiting),
  );
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

/** What makes a pretraining run shorter. */
const HELPS = [
  "a smaller model (cloze recipe list shows -tiny ones)",
  "fewer --steps, or a --budget",
  "a shorter --max-length",
  "cloze estimate foretells other settings",
];

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
