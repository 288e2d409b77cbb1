/** Checkpoints of tasks: the search for the folder, the task, and the opened model and tokenizer. */
import { readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Backend } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import { hasHead } from "@cloze/models/families";
import { createTaskModel, parseTask, TASK_FILE, taskOfConfig, type Task, type TaskModel } from "@cloze/tasks";
import type { Tokenizer } from "@cloze/tokenizer";
import { loadModel, type LoadedModel } from "./model-files.ts";
import { checkpointFolder } from "./run-folder.ts";
import { tokenizerBeside } from "./tokenizer-of-model.ts";

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

/**
 * The folder of a fine-tuned model: `model/` in a run folder, otherwise the folder that `checkpointFolder` finds.
 * Throws ConfigError for a run of several seeds.
 */
export async function taskFolder(folder: string): Promise<string> {
  if (await exists(join(folder, "model", TASK_FILE))) return join(folder, "model");
  const seeds = join(folder, "seed-0", "model");
  if (await exists(join(seeds, TASK_FILE)))
    throw new ConfigError(
      `${folder}: expected one model, got a run of several seeds. Name one of them, such as ` +
        `${relative(process.cwd(), join(folder, "seed-0"))}`,
    );
  return checkpointFolder(folder);
}

export interface OpenedTask {
  readonly dir: string;
  readonly task: Task;
  readonly loaded: LoadedModel;
  readonly tokenizer: Tokenizer;
  /** Most tokens in a row. */
  readonly maxLength: number;
}

/** Row length for a checkpoint of another library, which does not say the length of its training rows. */
const USUAL_LENGTH = 384;

/**
 * The task of a checkpoint folder, with its row length; undefined if the model has no task, as a masked language model.
 */
export async function findTask(
  dir: string,
  loaded: LoadedModel,
): Promise<Pick<OpenedTask, "task" | "maxLength"> | undefined> {
  const file = join(dir, TASK_FILE);
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    return undefined;
  });
  if (text !== undefined) return parseTask(text, file);
  const task = taskOfConfig(loaded.configJson, loaded.head, loaded.labels);
  return task && { task, maxLength: Math.min(USUAL_LENGTH, loaded.maxLength) };
}

/** Opens the model of a task. `note` gets faults that do not stop it. Throws ConfigError if the folder holds none. */
export async function openTask(folder: string, note: (line: string) => void): Promise<OpenedTask> {
  const dir = await taskFolder(folder);
  const loaded = await loadModel(dir);
  const found = await findTask(dir, loaded);
  if (found === undefined)
    throw new ConfigError(
      `${dir}: expected a model that was fine-tuned for a task, got ` +
        `${String((loaded.configJson["architectures"] as unknown[] | undefined)?.[0] ?? "an encoder")}. Make one ` +
        `with: cloze finetune --from ${folder}`,
    );
  return { dir, ...found, loaded, tokenizer: await tokenizerBeside(loaded, note) };
}

export interface TaskCompute {
  readonly backend: Backend;
  readonly tokensPerBatch?: number;
  readonly compute?: "f32" | "f16" | "bf16";
}

/** Uploads the weights to the backend. Throws ConfigError if the checkpoint lacks the head. */
export async function startTask(
  { dir, task, loaded, tokenizer, maxLength }: OpenedTask,
  compute: TaskCompute,
): Promise<TaskModel> {
  const { model, weights, padId, heads } = loaded;
  const { requires } = task.head;
  if (!hasHead(model, requires) || !heads.includes(requires))
    throw new ConfigError(
      `${dir}: expected the weights of a head for ${task.kind}, got none. Fine-tune it first: cloze finetune ` +
        `--task ${task.kind} --from ${dir}`,
    );
  return createTaskModel({ task, model, weights, tokenizer, padId, maxLength, ...compute });
}
