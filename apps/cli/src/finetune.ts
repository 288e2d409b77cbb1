/**
 * The work of `cloze finetune`: trains a model of a task from a checkpoint and labelled files, once or for several
 * seeds.
 */
import { basename, join, relative } from "node:path";
import { writeJson } from "@cloze/checkpoint/node";
import { refusePipesTwice, type DataFormat } from "@cloze/data/node";
import { ConfigError } from "@cloze/errors";
import { TASK_KINDS, taskOf, type AnyTaskOptions, type Task, type TaskFigures, type TaskKind } from "@cloze/tasks";
import { fineTune, loadRecords, type FineTuned, type FineTuneSettings, type Located } from "@cloze/tasks/node";
import { formatDuration, formatInteger, newestCheckpoint, ProgressWriter, type TrainEvent } from "@cloze/trainer";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import { checkInputs, contentOfRecords } from "./check-inputs.ts";
import type { Context, Result } from "./command.ts";
import { FINETUNE_OPTIONS } from "./finetune-options.ts";
import { writeFinetuneReport } from "./finetune-report.ts";
import { onInterrupt, UnsavedSteps, type Interrupt } from "./interrupt.ts";
import { isCpu, longRunLine } from "./long-run.ts";
import { loadModel } from "./model-files.ts";
import { flag, readObject, type Values } from "./options.ts";
import { columns } from "./output.ts";
import { inExistingRun, inNewRun } from "./run-claim.ts";
import { readRunConfig, writeRunConfig } from "./run-folder.ts";
import { readInputs } from "./run-inputs.ts";
import { taskFolder } from "./task-models.ts";
import { tokenizerBeside } from "./tokenizer-of-model.ts";
import { afterWaiting, namesInWords, waitingLine, type WaitingLine } from "./waiting-line.ts";

type FinetuneOptions = Values<typeof FINETUNE_OPTIONS>;
type FinetuneContext = Pick<
  Context<typeof FINETUNE_OPTIONS>,
  "options" | "given" | "json" | "io" | "path" | "print" | "note"
>;

/**
 * Options that may change when a run is resumed. They decide only where it computes; any other change makes another
 * run.
 */
const MAY_CHANGE: ReadonlySet<string> = new Set(["backend", "threads", "resume", "acceptChangedData", "out"]);

/** Options that name files, which may have moved. The same content is required, not the same path. */
const MOVABLE: ReadonlySet<string> = new Set(["data", "valid", "from"]);

export async function finetune(context: FinetuneContext): Promise<Result> {
  const unsaved = new UnsavedSteps();
  const waiting = waitingLine(context.io.stderr, context.json);
  const note = (line: string): void => {
    waiting.finish();
    context.note(line);
  };
  const interrupt = onInterrupt(note, () => unsaved.inWords());
  try {
    return await inRunFolder(context, (run) => fineTuneIn(run, { ...context, note }, interrupt, unsaved, waiting));
  } finally {
    waiting.finish();
    interrupt.stop();
  }
}

const formatOf = (format: DataFormat | undefined): { readonly format?: DataFormat } =>
  format === undefined ? {} : { format };

/** Runs `work` as the only writer of the run's folder. */
function inRunFolder<T>({ options, io, path }: FinetuneContext, work: (run: string) => Promise<T>): Promise<T> {
  const where = "finetune";
  if (options.resume === undefined)
    return inNewRun({ where, cwd: io.cwd, out: options.out && path(options.out), name: options.task ?? "task" }, work);
  const run = path(options.resume);
  return inExistingRun(run, where, () => work(run));
}

async function fineTuneIn(
  run: string,
  context: FinetuneContext,
  interrupt: Interrupt,
  unsaved: UnsavedSteps,
  waiting: WaitingLine,
): Promise<Result> {
  const { options, resuming } = await resolve(context, run);
  const { io, path, note } = context;
  const kind = TASK_KINDS.find((each) => each === options.task);
  if (kind === undefined) throw new ConfigError(`finetune: --task is required: one of ${TASK_KINDS.join(", ")}.`);
  if (options.from === undefined)
    throw new ConfigError("finetune: --from is required: a checkpoint folder, a run, or a model of the Hub.");
  if (options.data.length === 0)
    throw new ConfigError(
      "finetune: FILE… or --data is required: files with labelled examples. See: cloze finetune --help",
    );
  checkOptions(kind, context.given);
  if (options.scratch && options.freeze !== undefined)
    throw new ConfigError(
      "--freeze: with --scratch it would keep new weights as they are, untrained. Leave one of them out.",
    );
  const task: Task = taskOf(kind, taskOptions(options)) as Task;
  waiting.say(`checking ${namesInWords([...options.data, ...options.valid, options.from])}`);
  await refusePipesTwice([...options.data, ...options.valid].map(path));
  const dir = await taskFolder(path(options.from));
  const inputs = await checkInputs({
    run,
    resuming,
    accept: options.acceptChangedData,
    collect: async (reader) => [
      ...(await reader.paths("training data", options.data.map(path))),
      ...(await reader.paths("validation data", options.valid.map(path))),
      ...(await reader.checkpoint(dir)),
      ...(await reader.tokenizer(dir, path)),
    ],
  });
  waiting.say("starting the backend");
  const { backend, place } = await chooseBackend(
    options.backend as BackendChoice,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  try {
    waiting.say(`reading ${namesInWords([options.from])}`);
    const loaded = await loadModel(dir, { options: readObject(options.modelOptions), where: "--model-options" });
    const tokenizer = await tokenizerBeside(loaded, note);
    const read = { labelled: true, stdin: io.stdin, ...columnsOf(options.columns), ...formatOf(options.format) };
    waiting.say(`reading ${namesInWords([...options.data, ...options.valid])}`);
    const train = await loadRecords(task, options.data.map(path), read);
    const valid = options.valid.length > 0 ? await loadRecords(task, options.valid.map(path), read) : undefined;
    note(
      `${formatInteger(train.length)} examples to train ` +
        `on${valid ? `, ${formatInteger(valid.length)} to evaluate on` : ""}; ${place}`,
    );
    await inputs.settle(async () => contentOfRecords([...train, ...(valid ?? [])].map(({ record }) => record)));
    const moved = resuming && [...MOVABLE].some((key) => context.given.has(key));
    if (!resuming || moved) await writeRunConfig(run, savedOptions(options));
    const changes = await inputs.record((await lastStep(run)) ?? 0);
    inputs.said.forEach(note);
    const done: SeedRun[] = [];
    const settings = settingsOf(options);
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      const progress = new ProgressWriter(context.json ? io.stderr : io.stdout);
      const folder = options.seeds === 1 ? run : join(run, `seed-${seed}`);
      if (options.seeds > 1) note(`seed ${seed}`);
      const saved = resuming ? await lastStep(folder) : undefined;
      unsaved.begin(`cloze finetune --resume ${relative(io.cwd, run) || run}`, saved);
      const show = shower(progress, task, longRunLine({ onCpu: isCpu(place), helps: HELPS }));
      waiting.say("encoding the examples, and compiling the training step");
      const result = await fineTune({
        ...settings,
        seed,
        task,
        opened: loaded,
        weights: options.scratch ? {} : loaded.weights,
        name: options.from,
        tokenizer,
        backend,
        train: train.map(({ record }) => record),
        whereTrain: placeIn(train),
        ...(valid && { valid: valid.map(({ record }) => record), whereValid: placeIn(valid) }),
        run: folder,
        resume: resuming,
        ...(changes !== undefined && { remark: { acceptedChanges: changes } }),
        signal: interrupt.signal,
        onEvent: afterWaiting(waiting, (event) => {
          unsaved.follow(event);
          show(event);
        }),
        onNote: note,
      }).finally(() => progress.finish());
      const sentences = await writeFinetuneReport({
        run: folder,
        from: options.from,
        examples: train.length,
        options: savedOptions({ ...options, seed }),
        metric: settings.metric,
        tuned: result,
        majority: majorityOf(valid?.map(({ record }) => record)),
      });
      if (result.result.interrupted) return stopped(result, relative(io.cwd, run) || run, interrupt.exitCode());
      done.push({ seed, result, sentences });
    }
    return await summary(kind, done, run, io.cwd);
  } finally {
    await backend.dispose();
  }
}

/** The step of a run's newest checkpoint. */
async function lastStep(run: string): Promise<number | undefined> {
  const newest = await newestCheckpoint(run);
  return newest === undefined ? undefined : Number(basename(newest).replace("step-", ""));
}

interface SeedRun {
  readonly seed: number;
  readonly result: FineTuned;
  /** The verdict on the run. */
  readonly sentences: readonly string[];
}

/** The share of the most frequent label of records that have one label each. */
function majorityOf(records: readonly object[] | undefined): number | undefined {
  const counts = new Map<unknown, number>();
  for (const record of records ?? []) {
    if (!("label" in record) || record.label === undefined) return undefined;
    counts.set(record.label, (counts.get(record.label) ?? 0) + 1);
  }
  return records === undefined ? undefined : Math.max(...counts.values()) / records.length;
}

const placeIn =
  (records: readonly Located<object>[]) =>
  (record: number): string =>
    records[record]?.where ?? `example ${record + 1}`;

/** The options in force: those given now, over those that a resumed run saved. */
async function resolve(
  { options, given }: FinetuneContext,
  run: string,
): Promise<{ readonly options: FinetuneOptions; readonly resuming: boolean }> {
  if (options.resume === undefined) return { options, resuming: false };
  const merged: Record<string, unknown> = { ...options };
  const recorded = (await readInputs(run)) !== undefined;
  for (const [key, value] of await readRunConfig(run, FINETUNE_OPTIONS)) {
    if (!given.has(key)) merged[key] = value;
    else if (MOVABLE.has(key) && recorded)
      continue; // another path: checkInputs compares what is there
    else if (!MAY_CHANGE.has(key) && JSON.stringify(merged[key]) !== JSON.stringify(value))
      throw new ConfigError(
        `--resume: the run was made with ${flag(key)} ${String(value)}, this says ${String(merged[key])}. Leave ` +
          "it out, or start a new run.",
      );
  }
  return { options: merged as FinetuneOptions, resuming: true };
}

/** Options that apply to some kinds of task only, with these kinds. */
const ONLY_FOR: Readonly<Record<string, readonly TaskKind[]>> = {
  labels: ["text-classification", "multi-label", "token-classification"],
  classWeights: ["text-classification", "multi-label", "token-classification"],
  threshold: ["multi-label", "question-answering"],
  noAnswer: ["question-answering"],
};

function checkOptions(kind: TaskKind, given: ReadonlySet<string>): void {
  for (const [key, kinds] of Object.entries(ONLY_FOR)) {
    if (given.has(key) && !kinds.includes(kind))
      throw new ConfigError(`${flag(key)}: expected a task of ${kinds.join(", ")}, got ${kind}. Leave it out.`);
  }
}

/** The options in the form that `--config` reads, which takes no empty lists. */
function savedOptions(options: FinetuneOptions): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries({ ...options, out: undefined, resume: undefined, acceptChangedData: undefined }).filter(
      ([, value]) => !(Array.isArray(value) && value.length === 0),
    ),
  );
}

function taskOptions({ labels, classWeights, threshold, noAnswer }: FinetuneOptions): AnyTaskOptions {
  return {
    ...(labels.length > 0 && { labels }),
    ...(classWeights !== undefined && { classWeights: weightsOf(classWeights) }),
    ...(threshold !== undefined && { threshold }),
    ...(noAnswer && { noAnswer }),
  };
}

function weightsOf(text: string): Readonly<Record<string, number>> | "balanced" {
  if (text === "balanced") return text;
  return Object.fromEntries(
    text.split(",").map((part) => {
      const at = part.lastIndexOf("=");
      const weight = Number(part.slice(at + 1));
      if (at < 1 || part.slice(at + 1).trim() === "" || !Number.isFinite(weight))
        throw new ConfigError(
          `--class-weights: expected balanced, or label=number between commas, got ${JSON.stringify(part)}.`,
        );
      return [part.slice(0, at), weight];
    }),
  );
}

/** Parses `--columns`: `text,label` or `text=review,label=stars`. */
export function columnsOf(text: string | undefined): {
  readonly columns?: readonly string[] | Readonly<Record<string, string>>;
} {
  if (text === undefined) return {};
  const parts = text.split(",").map((part) => part.trim());
  const pairs = parts.filter((part) => part.includes("="));
  if (pairs.length > 0 && pairs.length < parts.length)
    throw new ConfigError(
      `--columns: expected names between commas, or ours=theirs for each, got ${JSON.stringify(text)}.`,
    );
  return {
    columns:
      pairs.length > 0
        ? Object.fromEntries(parts.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]))
        : parts,
  };
}

const LOWER: ReadonlySet<string> = new Set(["loss", "mse", "rmse", "mae", "hammingLoss"]);

function settingsOf({
  epochs,
  batch,
  accumulate,
  lr,
  warmup,
  weightDecay,
  layerDecay,
  clip,
  schedule,
  precision,
  ...options
}: FinetuneOptions): FineTuneSettings {
  const { freeze, maxLength, evalEvery, patience, metric } = options;
  return {
    epochs,
    batch,
    accumulate,
    lr,
    schedule,
    warmup,
    weightDecay,
    layerDecay,
    clip,
    compute: precision,
    ...(freeze !== undefined && { freeze }),
    ...(maxLength !== undefined && { maxLength }),
    ...(evalEvery !== undefined && { evalEvery }),
    ...(patience !== undefined && { patience }),
    ...(metric !== undefined && {
      metric: { metric, better: LOWER.has(metric) ? ("lower" as const) : ("higher" as const) },
    }),
  };
}

/** What makes a fine-tuning shorter. */
const HELPS = ["a smaller model (--from)", "fewer --epochs", "a shorter --max-length", "--freeze for lower layers"];

function shower(
  progress: ProgressWriter,
  { best }: Task,
  longRun: ReturnType<typeof longRunLine>,
): (event: TrainEvent) => void {
  let steps = 0;
  const started = performance.now();
  return (event) => {
    if (event.kind !== "row") return;
    const { row, fraction } = event;
    const gone = (performance.now() - started) / 1000;
    if (row.type === "eval")
      return progress.print(
        `step ${formatInteger(row.step)}: ${[
          ["loss", row.loss],
          [best.metric, row[best.metric]],
        ]
          .map(([name, value]) => `${name} ${typeof value === "number" ? value.toFixed(4) : "?"}`)
          .join(", ")}`,
      );
    const remaining = fraction > 0 ? (gone * (1 - fraction)) / fraction : undefined;
    const line = remaining === undefined ? undefined : longRun(++steps, remaining);
    if (line !== undefined) progress.print(line);
    progress.update({
      step: row.step,
      fraction,
      loss: row.loss,
      tokensPerSecond: row.time?.tokensPerSecond ?? 0,
      ...(remaining !== undefined && { remaining }),
    });
  };
}

function stopped({ result }: FineTuned, place: string, exitCode: number): Result {
  return {
    json: { interrupted: true, steps: result.steps, run: place },
    exitCode,
    text: [`Stopped after step ${formatInteger(result.steps)} and saved. Go on with: cloze finetune --resume ${place}`],
  };
}

/** Mean and sample standard deviation of each figure. */
function spreadOf(all: readonly TaskFigures[]): {
  readonly mean: Record<string, number>;
  readonly deviation: Record<string, number>;
} {
  const mean: Record<string, number> = {};
  const deviation: Record<string, number> = {};
  for (const name of Object.keys(all[0] ?? {})) {
    const values = all.map((figures) => figures[name] ?? NaN);
    const middle = values.reduce((a, b) => a + b, 0) / values.length;
    mean[name] = middle;
    deviation[name] = Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / Math.max(1, values.length - 1));
  }
  return { mean, deviation };
}

async function summary(task: string, runs: readonly SeedRun[], run: string, cwd: string): Promise<Result> {
  const place = (path: string | undefined): string => (path === undefined ? "" : relative(cwd, path) || path);
  const figures = runs.flatMap(({ result }) => result.figures ?? []);
  const { mean, deviation } = spreadOf(figures);
  const seeds = runs.map(({ seed, result, sentences }) => ({
    seed,
    verdict: sentences,
    figures: result.figures,
    steps: result.result.steps,
    seconds: result.result.seconds,
    checkpoint: result.checkpoint,
  }));
  const json = {
    task,
    run,
    seeds,
    ...(figures.length > 0 && { figures: mean, ...(runs.length > 1 && { deviation }) }),
    verdict: [...new Set(seeds.flatMap((each) => each.verdict))],
    checkpoint: seeds[0]?.checkpoint,
  };
  if (runs.length > 1) await writeJson(join(run, "summary.json"), json);
  const seconds = seeds.reduce((sum, each) => sum + each.seconds, 0);
  const names = Object.keys(mean);
  const table =
    runs.length === 1
      ? names.map((name) => [name, shown(mean[name])])
      : [
          ["", ...seeds.map(({ seed }) => `seed ${seed}`), "mean", "deviation"],
          ...names.map((name) => [
            name,
            ...figures.map((each) => shown(each[name])),
            shown(mean[name]),
            shown(deviation[name]),
          ]),
        ];
  return {
    json,
    text: [
      `${seeds.map(({ steps }) => formatInteger(steps)).join(" + ")} steps in ${formatDuration(seconds)}`,
      ...columns(table, table[0]?.map((_, i) => i).slice(1) ?? []),
      ...seeds.flatMap(({ seed, verdict }) =>
        verdict.map((sentence) => `${seeds.length > 1 ? `seed ${seed}` : "verdict"}  ${sentence}`),
      ),
      ...seeds.map(({ checkpoint }) => `checkpoint  ${place(checkpoint)}`),
      "Go on: npx cloze predict --checkpoint " +
        `${place(seeds[0] && (runs.length > 1 ? join(run, `seed-${seeds[0].seed}`) : run))} --data FILE`,
    ],
  };
}

export const shown = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(4));
