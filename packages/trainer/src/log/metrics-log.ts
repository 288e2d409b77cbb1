/**
 * metrics.jsonl: the append-only record of a run, one JSON object per line.
 *
 *     {"type":"train","step":12,"tokens":98304,"loss":2.413,"lr":0.0003,"gradNorm":0.7,
 *      "time":{"tokensPerSecond":51200}}
 *
 * (One line in the file.) The last key, `time`, holds all clock readings. Everything else is a function of the config
 * and the seed. So a run that was killed and resumed must write the same bytes as a run without interruption, except
 * `time`; `withoutTime` compares them. JSON has no NaN: the numbers NaN, Infinity and -Infinity are written as words in
 * quotes and read back as numbers.
 *
 * A line counts only when its newline is in the file. Steps never decrease within a file. The reader checks both rules.
 * The caller flushes before it completes a checkpoint, so a resume finds every line up to the checkpoint's step.
 */
import { existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { ConfigError, FormatError } from "@cloze/errors";
import { AppendFile } from "./append-file.ts";

export type MetricsType = "train" | "eval";
export type MetricsValue = number | string | boolean;

/** Wall-clock figures. The report draws the names below; other names may stand beside them. */
export interface MetricsTime {
  /** Seconds since the run began, over all its resumes. */
  readonly elapsed?: number;
  readonly tokensPerSecond?: number;
  readonly [name: string]: number | string | undefined;
}

/**
 * One line of the file. `loss` is in nats per predicted token. Further deterministic figures may stand beside these
 * names.
 */
export interface MetricsRow {
  readonly type: MetricsType;
  readonly step: number;
  /** Tokens consumed by training up to and including this step. */
  readonly tokens: number;
  readonly loss: number;
  readonly lr?: number;
  readonly gradNorm?: number;
  readonly time?: MetricsTime;
  readonly [name: string]: MetricsValue | MetricsTime | undefined;
}

export interface MetricsFile {
  readonly rows: readonly MetricsRow[];
  /** The text after the last newline, which a write left when it was cut off. Undefined in a complete file. */
  readonly torn: string | undefined;
}

export interface MetricsLogOptions {
  /** Continues an existing file after this step. Lines of later steps and a torn last line are cut off. */
  readonly resumeAfter?: number;
}

/**
 * The writer. It is synchronous: a line has reached the operating system when `write` returns, and the disk when
 * `flush` returns.
 */
export class MetricsLog {
  readonly path: string;
  /** The lines that a resume has cut off: the number of whole lines, and the text of a torn last line. */
  readonly dropped: { readonly lines: number; readonly torn: string | undefined };
  readonly #file: AppendFile;
  #lastStep: number;

  constructor(path: string, options: MetricsLogOptions = {}) {
    const { resumeAfter } = options;
    this.path = path;
    if (resumeAfter !== undefined) requireCount("MetricsLog", "resumeAfter", resumeAfter);
    const kept = resumeAfter === undefined ? undefined : keptPart(path, resumeAfter);
    this.dropped = { lines: kept?.lines ?? 0, torn: kept?.torn };
    this.#lastStep = kept?.lastStep ?? -1;
    const file = openSync(path, "a");
    const found = fstatSync(file).size;
    this.#file = new AppendFile(
      file,
      `MetricsLog: expected an open log, got ${path} after close. Open it again with resumeAfter.`,
    );
    if (resumeAfter === undefined && found > 0) {
      this.close();
      throw new ConfigError(
        `MetricsLog: expected no ${path} yet, got a file of ${found} bytes. Pass resumeAfter to continue that ` +
          "run, or choose another folder.",
      );
    }
    if (kept !== undefined && found > kept.bytes) {
      ftruncateSync(file, kept.bytes);
      fsyncSync(file);
    }
  }

  /** The step of the last line, or undefined in an empty file. After a resume: the last step of the kept lines. */
  get lastStep(): number | undefined {
    return this.#lastStep < 0 ? undefined : this.#lastStep;
  }

  /** Appends one line. Throws ConfigError if the step decreases: a resumed run must pass resumeAfter. */
  write(row: MetricsRow): void {
    requireCount("MetricsLog.write", "step", row.step);
    requireCount("MetricsLog.write", "tokens", row.tokens);
    if (row.step < this.#lastStep) {
      throw new ConfigError(
        `MetricsLog.write: expected a step >= ${this.#lastStep}, got ${row.step}. To go back, open the log with ` +
          "resumeAfter.",
      );
    }
    // A full disk can leave half a line. The next opening with resumeAfter cuts it off.
    this.#file.write(Buffer.from(formatMetricsRow(row) + "\n"));
    this.#lastStep = row.step;
  }

  flush(): void {
    this.#file.flush();
  }

  close(): void {
    this.#file.close();
  }
}

/** One line without its newline: type, step, tokens, loss, the other figures in the given order, time last. */
export function formatMetricsRow(row: MetricsRow): string {
  const { type, step, tokens, loss, time, ...rest } = row;
  const plain = (_key: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  return JSON.stringify({ type, step, tokens, loss, ...rest, time }, plain);
}

/** The line without `time`: the bytes that a resumed run must repeat. */
export function withoutTime(row: MetricsRow): string {
  const { time: _, ...rest } = row;
  return formatMetricsRow(rest as MetricsRow);
}

/**
 * Reads a whole file. Throws FormatError with the line number for a line that is not a row. A torn last line is no
 * error: the result reports it.
 */
export function readMetrics(path: string): MetricsFile {
  return parseMetrics(readFileSync(path), path);
}

/** Like `readMetrics`, but from bytes. `file`: the file name in errors. */
export function parseMetrics(bytes: Uint8Array, file: string): MetricsFile {
  const rows: MetricsRow[] = [];
  const end = eachLine(bytes, file, (row) => rows.push(row));
  return { rows, torn: tornText(bytes, end) };
}

/** The length of the file's part that belongs to the run up to and including `step`. */
function keptPart(
  path: string,
  step: number,
): { bytes: number; lines: number; torn: string | undefined; lastStep: number } | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  let kept = 0;
  let lines = 0;
  let lastStep = -1;
  const end = eachLine(bytes, path, (row, lineEnd) => {
    if (row.step > step) lines++;
    else [kept, lastStep] = [lineEnd, row.step];
  });
  return { bytes: kept, lines, torn: tornText(bytes, end), lastStep };
}

/**
 * Calls `visit` for every complete line, with its row and the offset after its newline. Returns the offset after the
 * last newline.
 */
function eachLine(bytes: Uint8Array, file: string, visit: (row: MetricsRow, end: number) => void): number {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let start = 0;
  let lastStep = 0;
  for (let line = 1; ; line++) {
    const newline = bytes.indexOf(10, start);
    if (newline < 0) return start;
    const place = `line ${line}`;
    let value: unknown;
    try {
      value = JSON.parse(utf8.decode(bytes.subarray(start, newline)), revive);
    } catch (cause) {
      throw new FormatError(
        file,
        place,
        `expected a JSON object, got ${quote(bytes.subarray(start, newline))}. Remove the line, or restore the file.`,
        { cause },
      );
    }
    const row = checkRow(value, file, place);
    if (row.step < lastStep)
      throw new FormatError(
        file,
        place,
        `expected a step >= ${lastStep}, got ${row.step}. Two runs have written to this file.`,
      );
    lastStep = row.step;
    start = newline + 1;
    visit(row, start);
  }
}

function revive(_key: string, value: unknown): unknown {
  return value === "NaN" || value === "Infinity" || value === "-Infinity" ? Number(value) : value;
}

function checkRow(value: unknown, file: string, place: string): MetricsRow {
  const wrong = (expected: string, got: unknown): FormatError =>
    new FormatError(
      file,
      place,
      `expected ${expected}, got ${JSON.stringify(got) ?? String(got)}. Remove the line, or restore the file.`,
    );
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong("a JSON object", value);
  const row = value as Partial<MetricsRow>;
  if (row.type !== "train" && row.type !== "eval") throw wrong('type "train" or "eval"', row.type);
  for (const key of ["step", "tokens"] as const)
    if (!isCount(row[key])) throw wrong(`a whole number >= 0 as ${key}`, row[key]);
  for (const key of ["loss", "lr", "gradNorm"] as const) {
    if (typeof row[key] !== "number" && (key === "loss" || row[key] !== undefined))
      throw wrong(`a number as ${key}`, row[key]);
  }
  if (row.time !== undefined && (typeof row.time !== "object" || row.time === null))
    throw wrong("an object as time", row.time);
  return row as MetricsRow;
}

function requireCount(where: string, name: string, value: number): void {
  if (!isCount(value))
    throw new ConfigError(
      `${where}: expected a whole number >= 0 as ${name}, got ${value}. Count optimizer steps and tokens from 0.`,
    );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function tornText(bytes: Uint8Array, end: number): string | undefined {
  return end === bytes.length ? undefined : new TextDecoder().decode(bytes.subarray(end));
}

function quote(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
