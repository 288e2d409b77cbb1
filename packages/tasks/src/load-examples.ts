/**
 * The labelled examples of a run: those to train on, to evaluate on, and to test on at the end. Without files of
 * their own, the last two come from a column of the training files that says so.
 */
import { refusePipesTwice } from "@cloze/data/node";
import { counted, integer } from "./examination.ts";
import { loadRecords, type Located, type ReadRecordsOptions } from "./read-records.ts";
import { splitByColumn } from "./split-column.ts";
import type { Task } from "./task.ts";

export interface LoadExamplesOptions extends Omit<ReadRecordsOptions, "labelled"> {
  readonly data: readonly string[];
  readonly valid?: readonly string[] | undefined;
  /** The column with the parts; "none": no column divides the rows. Default "auto": set, split, validation, …. */
  readonly splitColumn?: string | undefined;
}

export interface LoadedExamples<R> {
  readonly train: readonly Located<R>[];
  readonly valid: readonly Located<R>[] | undefined;
  readonly test: readonly Located<R>[] | undefined;
}

/** Reads the files. `onNote` is told how rows were divided, and which were left out. */
export async function loadExamples<R extends object, O extends object>(
  task: Task<R, O>,
  { data, valid: validNames = [], splitColumn, ...reading }: LoadExamplesOptions,
): Promise<LoadedExamples<R>> {
  const read = { ...reading, labelled: true };
  const note = reading.onNote ?? (() => {});
  await refusePipesTwice([...data, ...validNames]);
  const all = await loadRecords(task, data, read);
  const split = splitByColumn(all, splitColumn);
  const valid = validNames.length === 0 ? undefined : await loadRecords(task, validNames, read);
  if (split === undefined) return { train: all, valid, test: undefined };
  const { columns, parts } = split;
  const by = `by the column${columns.length > 1 ? "s" : ""} ${columns.join(" and ")}`;
  const amounts = (["train", "valid", "test"] as const)
    .map((part) => `${part} ${integer(parts[part].length)}`)
    .join(", ");
  if (valid === undefined) {
    note(`split ${by}: ${amounts} (--split-column none takes all rows to train on)`);
    return { train: parts.train, valid: filled(parts.valid), test: filled(parts.test) };
  }
  const left = all.length - parts.train.length;
  if (left > 0)
    note(
      `split ${by}: ${amounts}; with --valid the ${counted(left, "example")} not marked train are left out ` +
        "(--split-column none takes all rows to train on)",
    );
  const held = splitByColumn(valid, splitColumn);
  const part = held && (["valid", "test"] as const).find((name) => held.parts[name].length > 0);
  if (held === undefined || part === undefined) return { train: parts.train, valid, test: undefined };
  note(`--valid: ${counted(held.parts[part].length, "example")} marked ${part} ${by}`);
  return { train: parts.train, valid: held.parts[part], test: undefined };
}

const filled = <T>(all: readonly T[]): readonly T[] | undefined => (all.length > 0 ? all : undefined);
