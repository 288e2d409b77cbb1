/**
 * Rows of a table with their columns named: by the caller, by a header, or in the order of the task's own columns. The
 * first rows are read before the decision, and each row is read once.
 */
import type { Row } from "@cloze/data";
import { ConfigError, FormatError } from "@cloze/errors";
import { columnIn, sameName } from "./fields.ts";
import { kindOfFirstRow, unquoted, type Cells } from "./table-header.ts";
import type { Fields, Task } from "./task.ts";

/** Names of the columns in order, or a map from our names to the file's. */
export type ColumnNames = readonly string[] | Readonly<Record<string, string>>;

export interface TableRowOptions {
  readonly task: Pick<Task, "columns" | "labels">;
  /** Name of the file. */
  readonly name: string;
  readonly labelled: boolean;
  readonly columns?: ColumnNames | undefined;
}

export interface NamedRow {
  readonly fields: Fields;
  readonly where: string;
}

/** Number of rows that are read for the decision. */
const SAMPLE = 1000;

interface Layout {
  readonly names: Cells;
  /** The first row, if it is a header. */
  readonly header?: Cells;
  /** Whether all cells have quotes around them, in a format without quotes. */
  readonly quoted: boolean;
}

/**
 * Names the cells of rows that were read without a header. Throws ConfigError if the first row may be a header or an
 * example, and FormatError for a header inside the table.
 */
export async function* namedRows(
  rows: AsyncIterable<readonly Row[]>,
  options: TableRowOptions,
): AsyncGenerator<NamedRow, void, undefined> {
  const waiting: Row[] = [];
  let layout: Layout | undefined;
  const take = function* (): Generator<NamedRow, void, undefined> {
    layout ??= layoutOf(waiting, options);
    for (const { values, place } of waiting.splice(0)) {
      const cells = Object.values(values) as string[];
      if (layout.header !== undefined && cells.every((cell, i) => cell === layout?.header?.[i])) {
        if (place !== headerPlace) refuseSecondHeader(options.name, place);
        continue;
      }
      const clean = layout.quoted ? cells.map(unquoted) : cells;
      const where = `${options.name}, line ${place}`;
      const fields = Object.fromEntries(layout.names.map((column, i) => [column, clean[i]]));
      yield { fields: withNames(fields, options.columns, where), where };
    }
  };
  let headerPlace: number | undefined;
  for await (const batch of rows) {
    headerPlace ??= batch[0]?.place;
    waiting.push(...batch);
    if (layout !== undefined || waiting.length >= SAMPLE) yield* take();
  }
  if (waiting.length > 0) yield* take();
}

/** The rows of a format that names its fields. `place` names a row in errors. */
export async function* objectRows(
  rows: AsyncIterable<readonly Row[]>,
  columns: ColumnNames | undefined,
  place: (row: number) => string,
): AsyncGenerator<NamedRow, void, undefined> {
  for await (const batch of rows)
    for (const { values, place: row } of batch)
      yield { fields: withNames(values, columns, place(row)), where: place(row) };
}

function refuseSecondHeader(name: string, place: number): never {
  throw new FormatError(
    name,
    `line ${place}`,
    "expected an example, got the header again. Was the file joined from several? Remove this line.",
  );
}

function layoutOf(rows: readonly Row[], options: TableRowOptions): Layout {
  const { task, name, labelled, columns } = options;
  const cells = rows.slice(0, SAMPLE).map(({ values }) => Object.values(values) as string[]);
  const [first = [], ...rest] = cells;
  const where = `${name}, line ${rows[0]?.place ?? 1}`;
  const quoted = first.length > 0 && first.every((cell) => /^".*"$/s.test(cell.trim()));
  const header = (): Layout => ({ names: headerNames(first, name, where), header: first, quoted });
  if (columns !== undefined && !isList(columns)) return header();
  const kind = kindOfFirstRow(first, rest, { labels: task.labels, labelled });
  if (columns === undefined && kind === "header") return header();
  const names = inOrder(first, columns, task.columns, where);
  if (columns !== undefined) {
    const isHeader = kind === "header" || columns.every((column, i) => sameName(column, unquoted(first[i] ?? "")));
    return { names, quoted, ...(isHeader && { header: first }) };
  }
  if (kind === "unknown") {
    const shown = names.map((ours, i) => `${ours}=${(first[i] as string).trim()}`).join(",");
    throw new ConfigError(
      `${where}: expected to know whether this row is a header, got ${JSON.stringify(first.join(" | "))}, which is ` +
        `unlike the rows below. If it is a header, write --columns ${quotedIfNeeded(shown)}; if it is an example, ` +
        `write --columns ${names.join(",")}.`,
    );
  }
  return { names, quoted };
}

const isList = (columns: ColumnNames): columns is readonly string[] => Array.isArray(columns);
const quotedIfNeeded = (text: string): string => (/[^\w=,.-]/.test(text) ? `'${text}'` : text);

/** The names of a header. A column without a name has its number. */
function headerNames(first: Cells, file: string, where: string): Cells {
  const names = first.map((cell, i) => unquoted(cell).trim() || String(i + 1));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new FormatError(
      file,
      where.slice(file.length + 2),
      `expected a header with each name once, got ${JSON.stringify(twice)} twice. If the first line is an example, ` +
        "name the columns in order: --columns text,label.",
    );
  return names;
}

/** The names in the order of the columns. Of a task's own columns, the pair and the label may be missing. */
function inOrder(first: Cells, given: Cells | undefined, own: Cells, where: string): Cells {
  const without = own.filter((column) => column !== "pair");
  const choices = given === undefined ? [own, without, without.slice(0, -1), own.slice(0, -1)] : [given];
  const chosen = choices.find((list) => list.length === first.length);
  if (chosen === undefined)
    throw new ConfigError(
      `${where}: expected columns ${(given ?? without).join(", ")}, got ${first.length} of them: ` +
        `${JSON.stringify(first.join(" | ").slice(0, 80))}. Name them with --columns, or put a header in the first ` +
        "line.",
    );
  return chosen;
}

/** The fields of a row, with the caller's columns added under our names. Throws ConfigError if a column is missing. */
function withNames(fields: Fields, columns: ColumnNames | undefined, where: string): Fields {
  if (columns === undefined || isList(columns)) return fields;
  const added = Object.entries(columns).map(([ours, theirs]) => {
    const found = columnIn(fields, theirs);
    if (found === undefined)
      throw new ConfigError(`${where}: expected a column "${theirs}", got ${Object.keys(fields).join(", ")}.`);
    return [ours, fields[found]];
  });
  return { ...fields, ...Object.fromEntries(added) };
}
