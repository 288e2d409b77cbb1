/** The parts of a look at records (examine.ts): what it finds, and how counts are shown. */
import type { Task } from "./task.ts";

export type Place = (record: number) => string;

/** A mistake stops the run. `unless: "labels"`: it is only a warning if the caller named the labels. */
export interface Mistake {
  readonly message: string;
  readonly unless?: "labels";
}

export interface Look {
  readonly mistakes: readonly Mistake[];
  readonly warnings: readonly string[];
  /** Lines about records of one part; `task` has its labels. */
  describe(task: Task, records: readonly object[], part: string): readonly string[];
}

export type Examiner<R> = (records: readonly R[], place: Place) => Look;

export const integer = (value: number): string => value.toLocaleString("en-US");
export const counted = (value: number, noun: string): string => `${integer(value)} ${noun}${value === 1 ? "" : "s"}`;

export function countsOf(values: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** `0 24, 1 12`, in the order of the labels; of many labels, the most frequent ones. */
export function shownCounts(counts: ReadonlyMap<string, number>, labels: readonly string[]): string {
  const known = [...labels, ...[...counts.keys()].filter((label) => !labels.includes(label))];
  const all = known.map((label) => [label, counts.get(label) ?? 0] as const);
  const most = all.length > 20 ? all.toSorted(([, a], [, b]) => b - a).slice(0, 12) : all;
  const rest = all.length - most.length;
  const shown = most.map(([label, count]) => `${label} ${integer(count)}`).join(", ");
  return rest > 0
    ? `${shown} and ${rest} more with ${all.toSorted(([, a], [, b]) => a - b)[0]?.[1]} or more each`
    : shown;
}
