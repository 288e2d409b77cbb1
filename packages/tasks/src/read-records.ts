/**
 * The reader of task records from files: TSV, CSV, JSONL and Parquet with one record per row, CoNLL for tagging, the
 * JSON of SQuAD for questions.
 *
 * A table has a header if its first line contains a column name that tasks know (text, sentence, label, …). Without a
 * header, the columns are those of the task: text and label, or text, pair and label if there are three. In TSV a quote
 * is an ordinary character, as in the files of GLUE.
 */
import { ConfigError } from "@cloze/errors";
import {
  STDIN_NAME,
  decodeText,
  formatOfName,
  headOf,
  inputOf,
  readChunks,
  readRows,
  refusePipesTwice,
  resolveSources,
  type DataFormat,
  type DataSource,
} from "@cloze/data/node";
import { parseConll } from "./conll.ts";
import { ALIASES } from "./fields.ts";
import { parseSquad } from "./squad.ts";
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
  readonly columns?: readonly string[] | Readonly<Record<string, string>>;
  /** Default: from the file name's ending. */
  readonly format?: DataFormat;
  /** Standard input, which the name "-" stands for. Its format is JSONL by default. */
  readonly stdin?: AsyncIterable<Uint8Array>;
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
  for await (const each of recordsOf(task, name, options)) {
    count++;
    yield each;
  }
  if (count === 0) throw new ConfigError(`${shownName(name, options.stdin)}: expected records, got an empty file.`);
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
  { labelled, columns, format, stdin }: ReadRecordsOptions,
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
  if (task.kind === "token-classification" && (kind === undefined || kind === "text" || kind === "tsv")) {
    for (const { line, words, tags } of parseConll(await textOf(await resolved("text")), shown))
      yield { record: { words, tags } as object as R, where: `${shown}, line ${line}` };
    return;
  }
  for (const source of await resolved(kind)) {
    const names = Array.isArray(columns) ? (columns as readonly string[]) : undefined;
    const renamed = names === undefined ? Object.entries((columns ?? {}) as Readonly<Record<string, string>>) : [];
    const header = names === undefined && (!isTable(source) || renamed.length > 0 || (await hasHeader(source)));
    const unit = source.format === "parquet" ? "row" : "line";
    for await (const rows of readRows(source, { header, quotes: source.format !== "tsv" })) {
      for (const { values, place } of rows) {
        const where = `${shown}, ${unit} ${place}`;
        const fields =
          isTable(source) && !header
            ? named(values, names ?? task.columns, names !== undefined, where)
            : withNames(values, renamed, where);
        yield { record: task.read(fields, where, labelled), where, fields };
      }
    }
  }
}

const shownName = (name: string, stdin: ReadRecordsOptions["stdin"]): string =>
  name === STDIN_NAME && stdin !== undefined ? "standard input" : name;

/** Without a byte-order mark. */
const TEXT = new TextDecoder();

const isTable = ({ format }: DataSource): boolean => format === "csv" || format === "tsv";

/** The whole text of a source, every line end "\n". */
async function textOf([source]: readonly DataSource[]): Promise<string> {
  const chunks: Uint8Array[] = [];
  if (source !== undefined) for await (const chunk of readChunks(inputOf(source))) chunks.push(new Uint8Array(chunk));
  return decodeText(Buffer.concat(chunks), source?.name ?? "");
}

/** Whether the first line of a table contains a known column name. */
async function hasHeader(source: DataSource): Promise<boolean> {
  const names = new Set<string>(Object.values(ALIASES).flat());
  const { format } = source;
  const head = await headOf(source, (bytes) => /[^\r\n][\r\n]/.test(TEXT.decode(bytes)) || bytes.length >= 2 ** 16);
  const line = TEXT.decode(head).trimStart();
  const cells = (line.split(/[\r\n]/, 1)[0] as string)
    .split(format === "tsv" ? "\t" : ",")
    .map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  return cells.some((cell) => names.has(cell));
}

/** The fields of a row without a header. With a task's own columns, the pair and the label may be missing. */
function named(values: Fields, columns: readonly string[], exact: boolean, where: string): Fields {
  const cells = Object.values(values);
  const without = columns.filter((column) => column !== "pair");
  const fits = (list: readonly string[]): boolean => list.length === cells.length;
  const chosen = fits(columns)
    ? columns
    : exact
      ? undefined
      : [without, without.slice(0, -1), columns.slice(0, -1)].find(fits);
  if (chosen === undefined)
    throw new ConfigError(
      `${where}: expected columns ${(exact ? columns : without).join(", ")}, got ${cells.length} of them. Name ` +
        "them with --columns, or put a header in the first line.",
    );
  return Object.fromEntries(chosen.map((column, i) => [column, cells[i]]));
}

/** The fields of a row, with the caller's columns added under our names. */
function withNames(
  values: Fields,
  renamed: readonly (readonly [ours: string, theirs: string])[],
  where: string,
): Fields {
  if (renamed.length === 0) return values;
  const absent = renamed.find(([, theirs]) => !Object.hasOwn(values, theirs));
  if (absent)
    throw new ConfigError(`${where}: expected a column "${absent[1]}", got ${Object.keys(values).join(", ")}.`);
  return { ...values, ...Object.fromEntries(renamed.map(([ours, theirs]) => [ours, values[theirs]])) };
}
