/**
 * Fine-tuning: a run of the trainer from a loaded encoder, a task and records. It is a run like any other (exact
 * resume, logs, precision), with a number of epochs, layer-wise learning rates, frozen layers, and the best checkpoint
 * by a figure of the task.
 *
 * Besides the usual files, the run folder holds `model/`: the best checkpoint without the files for resuming. Its
 * config.json names the class of transformers, the labels and the problem type; `task.json` holds the rest.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Backend } from "@cloze/backend";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { sameShape, type HostTensor, type HostTensors } from "@cloze/graph";
import { hasHead, headParameters, type OpenedModel } from "@cloze/models/families";
import { initialValue, type Parameter } from "@cloze/nn";
import type { AnyModel } from "@cloze/objective";
import { adamw, layerGroups } from "@cloze/optim";
import { schedule, type ScheduleName } from "@cloze/schedule";
import type { Tokenizer } from "@cloze/tokenizer";
import {
  loadTrainerState,
  loadWeights,
  newestCheckpoint,
  saveCheckpoint,
  train,
  type ModelSource,
  type TrainEvent,
  type TrainOptions,
  type TrainResult,
} from "@cloze/trainer";
import { encodeLabelled, type LabelledExamples } from "./encode-examples.ts";
import { examine } from "./examine.ts";
import { rowBatches } from "./row-batches.ts";
import { cutNote, fittingLength, rowCutOf, usualLength } from "./row-lengths.ts";
import type { SimilarLabels } from "./similar-labels.ts";
import { parseTask, TASK_FILE, taskOf, taskText } from "./saved-task.ts";
import type { Task } from "./task.ts";
import { TaskEvaluation, type TaskFigures } from "./task-evaluation.ts";
import { taskObjective } from "./task-objective.ts";

/** The settings of a fine-tuning run. All have defaults that suit most runs. */
export interface FineTuneSettings {
  /** Default 3. */
  readonly epochs?: number;
  /** Number of examples in a step. Default 16. */
  readonly batch?: number;
  /** Number of parts in which a step is computed. Default 1. */
  readonly accumulate?: number;
  /** Peak learning rate. Default 5e-5. */
  readonly lr?: number;
  /** Default "linear". */
  readonly schedule?: ScheduleName;
  /** Warmup as a fraction of the steps, or as a number of steps. Default 0.1. */
  readonly warmup?: number;
  /** Default 0.01. */
  readonly weightDecay?: number;
  /** Learning rate of a layer as a fraction of the rate of the next layer above. Default 1. */
  readonly layerDecay?: number;
  /** Freezes the embeddings and this number of layers. Default: nothing is frozen. */
  readonly freeze?: number;
  /** Largest norm of the gradient; 0: no limit. Default 1. */
  readonly clip?: number;
  /**
   * Largest number of tokens in a row. Default: 384 for questions, otherwise 128; more where this would cut many
   * examples (row-lengths.ts). Never more than the model's limit.
   */
  readonly maxLength?: number;
  /** Steps between evaluations. Default: an epoch. */
  readonly evalEvery?: number;
  /** The run ends after this number of evaluations without a better one. Default: no early end. */
  readonly patience?: number;
  /** The figure that selects the best checkpoint. Default: the task's. */
  readonly metric?: { readonly metric: string; readonly better: "higher" | "lower" };
  readonly seed?: number;
  readonly compute?: "f32" | "f16" | "bf16";
  /** Labels that differ only by blanks, upper case or the writing of a number. Default "refuse". */
  readonly similarLabels?: SimilarLabels;
}

export interface FineTuneOptions<R extends object, O extends object> extends FineTuneSettings {
  readonly task: Task<R, O>;
  /**
   * The model and, in `weights`, the tensors of its checkpoint. A head that is missing or has another shape gets new
   * initial values.
   */
  readonly opened: OpenedModel;
  readonly weights: HostTensors;
  /** Name of the model, for logs. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly backend: Backend;
  readonly train: readonly R[];
  /** Validation records. Without them there is no evaluation, and the last checkpoint is the result. */
  readonly valid?: readonly R[] | undefined;
  /** The names of records in errors. */
  readonly whereTrain?: (record: number) => string;
  readonly whereValid?: (record: number) => string;
  /** The run folder. */
  readonly run: string;
  /** Resumes from the newest checkpoint of the run folder, if there is one. */
  readonly resume?: boolean;
  /** Further values of the first row of the log. */
  readonly remark?: TrainOptions["remark"];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
  readonly onNote?: (line: string) => void;
  /** Told what the records hold before training: classes with counts, and warnings of likely mistakes. */
  readonly onData?: (line: string) => void;
}

export interface FineTuned<R extends object = object, O extends object = object> {
  /** The task with its labels. */
  readonly task: Task<R, O>;
  readonly result: TrainResult<TaskFigures>;
  /** Figures of the best checkpoint; undefined without validation data. */
  readonly figures: TaskFigures | undefined;
  /** The folder of the result; undefined if the run was interrupted. */
  readonly checkpoint: string | undefined;
  readonly weights: HostTensors;
  readonly maxLength: number;
}

/** Fine-tunes a model. Throws UnsupportedError if the model has no head for the task. */
export async function fineTune<R extends object, O extends object>(
  options: FineTuneOptions<R, O>,
): Promise<FineTuned<R, O>> {
  const {
    opened,
    tokenizer,
    backend,
    run,
    name,
    seed = 0,
    epochs = 3,
    batch = 16,
    accumulate = 1,
    compute = "f32",
    onNote,
  } = options;
  if (options.train.length === 0) throw new ConfigError("fine-tuning: expected training examples, got none.");
  if (options.valid === undefined && (options.patience !== undefined || options.metric !== undefined))
    throw new ConfigError(
      `fine-tuning: expected validation data for ${options.patience !== undefined ? "patience" : "a metric"}, ` +
        "got none. Give some, or leave it out.",
    );
  if (batch % accumulate !== 0)
    throw new ConfigError(`fine-tuning: expected a batch that ${accumulate} parts divide, got ${batch}.`);
  const {
    task,
    train: trainRecords,
    valid,
    notes,
  } = examine({
    task: options.task,
    train: options.train,
    valid: options.valid,
    ...(options.whereTrain && { whereTrain: options.whereTrain }),
    ...(options.whereValid && { whereValid: options.whereValid }),
    ...(options.similarLabels && { similarLabels: options.similarLabels }),
  });
  for (const line of notes) options.onData?.(line);
  const { head, labels, problemType } = task;
  const { model } = opened;
  if (!hasHead(model, head.requires))
    throw new UnsupportedError(
      `${name}: expected a model with a head for ${task.kind}, got one of the family "${opened.family}", which ` +
        `has ${Object.keys(opened.architectures).join(", ")}.`,
    );
  const source: ModelSource<AnyModel> = {
    name,
    model,
    buffers: opened.buffers,
    maxLength: opened.maxLength,
    extraParameters: opened.extraParameters,
    configText: opened.configText({
      head: head.requires,
      ...(labels.length > 0 && { labels }),
      ...(problemType && { problemType }),
    }),
  };
  const parameters: ReadonlyMap<string, Parameter> = new Map([
    ...headParameters(model, head.requires, head.width, name),
    ...opened.extraParameters,
  ]);
  const last = options.resume === true ? await newestCheckpoint(run) : undefined;
  const weights =
    last === undefined
      ? startingWeights(parameters, options.weights, seed, onNote)
      : await loadWeights(last, parameters, Object.keys(opened.buffers));
  const { examples, maxLength } = encodeTraining(task, trainRecords, {
    ...options,
    ...(last !== undefined && options.maxLength === undefined && { maxLength: await savedLength(last) }),
  });
  const batches = rowBatches(examples.rows, examples.groups, {
    seed,
    groupsPerBatch: batch / accumulate,
    padId: opened.padId,
  });
  const stepsPerEpoch = Math.ceil(batches.batchesPerEpoch / accumulate);
  const steps = Math.max(1, Math.round(epochs * stepsPerEpoch));
  const evalEvery = options.evalEvery ?? stepsPerEpoch;
  const evaluator =
    valid &&
    new TaskEvaluation(task, valid, {
      backend,
      model,
      tokenizer,
      padId: opened.padId,
      maxLength,
      compute,
      where: options.whereValid ?? ((i) => `validation example ${i + 1}`),
    });
  const { records: cutRecords, tokens: cutTokens } = evaluator?.cut ?? { records: 0, tokens: 0 };
  if (cutRecords > 0)
    onNote?.(
      `valid: ${cutRecords} of ${valid?.length} examples are cut to ${maxLength} tokens, ${cutTokens} are not read.`,
    );
  if (options.metric !== undefined && valid !== undefined)
    checkMetric(options.metric.metric, task, tokenizer, valid, maxLength);
  const tokenizerFiles = { ...tokenizer.files(), [TASK_FILE]: taskText(task as Task, maxLength) };
  try {
    const result = await train<TaskFigures>({
      backend,
      source,
      weights,
      tokenizerFiles,
      batches,
      accumulate,
      compute,
      seed,
      run,
      until: { steps },
      objective: taskObjective(task as Task, examples.targets),
      optimizer: adamw({
        groups: layerGroups(parameters.values(), {
          weightDecay: options.weightDecay ?? 0.01,
          lrDecay: options.layerDecay ?? 1,
          ...(options.freeze !== undefined && { freeze: options.freeze }),
        }),
      }),
      clip: options.clip === 0 ? undefined : (options.clip ?? 1),
      lr: options.lr ?? 5e-5,
      schedule: schedule(options.schedule ?? "linear", { warmup: options.warmup ?? 0.1 }),
      evalEvery,
      saveEvery: evalEvery,
      keep: 1,
      ...(options.signal && { signal: options.signal }),
      ...(options.remark && { remark: options.remark }),
      ...(options.onEvent && { onEvent: options.onEvent }),
      ...(evaluator && {
        evaluator,
        best: {
          ...(options.metric ?? task.best),
          ...(options.patience !== undefined && { patience: options.patience }),
        },
      }),
      ...(last === undefined
        ? { restart: options.resume === true }
        : { resume: { ...(await loadTrainerState(last)), dir: last } }),
    });
    const best = result.best?.checkpoint ?? result.checkpoint;
    const chosen = await loadWeights(best, parameters, Object.keys(opened.buffers));
    if (result.interrupted)
      return { task, result, figures: undefined, checkpoint: undefined, weights: chosen, maxLength };
    const figures = evaluator && (await figuresOf(backend, evaluator, chosen));
    const settled = withThreshold(task, figures);
    const checkpoint = join(run, "model");
    await saveCheckpoint(checkpoint, {
      source,
      weights: chosen,
      tokenizerFiles: { ...tokenizerFiles, [TASK_FILE]: taskText(settled as Task, maxLength) },
    });
    return { task: settled, result, figures, checkpoint, weights: chosen, maxLength };
  } finally {
    await evaluator?.dispose();
  }
}

/** The row length of a checkpoint, which a resumed run keeps. */
async function savedLength(checkpoint: string): Promise<number> {
  const file = join(checkpoint, TASK_FILE);
  return parseTask(await readFile(file, "utf8"), file).maxLength;
}

/** The training records as rows, with the limit of the options or one that fits. */
function encodeTraining<R extends object, O extends object>(
  task: Task<R, O>,
  records: readonly R[],
  { tokenizer, opened, maxLength: given, onNote, whereTrain = (i) => `example ${i + 1}` }: FineTuneOptions<R, O>,
): { readonly examples: LabelledExamples; readonly maxLength: number } {
  const encode = (maxLength: number): LabelledExamples =>
    encodeLabelled(task, tokenizer, records, { maxLength }, whereTrain);
  const first = Math.min(given ?? usualLength(task.kind), opened.maxLength);
  const usual = encode(first);
  const { maxLength, reason } =
    given === undefined ? fittingLength(usual, first, opened.maxLength) : { maxLength: first, reason: undefined };
  const examples = maxLength === first ? usual : encode(maxLength);
  if (reason !== undefined) onNote?.(reason);
  const cut = cutNote(rowCutOf(examples.rows), maxLength);
  if (cut !== undefined) onNote?.(maxLength < opened.maxLength ? `${cut} A larger maxLength reads more of them.` : cut);
  return { examples, maxLength };
}

/**
 * Checks the name of the metric before training starts. A score of a dummy answer gives the names of the task's
 * figures. Throws ConfigError for an unknown name.
 */
function checkMetric<R extends object, O extends object>(
  metric: string,
  task: Task<R, O>,
  tokenizer: Tokenizer,
  valid: readonly R[],
  maxLength: number,
): void {
  const record = valid[0] as R;
  const rows = task.encode(tokenizer, record, { maxLength });
  const { width, perToken } = task.head;
  const output = task.decode(
    record,
    rows,
    rows.map(({ ids }) => new Float32Array(width * (perToken ? ids.length : 1))),
  );
  const names = ["loss", ...Object.keys(task.score([record], [output]))];
  if (!names.includes(metric))
    throw new ConfigError(
      `fine-tuning: expected a figure of ${task.kind} (${names.join(", ")}) to choose the best checkpoint by, ` +
        `got "${metric}".`,
    );
}

async function figuresOf<R extends object, O extends object>(
  backend: Backend,
  evaluator: TaskEvaluation<R, O>,
  weights: HostTensors,
): Promise<TaskFigures> {
  const session = await backend.start(weights);
  try {
    return await evaluator.run(session);
  } finally {
    await session.dispose();
  }
}

/** For questions that may have no answer: the task with the threshold that was best on the validation data. */
function withThreshold<R extends object, O extends object>(
  task: Task<R, O>,
  figures: TaskFigures | undefined,
): Task<R, O> {
  const threshold = figures?.["bestF1Threshold"];
  if (task.kind !== "question-answering" || threshold === undefined) return task;
  return taskOf(task.kind, { ...task.settings, threshold }) as object as Task<R, O>;
}

/**
 * The weights of the checkpoint. A parameter that the checkpoint lacks, or holds in another shape, gets its initial
 * value.
 */
function startingWeights(
  parameters: ReadonlyMap<string, Parameter>,
  given: HostTensors,
  seed: number,
  note?: (line: string) => void,
): HostTensors {
  const fresh: string[] = [];
  const weights: Record<string, HostTensor> = {};
  for (const [name, parameter] of parameters) {
    const known = given[name];
    if (known !== undefined && sameShape(known.shape, parameter.shape)) weights[name] = known;
    else {
      weights[name] = initialValue(name, parameter, seed);
      fresh.push(name);
    }
  }
  if (fresh.length > 0)
    note?.(
      "new, not from the checkpoint: " +
        `${fresh.length > 6 ? `${fresh.slice(0, 6).join(", ")} and ${fresh.length - 6} more` : fresh.join(", ")}`,
    );
  return weights;
}
