/**
 * The decision whether the first row of a table is a header.
 *
 *   a header     one of its cells is a name that tasks know, and all cells can be names
 *   an example   no cell is a known name, and nothing tells the row from the others
 *   unknown      no cell is a known name, but the row is unlike the others: its label occurs nowhere else, or all other
 *                labels are numbers, or all other texts have several words. The caller must then name the columns
 */
import { ALIASES, columnAmong, type FieldName } from "./fields.ts";

export type Cells = readonly string[];
export type FirstRow = "header" | "example" | "unknown";

/** Most characters and words of a name. */
const LONGEST_NAME = 64;
const MOST_WORDS = 5;
/** Fewest further rows for evidence that is not certain. */
const ENOUGH = 4;

/** A cell without the quotes around it. */
export const unquoted = (cell: string): string =>
  /^".*"$/s.test(cell.trim()) ? cell.trim().slice(1, -1).replaceAll('""', '"') : cell;

/**
 * `rest`: the rows after the first, or a sample of them. `labels`: the known labels; empty if they are not known.
 * `labelled`: whether the last column is a label.
 */
export function kindOfFirstRow(
  first: Cells,
  rest: readonly Cells[],
  { labels, labelled }: { readonly labels: Cells; readonly labelled: boolean },
): FirstRow {
  const cells = first.map((cell) => unquoted(cell).trim());
  if (!cells.every((cell) => cell === "" || isNameLike(cell))) return "example";
  const known = (Object.keys(ALIASES) as FieldName[]).map((name) => columnAmong(cells, name)).filter((at) => at >= 0);
  const others = rest.filter((row) => row.some((cell, i) => cell !== first[i]));
  const recurs = known.some((at) => others.some((row) => row[at] === first[at]));
  if (known.length > 0 && !recurs) return "header";
  if (new Set(cells).size < cells.length || cells.includes("") || others.length === 0) return "example";
  const label = labelled && cells.length > 1 ? cells.length - 1 : -1;
  if (label >= 0 && labels.includes(first[label] as string)) return "example";
  return cells.some((_, at) => differs(first, others, at, at === label)) ? "unknown" : "example";
}

/** Whether the cell of the first row is unlike the cells of all other rows in its column. */
function differs(first: Cells, rest: readonly Cells[], at: number, isLabel: boolean): boolean {
  const column = rest.map((row) => row[at] ?? "");
  if (column.every(isNumber)) return true;
  if (rest.length < ENOUGH) return false;
  const cell = first[at] as string;
  const isWord = wordsIn(cell) === 1;
  if (isLabel) return !column.includes(cell) && 2 * new Set(column).size <= column.length;
  return (isWord && column.every((each) => wordsIn(each) > 1)) || (isSequence(column) && !isSequence([cell]));
}

const wordsIn = (cell: string): number => cell.trim().split(/\s+/).length;
const isNumber = (cell: string): boolean => cell.trim() !== "" && Number.isFinite(Number(cell));
const isSequence = (column: Cells): boolean => column.every((cell) => /^[A-Z*-]{10,}$/.test(cell.trim()));

const isNameLike = (cell: string): boolean =>
  cell.length <= LONGEST_NAME && wordsIn(cell) <= MOST_WORDS && !isNumber(cell) && !/[.!?]$/.test(cell);
