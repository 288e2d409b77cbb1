/**
 * The saved form of a task beside a model: `task.json`, plain data. A checkpoint from elsewhere has no such file. Then
 * config.json has enough information: the class of the model, `problem_type`, `id2label`.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { multiLabel, type LabelledRecord, type LabelSet } from "./multi-label.ts";
import { multipleChoice, type Choice, type ChoiceRecord } from "./multiple-choice.ts";
import { questionAnswering, type Answer, type QuestionRecord } from "./question-answering.ts";
import { regression, type NumberPrediction, type ScoredRecord } from "./regression.ts";
import type { TagSchemeName } from "./tag-scheme.ts";
import { TASK_KINDS, type Task, type TaskKind, type TaskPart } from "./task.ts";
import { textClassification, type TextClass, type TextRecord } from "./text-classification.ts";
import { tokenClassification, type TaggedRecord, type Tagging } from "./token-classification.ts";

export const TASK_FILE = "task.json";

/** The options of all kinds of tasks. Each kind reads its own options. */
export interface AnyTaskOptions {
  readonly labels?: readonly string[];
  readonly classWeights?: Readonly<Record<string, number>> | "balanced";
  readonly threshold?: number;
  readonly noAnswer?: boolean;
  readonly stride?: number;
  readonly maxAnswer?: number;
  readonly scheme?: TagSchemeName;
}

/** The task type of each kind, with its records and answers. */
export interface TasksByKind {
  readonly "text-classification": Task<TextRecord, TextClass>;
  readonly "multi-label": Task<LabelledRecord, LabelSet>;
  readonly regression: Task<ScoredRecord, NumberPrediction>;
  readonly "token-classification": Task<TaggedRecord, Tagging>;
  readonly "question-answering": Task<QuestionRecord, Answer>;
  readonly "multiple-choice": Task<ChoiceRecord, Choice>;
}

const byClass = ({ classWeights, ...options }: AnyTaskOptions): Parameters<typeof multiLabel>[0] => {
  if (classWeights === "balanced")
    throw new ConfigError('classWeights: "balanced" is for text classification; give weights by label.');
  return { ...options, ...(classWeights && { classWeights }) };
};

const MAKERS: { readonly [K in TaskKind]: (options: AnyTaskOptions) => TasksByKind[K] } = {
  "text-classification": (options) => textClassification(options),
  "multi-label": (options) => multiLabel(byClass(options)),
  regression: () => regression(),
  "token-classification": (options) => tokenClassification(byClass(options)),
  "question-answering": (options) => questionAnswering(options),
  "multiple-choice": () => multipleChoice(),
};

/** Makes a task from the name of its kind. */
export function taskOf<K extends TaskKind>(kind: K, options: AnyTaskOptions = {}): TasksByKind[K] {
  return MAKERS[kind](options);
}

export interface SavedTask {
  readonly kind: TaskKind;
  readonly labels: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  /** Largest number of tokens in a row. */
  readonly maxLength: number;
}

export function taskText({ kind, labels, settings }: Task, maxLength: number): string {
  return `${JSON.stringify({ kind, labels, settings, maxLength } satisfies SavedTask, null, 2)}\n`;
}

/** Reads a text of `taskText`. Throws FormatError for any other text. */
export function parseTask(text: string, file: string): { readonly task: Task; readonly maxLength: number } {
  let json: Partial<SavedTask>;
  try {
    json = JSON.parse(text) as Partial<SavedTask>;
  } catch (cause) {
    throw new FormatError(file, "", "expected JSON. Was the file edited?", { cause });
  }
  const { kind, labels = [], settings = {}, maxLength } = json;
  const known = TASK_KINDS.find((each) => each === kind);
  if (known === undefined)
    throw new FormatError(file, "kind", `expected one of ${TASK_KINDS.join(", ")}, got ${JSON.stringify(kind)}.`);
  if (!(typeof maxLength === "number" && Number.isSafeInteger(maxLength) && maxLength > 0))
    throw new FormatError(file, "maxLength", `expected a whole number, got ${JSON.stringify(maxLength)}.`);
  return { task: taskOf(known, { ...settings, ...(labels.length > 0 && { labels }) }), maxLength };
}

const KIND_OF_PART: { readonly [P in TaskPart]: TaskKind } = {
  "sequence-classification": "text-classification",
  "token-classification": "token-classification",
  "question-answering": "question-answering",
  "multiple-choice": "multiple-choice",
};

/**
 * The task of a checkpoint without task.json, by the head that its config.json names. Undefined if config.json names no
 * head of a task.
 */
export function taskOfConfig(
  json: Readonly<Record<string, unknown>>,
  head: string | undefined,
  labels: readonly string[],
): Task | undefined {
  if (head === undefined || !Object.hasOwn(KIND_OF_PART, head)) return undefined;
  const part = head as TaskPart;
  const { problem_type: problem } = json;
  if (part !== "sequence-classification")
    return taskOf(KIND_OF_PART[part], part === "token-classification" ? { labels } : {});
  if (problem === "multi_label_classification") return taskOf("multi-label", { labels });
  return problem === "regression" || labels.length === 1
    ? taskOf("regression")
    : taskOf("text-classification", { labels });
}
