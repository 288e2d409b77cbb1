/**
 * Writers of predictions, in the order of the input:
 *
 *   .jsonl       the fields of the record, and `prediction`
 *   .csv, .tsv   the columns of the record, then `predicted_…`
 *   .json        for questions: answers by id, as the script of SQuAD takes them
 *
 * A file is either complete or absent: it is written beside its place and renamed at the end.
 */
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { rowJson } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { formatOfName } from "@cloze/data/node";
import type { Task } from "@cloze/tasks";
import type { Io } from "./io.ts";
import { OutputClosed } from "./output.ts";

export interface Predicted {
  /** The fields of the record. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly output: object;
}

type Format = "jsonl" | "csv" | "tsv" | "answers";

interface Sink {
  write(text: string): Promise<void>;
  close(): Promise<void>;
  /** Removes an unfinished file. */
  drop(): Promise<void>;
}

/** The format of `out`, which is a path, or "-" for stdout. Throws ConfigError for an unknown ending. */
export function formatOfOutput(out: string, task: Task): Format {
  if (out === "-") return "jsonl";
  if (task.kind === "question-answering" && out.endsWith(".json")) return "answers";
  const format = formatOfName(out);
  if (format === "jsonl" || format === "csv" || format === "tsv") return format;
  throw new ConfigError(
    `--out ${out}: expected a name that ends in .jsonl, .csv or ` +
      `.tsv${task.kind === "question-answering" ? ", or .json for answers by id" : ""}.`,
  );
}

/** Writes all predictions and returns their number. */
export async function writePredictions(
  predictions: AsyncIterable<Predicted>,
  { out, format, task, io }: { readonly out: string; readonly format: Format; readonly task: Task; readonly io: Io },
): Promise<number> {
  const sink = out === "-" ? stdoutSink(io) : await fileSink(out);
  const write = writers[format](task, (text) => sink.write(text));
  let count = 0;
  try {
    for await (const each of predictions) {
      await write.record(each);
      count++;
    }
    await write.end();
    await sink.close();
    return count;
  } catch (error) {
    await sink.drop();
    throw error;
  }
}

interface Writer {
  record(predicted: Predicted): Promise<void>;
  end(): Promise<void>;
}

type MakeWriter = (task: Task, write: (text: string) => Promise<void>) => Writer;

const nothing = async (): Promise<void> => {};

const table =
  (delimiter: string, quote: (cell: string) => string): MakeWriter =>
  (task, write) => {
    let names: readonly string[] | undefined;
    let known: ReadonlySet<string> = new Set();
    return {
      async record({ fields, output }) {
        const row = {
          ...fields,
          ...Object.fromEntries(
            Object.entries(task.cells(output)).map(([name, value]) => [`predicted_${name}`, value]),
          ),
        };
        if (names === undefined) {
          names = Object.keys(row);
          known = new Set(names);
          await write(`${names.map(quote).join(delimiter)}\n`);
        }
        const other = Object.keys(row).find(
          (name) => !known.has(name) && row[name] !== undefined && row[name] !== null,
        );
        if (other !== undefined)
          throw new ConfigError(
            `predict: expected records with the fields of the first one (${names.join(", ")}), which are ` +
              `the columns of the table, got one with ${JSON.stringify(other)} too. Write .jsonl instead.`,
          );
        await write(`${names.map((name) => quote(cellOf(row[name]))).join(delimiter)}\n`);
      },
      end: nothing,
    };
  };

/** The text of a cell: numbers with the digits of their source, lists and objects as JSON. */
const cellOf = (value: unknown): string =>
  value === undefined || value === null ? "" : typeof value === "object" ? rowJson(value) : String(value);
const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

const writers: { readonly [F in Format]: MakeWriter } = {
  jsonl: (_task, write) => ({
    record: ({ fields, output }) => write(`${rowJson({ ...fields, prediction: output })}\n`),
    end: nothing,
  }),
  csv: table(",", quoted),
  // TSV has no quotes: a tab or a line break becomes a space.
  tsv: table("\t", (cell) => cell.replace(/[\t\r\n]/g, " ")),
  answers: (_task, write) => {
    const answers = new Map<string, string>();
    return {
      async record({ fields: { id }, output }) {
        const name = id === undefined || id === null ? undefined : String(id);
        if (name === undefined || answers.has(name))
          throw new ConfigError(
            `predict: expected an id of its own for each question, got ${name ?? "none"}. Write .jsonl instead.`,
          );
        answers.set(name, (output as { readonly answer: string }).answer);
      },
      end: () => write(`${JSON.stringify(Object.fromEntries(answers), null, 1)}\n`),
    };
  },
};

function stdoutSink(io: Io): Sink {
  return {
    async write(text) {
      if (io.outputClosed()) throw new OutputClosed();
      io.stdout.write(text);
    },
    close: nothing,
    drop: nothing,
  };
}

const PORTION = 2 ** 16;

async function fileSink(path: string): Promise<Sink> {
  const partial = `${path}.partial`;
  const file: FileHandle = await open(partial, "w");
  let waiting = "";
  const flush = async (): Promise<void> => {
    if (waiting !== "") await file.write(waiting);
    waiting = "";
  };
  return {
    async write(text) {
      waiting += text;
      if (waiting.length >= PORTION) await flush();
    },
    async close() {
      await flush();
      await file.close();
      await rename(partial, path);
    },
    async drop() {
      await file.close();
      await rm(partial, { force: true });
    },
  };
}
