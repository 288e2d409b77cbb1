/**
 * A look at labelled records before they are learnt: what is there (classes with counts, entities, the range of
 * numbers), warnings that name a likely mistake, and errors where nothing else can be meant.
 */
import { examineAnswers, mistakeError } from "./examine-answers.ts";
import { mergedLabels, refuseSimilarLabels, type LabelCount, type SimilarLabels } from "./similar-labels.ts";
import type { Task } from "./task.ts";

export interface ExamineOptions<R extends object, O extends object> {
  readonly task: Task<R, O>;
  readonly train: readonly R[];
  readonly valid?: readonly R[] | undefined;
  /** The names of records in errors. */
  readonly whereTrain?: (record: number) => string;
  readonly whereValid?: (record: number) => string;
  /** Default "refuse". */
  readonly similarLabels?: SimilarLabels;
}

export interface Examined<R extends object, O extends object> {
  /** The task with its labels. */
  readonly task: Task<R, O>;
  readonly train: readonly R[];
  readonly valid: readonly R[] | undefined;
  /** What the records hold, a line each; warnings begin with "warning: ". */
  readonly notes: readonly string[];
}

/** Throws ConfigError for records that nobody can have meant. */
export function examine<R extends object, O extends object>({
  task: given,
  train: asRead,
  valid: validAsRead,
  whereTrain = (i) => `example ${i + 1}`,
  whereValid = (i) => `validation example ${i + 1}`,
  similarLabels = "refuse",
}: ExamineOptions<R, O>): Examined<R, O> {
  const place = (i: number): string => (i < asRead.length ? whereTrain(i) : whereValid(i - asRead.length));
  const { relabel } = given;
  let [train, valid] = [asRead, validAsRead];
  const notes: string[] = [];
  if (relabel !== undefined && similarLabels !== "keep") {
    const counts = countLabels([...train, ...(valid ?? [])], relabel);
    if (similarLabels === "refuse") refuseSimilarLabels(counts, place);
    const merged = mergedLabels(counts);
    if (merged.size > 0) {
      const rename = (label: string): string => merged.get(label) ?? label;
      train = train.map((record) => relabel(record, rename));
      valid = valid?.map((record) => relabel(record, rename));
      const changed = [...merged].filter(([from, to]) => from !== to);
      notes.push(`labels merged: ${changed.map(([from, to]) => `${JSON.stringify(from)} is ${to}`).join(", ")}`);
    }
  }
  const own = given.labels.length > 0;
  const look = examineAnswers(given as Task, train, place);
  for (const mistake of look.mistakes) {
    if (!(mistake.unless === "labels" && own)) throw mistakeError(given.kind, mistake);
    notes.push(`warning: ${mistake.message}`);
  }
  const task = given.fit(train, whereTrain);
  notes.push(...look.describe(task as Task, train, "train"));
  if (valid !== undefined) notes.push(...look.describe(task as Task, valid, "valid"));
  return { task, train, valid, notes: [...notes, ...look.warnings.map((warning) => `warning: ${warning}`)] };
}

function countLabels<R extends object>(
  records: readonly R[],
  relabel: (record: R, rename: (label: string) => string) => R,
): Map<string, LabelCount> {
  const counts = new Map<string, LabelCount>();
  for (const [first, record] of records.entries())
    relabel(record, (label) => {
      const known = counts.get(label);
      if (known === undefined) counts.set(label, { count: 1, first });
      else known.count++;
      return label;
    });
  return counts;
}
