/**
 * The reader of task records from files: TSV, CSV, JSONL and Parquet with one record per row, CoNLL for tagging, the
 * JSON of SQuAD for questions.
 *
 * A table has a header if its first line contains a column name that tasks know (text, sentence, label, …), in upper or
 * lower case. Without a header, the columns are those of the task: text and label, or text, pair and label if there are
 * three; a first line that may be a header is an error. In TSV a quote is an ordinary character, as in the files of
 * GLUE, unless every cell of the first line has quotes.
 */
import { CsvParser, type Row } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import {
  STDIN_NAME,
  decodeText,
  formatOfName,
  inputOf,
  readChunks,
  readRows,
  refusePipesTwice,
  resolveSources,
  type DataFormat,
  type DataSource,
} from "@cloze/data/node";
import { holdsSentences, parseConll } from "./conll.ts";
import { parseSquad } from "./squad.ts";
import { columnAmong, isField } from "./fields.ts";
import { namedRows, objectRows, type ColumnNames } from "./table-rows.ts";
import type { Fields, Task } from "./task.ts";

/** A record and its place in the file: `train.tsv, line 7`. */
export interface Located<R> {
  readonly record: R;
  readonly where: string;
  /** The fields of the row, for a file of rows. */
  readonly fields?: Fields;
}

export interface ReadRecordsOptions {
  /** False if labels may be missing, for predictions. */
  readonly labelled: boolean;
  /** The column names of a file without a header, in order; or a map from our names to the file's column names. */
  readonly columns?: ColumnNames;
  /** Default: from the file name's ending. */
  readonly format?: DataFormat;
  /** Standard input, which the name "-" stands for. Its format is JSONL by default. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Rows without a label: an error (default), or left out and told to `onNote`. NaN and NA are none. */
  readonly unlabelled?: "refuse" | "skip";
  readonly onNote?: (line: string) => void;
}

/**
 * The records of one file or one data set of the Hub, as a stream. Throws ConfigError or FormatError, with the line,
 * for a row that is no record of the task.
 */
export async function* readRecords<R extends object, O extends object>(
  task: Task<R, O>,
  name: string,
  options: ReadRecordsOptions,
): AsyncGenerator<Located<R>, void, undefined> {
  let count = 0;
  let skipped = 0;
  const skip = (): void => void skipped++;
  for await (const each of recordsOf(task, name, options, skip)) {
    if (count++ === 0) noteColumns(task, name, each.fields, options);
    yield each;
  }
  if (skipped > 0)
    options.onNote?.(
      `${shownName(name, options.stdin)}: ${skipped} of ${count + skipped} rows without a label are left out`,
    );
  if (count === 0)
    throw new ConfigError(
      `${shownName(name, options.stdin)}: expected records, got ` +
        `${skipped > 0 ? "none with a label" : "an empty file"}.`,
    );
}

/** All records of several files. */
export async function loadRecords<R extends object, O extends object>(
  task: Task<R, O>,
  names: readonly string[],
  options: ReadRecordsOptions,
): Promise<readonly Located<R>[]> {
  const all: Located<R>[] = [];
  await refusePipesTwice(names);
  for (const name of names) for await (const each of readRecords(task, name, options)) all.push(each);
  return all;
}

async function* recordsOf<R extends object, O extends object>(
  task: Task<R, O>,
  name: string,
  { labelled, columns, format, unlabelled, stdin }: ReadRecordsOptions,
  skip: () => void,
): AsyncGenerator<Located<R>, void, undefined> {
  const bare = name.toLowerCase().replace(/\.gz$/, "");
  const isStdin = name === STDIN_NAME && stdin !== undefined;
  const shown = shownName(name, stdin);
  const kind = format ?? formatOfName(name) ?? (isStdin ? "jsonl" : undefined);
  const resolved = (as: DataFormat | undefined): Promise<readonly DataSource[]> =>
    resolveSources([name], { ...(as === undefined ? {} : { format: as }), ...(stdin === undefined ? {} : { stdin }) });
  if (task.kind === "question-answering" && bare.endsWith(".json")) {
    for (const record of parseSquad(await textOf(await resolved("text")), shown))
      yield { record: record as object as R, where: `${shown}, question ${record.id ?? ""}` };
    return;
  }
  let held: string | undefined;
  if (task.kind === "token-classification" && (kind === undefined || kind === "text" || kind === "tsv")) {
    const text = await textOf(await resolved("text"));
    if (kind !== "tsv" || !holdsSentences(text)) {
      const named =
        columns === undefined || Array.isArray(columns) ? {} : (columns as Readonly<Record<string, string>>);
      for (const { line, words, tags } of parseConll(text, shown, named))
        yield { record: { words, tags } as object as R, where: `${shown}, line ${line}` };
      return;
    }
    held = text;
  }
  for (const source of await resolved(kind)) {
    const unit = source.format === "parquet" ? "row" : "line";
    const rows =
      held !== undefined
        ? tabRows(held, shown)
        : readRows(source, { header: !isTable(source), quotes: source.format !== "tsv" });
    const named = isTable(source)
      ? namedRows(rows, { task, name: shown, labelled, columns })
      : objectRows(rows, columns, (place) => `${shown}, ${unit} ${place}`);
    for await (const { fields, where } of named) {
      if (unlabelled === "skip" && lacksLabel(task, fields)) skip();
      else yield { record: task.read(fields, where, labelled), where, fields };
    }
  }
}

/**
 * Whether the cell of the label is there and holds nothing. An empty cell of several labels says that none is right.
 */
function lacksLabel({ kind, columns }: Pick<Task<never, never>, "kind" | "columns">, fields: Fields): boolean {
  const name = columns.at(-1) === "tags" ? "tags" : columns.at(-1)?.startsWith("label") ? "label" : undefined;
  const column = name && Object.keys(fields)[columnAmong(Object.keys(fields), name)];
  if (column === undefined) return false;
  const text = fields[column] === null ? "null" : String(fields[column]).trim();
  return text === "" ? kind !== "multi-label" : /^(nan|na|n\/a|#n\/a|<na>|null)$/i.test(text);
}

/** Says which columns are read, where a file has others too. */
function noteColumns(
  { columns: own }: Pick<Task<never, never>, "columns">,
  name: string,
  fields: Fields | undefined,
  { onNote, columns, stdin }: ReadRecordsOptions,
): void {
  if (fields === undefined || onNote === undefined || columns !== undefined) return;
  const all = Object.keys(fields);
  const read = own.flatMap((ours) => {
    const at = isField(ours)
      ? columnAmong(all, ours)
      : ours === "labels"
        ? columnAmong(all, "label")
        : all.indexOf(ours);
    return at < 0 ? [] : [{ ours, theirs: all[at] as string }];
  });
  const unread = all.filter((column) => !read.some(({ theirs }) => theirs === column));
  if (read.length === 0 || (unread.length === 0 && read.every(({ ours, theirs }) => ours === theirs))) return;
  const shown = read.map(({ ours, theirs }) => (ours === theirs ? ours : `${ours} is ${theirs}`)).join(", ");
  const others = [...unread.slice(0, 8), ...(unread.length > 8 ? ["…"] : [])];
  onNote(`${shownName(name, stdin)}: ${shown}${others.length > 0 ? `; not read: ${others.join(", ")}` : ""}`);
}

const isTable = ({ format }: DataSource): boolean => format === "csv" || format === "tsv";

/** The rows of a TSV that was read already. */
async function* tabRows(text: string, file: string): AsyncGenerator<readonly Row[], void, undefined> {
  const parser = new CsvParser({ file, delimiter: "\t", header: false, quotes: false });
  yield parser.push(new TextEncoder().encode(text));
  yield parser.finish();
}

const shownName = (name: string, stdin: ReadRecordsOptions["stdin"]): string =>
  name === STDIN_NAME && stdin !== undefined ? "standard input" : name;

/** The whole text of a source, every line end "\n". */
async function textOf([source]: readonly DataSource[]): Promise<string> {
  const chunks: Uint8Array[] = [];
  if (source !== undefined) for await (const chunk of readChunks(inputOf(source))) chunks.push(new Uint8Array(chunk));
  return decodeText(Buffer.concat(chunks), source?.name ?? "");
}
