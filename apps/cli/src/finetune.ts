/**
 * The work of `cloze finetune`: trains a model of a task from a checkpoint and labelled files, once or for several
 * seeds.
 */
import { basename, join, relative } from "node:path";
import { refusePipesTwice, type DataFormat } from "@cloze/data/node";
import { ConfigError } from "@cloze/errors";
import { hasHead } from "@cloze/models/families";
import { createTaskModel, TASK_KINDS, taskOf, type Task, type TaskFigures, type TaskModelOptions } from "@cloze/tasks";
import { fineTune, loadExamples, type FineTuned, type Located } from "@cloze/tasks/node";
import { formatInteger, newestCheckpoint, ProgressWriter, type TrainEvent } from "@cloze/trainer";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import { checkInputs, contentOfRecords } from "./check-inputs.ts";
import type { Result } from "./command.ts";
import { writeFinetuneReport } from "./finetune-report.ts";
import {
  checkOptions,
  columnsOf,
  MOVABLE,
  resolve,
  savedOptions,
  settingsOf,
  taskOptions,
  type FinetuneContext,
} from "./finetune-settings.ts";
import { stopped, summary, type SeedRun } from "./finetune-summary.ts";
import { onInterrupt, UnsavedSteps, type Interrupt } from "./interrupt.ts";
import { isCpu, longRunLine } from "./long-run.ts";
import { loadModel, type LoadedModel } from "./model-files.ts";
import { nucleotidesInRecords } from "./nucleotides.ts";
import { readObject } from "./options.ts";
import { inExistingRun, inNewRun } from "./run-claim.ts";
import { writeRunConfig } from "./run-folder.ts";
import { taskFolder } from "./task-models.ts";
import { tokenizerBeside } from "./tokenizer-of-model.ts";
import { afterWaiting, namesInWords, waitingLine, type WaitingLine } from "./waiting-line.ts";

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
    waiting.say(`reading ${namesInWords([...options.data, ...options.valid])}`);
    const { train, valid, test } = await loadExamples(task, {
      data: options.data.map(path),
      valid: options.valid.map(path),
      stdin: io.stdin,
      splitColumn: options.splitColumn,
      unlabelled: options.unlabelled,
      onNote: note,
      ...columnsOf(options.columns),
      ...formatOf(options.format),
    });
    refuseEmpty(train, options.data);
    const dna = nucleotidesInRecords(train, tokenizer, {
      where: `--data ${options.data.join(" ")}`,
      allowed: options.allowDna,
    });
    if (dna !== undefined) note(dna);
    note(
      `${formatInteger(train.length)} examples to train ` +
        `on${valid ? `, ${formatInteger(valid.length)} to evaluate on` : ""}; ${place}`,
    );
    await inputs.settle(async () =>
      contentOfRecords([...train, ...(valid ?? []), ...(test ?? [])].map(({ record }) => record)),
    );
    const moved = resuming && [...MOVABLE].some((key) => context.given.has(key));
    if (!resuming || moved) await writeRunConfig(run, savedOptions(options));
    const changes = await inputs.record((await lastStep(run)) ?? 0);
    inputs.said.forEach(note);
    const done: SeedRun[] = [];
    const settings = settingsOf(options);
    const said = new Set<string>();
    const noteOnce = (line: string): void => {
      if (!said.has(line)) note(line);
      said.add(line);
    };
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      const progress = new ProgressWriter(context.json ? io.stderr : io.stdout);
      const folder = options.seeds === 1 ? run : join(run, `seed-${seed}`);
      if (options.seeds > 1) note(`seed ${seed}`);
      const saved = resuming ? await lastStep(folder) : undefined;
      unsaved.begin(`cloze finetune --resume ${relative(io.cwd, run) || run}`, saved);
      const show = shower(
        progress,
        [settings.metric?.metric ?? task.best.metric, ...TELLING],
        longRunLine({ onCpu: isCpu(place), helps: HELPS }),
      );
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
        onNote: noteOnce,
        onData: noteOnce,
      }).finally(() => progress.finish());
      const tested =
        test === undefined || result.result.interrupted
          ? undefined
          : await testFigures(result, test, { loaded, tokenizer, backend, compute: options.precision });
      const sentences = await writeFinetuneReport({
        run: folder,
        from: options.from,
        examples: train.length,
        options: savedOptions({ ...options, seed }),
        metric: settings.metric,
        tuned: result,
        majority: majorityOf(valid?.map(({ record }) => record)),
        test: tested,
      });
      if (result.result.interrupted) return stopped(result, relative(io.cwd, run) || run, interrupt.exitCode());
      done.push({ seed, result, sentences, test: tested });
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

/** The share of the most frequent label of records that have one label each. */
function majorityOf(records: readonly object[] | undefined): number | undefined {
  const counts = new Map<unknown, number>();
  for (const record of records ?? []) {
    if (!("label" in record) || record.label === undefined) return undefined;
    counts.set(record.label, (counts.get(record.label) ?? 0) + 1);
  }
  return records === undefined ? undefined : Math.max(...counts.values()) / records.length;
}

function refuseEmpty(train: readonly Located<object>[], data: readonly string[]): void {
  if (train.length === 0)
    throw new ConfigError(
      `--data ${data.join(" ")}: expected rows marked train, got none. Name the column with --split-column, or take ` +
        "all rows with --split-column none.",
    );
}

/** The figures of the best model over examples that it never saw. */
async function testFigures(
  { task, weights, maxLength }: FineTuned,
  test: readonly Located<object>[],
  {
    loaded: { model, padId },
    ...compute
  }: { readonly loaded: LoadedModel } & Pick<TaskModelOptions<object, object>, "tokenizer" | "backend" | "compute">,
): Promise<TaskFigures> {
  if (!hasHead(model, task.head.requires)) throw new RangeError(`a model that was trained has a head for ${task.kind}`);
  const tuned = await createTaskModel({ task, model, weights, padId, maxLength, ...compute });
  try {
    return await tuned.evaluate(
      test.map(({ record }) => record),
      placeIn(test),
    );
  } finally {
    await tuned.dispose();
  }
}

const placeIn =
  (records: readonly Located<object>[]) =>
  (record: number): string =>
    records[record]?.where ?? `example ${record + 1}`;

/** What makes a fine-tuning shorter. */
const HELPS = ["a smaller model (--from)", "fewer --epochs", "a shorter --max-length", "--freeze for lower layers"];

/** The figures that say how good a model is, in this order; tags without entities have no F1. */
const TELLING = ["f1", "accuracy"];

function shower(
  progress: ProgressWriter,
  metrics: readonly string[],
  longRun: ReturnType<typeof longRunLine>,
): (event: TrainEvent) => void {
  let steps = 0;
  const started = performance.now();
  return (event) => {
    if (event.kind !== "row") return;
    const { row, fraction } = event;
    const gone = (performance.now() - started) / 1000;
    if (row.type === "eval") {
      const metric = metrics.find((name) => typeof row[name] === "number");
      return progress.print(
        `step ${formatInteger(row.step)}: ${[...new Set(["loss", ...(metric === undefined ? [] : [metric])])]
          .map((name) => `${name} ${Number(row[name]).toFixed(4)}`)
          .join(", ")}`,
      );
    }
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
