/** Output for people and for programs: the stream of each kind of line, and the formats of columns and numbers. */
import type { InnerStops } from "@cloze/data";
import type { Io } from "./io.ts";

/** Ends a command after the reader of stdout has closed it. Not an error: nothing is printed. */
export class OutputClosed extends Error {}

export interface Output {
  print(line: string): void;
  note(line: string): void;
  /** Writes the last line of stdout, with `--json`. */
  object(value: unknown): void;
}

export function output(io: Io, json: boolean): Output {
  const out = (line: string): void => {
    if (io.outputClosed()) throw new OutputClosed();
    io.stdout.write(`${line}\n`);
  };
  // Names in files may hold control characters, and these must not control the terminal.
  const safe = (line: string): string =>
    line.replace(/\p{Cc}/gu, (character) => (character === "\t" ? character : "\u{fffd}"));
  return {
    print: (line) => {
      if (!json) out(safe(line));
    },
    note: (line) => void io.stderr.write(`${line}\n`),
    object: (value) => out(JSON.stringify(value, plain)),
  };
}

/** Typed arrays as lists, maps as objects. NaN and infinities become text, because JSON has no numbers for them. */
function plain(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array);
  if (value instanceof Map) return Object.fromEntries(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return typeof value === "bigint" ? Number(value) : value;
}

/** Rows as aligned columns; columns named in `right` (numbers) are aligned at their end. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): readonly string[] {
  const widths = rows.reduce<number[]>((sizes, row) => row.map((cell, i) => Math.max(sizes[i] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** `1,234,567`. */
export const integer = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** Powers of 1024: `512 B`, `1.5 KiB`. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const at = Math.min(units.length - 1, value < 1024 ? 0 : Math.floor(Math.log2(value) / 10));
  return `${at === 0 ? value : (value / 1024 ** at).toFixed(1)} ${units[at]}`;
}

/** `1 file`, `2 files`. */
export const counted = (count: number, noun: string): string => `${integer(count)} ${noun}${count === 1 ? "" : "s"}`;

/** A remark about stops inside of proteins. */
export const innerStopsIn = ({ records, first: { file, record, residue } }: InnerStops): string =>
  `a stop (*) before a residue in ${counted(records, "record")}, first in ${file}, record ${record}, ` +
  `residue ${residue}`;
