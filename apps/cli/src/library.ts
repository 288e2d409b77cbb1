/**
 * Fine-tuned models in three lines, for programs:
 *
 *     const model = await finetune({ from: "runs/bert", task: textClassification(), data: "train.tsv" });
 *     await model.predict(["a fine film"]);
 *
 * Options have the names of the command line's flags. Without the option `backend`, the best backend of the machine
 * computes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Backend } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import { hasHead } from "@cloze/models/families";
import {
  createTaskModel,
  TASK_KINDS,
  type Task,
  type TaskFigures,
  type TaskKind,
  type TaskModel,
  type TasksByKind,
} from "@cloze/tasks";
import { fineTune, loadRecords, type FineTuneSettings, type Located, type ReadRecordsOptions } from "@cloze/tasks/node";
import type { TrainEvent } from "@cloze/trainer";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import { checkpointPath } from "./checkpoint-folder.ts";
import type { Io } from "./io.ts";
import { loadModel } from "./model-files.ts";
import { openTask, startTask, taskFolder } from "./task-models.ts";
import { tokenizerBeside } from "./tokenizer-of-model.ts";

/** Names of files, or the records themselves. */
export type Examples<R> = string | readonly string[] | readonly R[];

export interface FinetuneRequest<R extends object, O extends object> extends FineTuneSettings {
  /** A checkpoint folder, a run folder, or a model of the Hub. */
  readonly from: string;
  readonly task: Task<R, O>;
  readonly data: Examples<R>;
  /** Keys of the checkpoint's config.json to change, e.g. `{ hidden_dropout_prob: 0.2 }`. */
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  /** Begins from new weights instead of the checkpoint's, as a comparison. Default false. */
  readonly scratch?: boolean;
  /** Examples for an evaluation after each epoch. The best checkpoint is then the result. */
  readonly valid?: Examples<R>;
  /** The run folder; its folder `model/` is the result. Default: nothing is kept on disk. */
  readonly out?: string;
  /** Continues the run in `out`, if there is one. */
  readonly resume?: boolean;
  /** A started backend, or a name. Default "auto". */
  readonly backend?: Backend | BackendChoice;
  readonly columns?: NonNullable<ReadRecordsOptions["columns"]>;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
  readonly onNote?: (line: string) => void;
}

export interface FinetunedModel<R extends object, O extends object> extends TaskModel<R, O> {
  /** Figures of the best checkpoint; undefined without `valid`. */
  readonly figures: TaskFigures | undefined;
  /** The folder of the result; undefined without `out`. */
  readonly checkpoint: string | undefined;
}

/** Fine-tunes a checkpoint and returns the model, ready to predict. Throws ConfigError if `signal` stopped the run. */
export async function finetune<R extends object, O extends object>(
  request: FinetuneRequest<R, O>,
): Promise<FinetunedModel<R, O>> {
  const {
    from,
    task,
    data,
    valid,
    out,
    backend: wanted = "auto",
    columns,
    modelOptions = {},
    scratch = false,
    onNote = () => {},
    ...settings
  } = request;
  const dir = await taskFolder(await checkpointNamed(from, "from", onNote));
  const loaded = await loadModel(dir, { options: modelOptions, where: "modelOptions" });
  const tokenizer = await tokenizerBeside(loaded, onNote);
  const read = { labelled: true, ...(columns && { columns }) };
  const train = await recordsOf(task, data, read);
  const held = valid === undefined ? undefined : await recordsOf(task, valid, read);
  const { backend, close } = await running(wanted, onNote);
  const run = out === undefined ? await mkdtemp(join(tmpdir(), "cloze-finetune-")) : resolve(out);
  const records = (all: readonly Located<R>[]): readonly R[] => all.map(({ record }) => record);
  try {
    const tuned = await fineTune({
      ...settings,
      task,
      opened: loaded,
      weights: scratch ? {} : loaded.weights,
      name: from,
      tokenizer,
      backend,
      run,
      onNote,
      train: records(train),
      whereTrain: (i) => train[i]?.where ?? "",
      ...(held && { valid: records(held), whereValid: (i: number) => held[i]?.where ?? "" }),
    });
    const { model } = loaded;
    const { requires } = tuned.task.head;
    if (tuned.checkpoint === undefined)
      throw new ConfigError(
        `finetune: stopped after step ${tuned.result.steps}. ` +
          `${out === undefined ? "With out and resume it could go on." : "Go on with resume: true."}`,
      );
    if (!hasHead(model, requires)) throw new RangeError(`a model that was trained has the head ${requires}`);
    const made = await createTaskModel({
      task: tuned.task,
      model,
      weights: tuned.weights,
      tokenizer,
      padId: loaded.padId,
      maxLength: tuned.maxLength,
      backend,
    });
    return {
      ...closing(made, close),
      figures: tuned.figures,
      checkpoint: out === undefined ? undefined : tuned.checkpoint,
    };
  } catch (error) {
    await close();
    throw error;
  } finally {
    if (out === undefined) await rm(run, { recursive: true, force: true });
  }
}

export interface PipelineOptions<K extends TaskKind> {
  /** The kind of task that the folder must hold. It gives the answers their type. */
  readonly kind?: K;
  /** A started backend, or a name. Default "auto". */
  readonly backend?: Backend | BackendChoice;
  readonly tokensPerBatch?: number;
}

type ModelOf<T> = T extends Task<infer R, infer O> ? TaskModel<R, O> : never;

/**
 * A fine-tuned model from a folder or from the Hub, ready to predict.
 *
 * @example
 * const tagger = await taskPipeline("runs/ner", { kind: "token-classification" });
 * const [{ entities }] = await tagger.predict(["Ann lives in Rome."]);
 */
export async function taskPipeline<K extends TaskKind = TaskKind>(
  folder: string,
  { kind, backend: wanted = "auto", tokensPerBatch }: PipelineOptions<K> = {},
): Promise<ModelOf<TasksByKind[K]>> {
  const opened = await openTask(await checkpointNamed(folder, "taskPipeline", () => {}), () => {});
  const found = opened.task.kind;
  if (kind !== undefined && found !== kind)
    throw new ConfigError(
      `${folder}: expected a model for ${kind}, got one for ${found}. There are: ${TASK_KINDS.join(", ")}.`,
    );
  const { backend, close } = await running(wanted, () => {});
  try {
    const model = await startTask(opened, { backend, ...(tokensPerBatch !== undefined && { tokensPerBatch }) });
    return closing(model, close) as object as ModelOf<TasksByKind[K]>;
  } catch (error) {
    await close();
    throw error;
  }
}

async function checkpointNamed(name: string, where: string, note: (line: string) => void): Promise<string> {
  const { stdout, stderr, stdin, env } = process;
  const io: Io = { stdout, stderr, stdin, env, cwd: process.cwd(), outputClosed: () => false };
  const quiet = { update: () => {}, finish: () => {} };
  return resolve(
    await checkpointPath(name, { path: (given) => resolve(given), io, note, status: () => quiet }, { where }),
  );
}

async function recordsOf<R extends object, O extends object>(
  task: Task<R, O>,
  given: Examples<R>,
  options: ReadRecordsOptions,
): Promise<readonly Located<R>[]> {
  if (typeof given === "string") return loadRecords(task, [resolve(given)], options);
  const files = given.filter((each): each is string & R => typeof each === "string");
  if (files.length > 0)
    return loadRecords(
      task,
      files.map((file) => resolve(file)),
      options,
    );
  return (given as readonly R[]).map((record, i) => ({ record: task.record(record), where: `example ${i + 1}` }));
}

/** The backend, and a function that frees it. The function does nothing if the caller started the backend. */
async function running(
  wanted: Backend | BackendChoice,
  note: (line: string) => void,
): Promise<{ readonly backend: Backend; readonly close: () => Promise<void> }> {
  if (typeof wanted !== "string") return { backend: wanted, close: async () => {} };
  const { backend, place } = await chooseBackend(wanted);
  note(place);
  return { backend, close: () => backend.dispose() };
}

function closing<R extends object, O extends object>(
  model: TaskModel<R, O>,
  close: () => Promise<void>,
): TaskModel<R, O> {
  return {
    ...model,
    async dispose() {
      await model.dispose();
      await close();
    },
  };
}
