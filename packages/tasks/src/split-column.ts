/**
 * Columns of a table that say which rows train, validate and test, as tables of biology and combined data sets have:
 *
 *   set, split, partition        train, valid (or validation, val, dev), test
 *   validation, test, …          true or false; in FLIP `validation` marks rows of the set train
 *
 * Source: the tables of FLIP (Dallago et al. 2021), columns sequence, target, set, validation.
 */
import { ConfigError } from "@cloze/errors";
import { columnIn } from "./fields.ts";
import type { Located } from "./read-records.ts";
import type { Fields } from "./task.ts";

export type Part = "train" | "valid" | "test";
export type Parts<R> = Readonly<Record<Part, readonly Located<R>[]>>;

const NAMED = ["set", "split", "partition"];
const FLAGS: Readonly<Record<string, Part>> = {
  validation: "valid",
  is_validation: "valid",
  is_valid: "valid",
  valid: "valid",
  is_test: "test",
  test: "test",
};
const WORDS: Readonly<Record<string, Part>> = {
  train: "train",
  training: "train",
  valid: "valid",
  validation: "valid",
  val: "valid",
  dev: "valid",
  development: "valid",
  test: "test",
  testing: "test",
};
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  "1.0": true,
  yes: true,
  false: false,
  "0": false,
  "0.0": false,
  no: false,
  "": false,
  nan: false,
};

/** How rows are divided. */
export interface SplitColumns<R> {
  /** Names of the columns. */
  readonly columns: readonly string[];
  readonly parts: Parts<R>;
}

/**
 * The parts that the rows' own columns make of them; undefined if no column does. `wanted`: the name of the column,
 * or "none"; "auto", the default: a usual name.
 *
 * Throws: ConfigError for a row without a known part among rows that have one.
 */
export function splitByColumn<R>(
  records: readonly Located<R>[],
  wanted?: string | undefined,
): SplitColumns<R> | undefined {
  if (wanted === "none") return undefined;
  const column = wanted === "auto" ? undefined : wanted;
  const first = records[0]?.fields;
  if (first === undefined)
    return column === undefined ? undefined : refuse(column, "rows with columns", "other records");
  const named = column === undefined ? NAMED.flatMap((name) => columnIn(first, name) ?? []) : [columnIn(first, column)];
  if (column !== undefined && named[0] === undefined)
    return refuse(column, "that column", Object.keys(first).join(", "));
  const set = named.find(
    (name) => name !== undefined && records.some(({ fields }) => wordOf(fields, name) !== undefined),
  );
  const flags = Object.entries(FLAGS)
    .map(([name, part]) => [columnIn(first, name), part] as const)
    .filter(
      (flag): flag is readonly [string, Part] =>
        flag[0] !== undefined &&
        flag[0] !== set &&
        records.every(({ fields }) => flagOf(fields, flag[0] as string) !== undefined),
    );
  if (column !== undefined && set === undefined && !flags.some(([name]) => name === named[0]))
    return refuse(column, "train, valid and test in it", String(first[named[0] as string]));
  if (set === undefined && flags.length === 0) return undefined;
  const parts: Record<Part, Located<R>[]> = { train: [], valid: [], test: [] };
  for (const record of records) {
    const { fields, where } = record;
    const word = set === undefined ? "train" : wordOf(fields, set);
    if (word === undefined)
      throw new ConfigError(
        `${where}: expected train, valid or test in the column ${set}, got ` +
          `${JSON.stringify(fields?.[set as string])}. ` +
          "Correct it, or take all rows with --split-column none.",
      );
    const flag = flags.find(([name]) => flagOf(fields, name) === true);
    parts[flag !== undefined && word === "train" ? flag[1] : word].push(record);
  }
  return { columns: [...(set === undefined ? [] : [set]), ...flags.map(([name]) => name)], parts };
}

const textOf = (fields: Fields | undefined, name: string): string =>
  String(fields?.[name] ?? "")
    .trim()
    .toLowerCase();
const wordOf = (fields: Fields | undefined, name: string): Part | undefined => WORDS[textOf(fields, name)];
const flagOf = (fields: Fields | undefined, name: string): boolean | undefined => BOOLEANS[textOf(fields, name)];

function refuse(column: string, expected: string, got: string): never {
  throw new ConfigError(
    `--split-column ${column}: expected ${expected}, got ${got}. Leave the option out, or write none.`,
  );
}
