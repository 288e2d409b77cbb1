/**
 * config.json as text that keeps how numbers are written: Python tells 0.0 from 0, and transformers 5 refuses a dropout
 * rate of 0.
 *
 * While a config is an object, numbers whose text matters are strings with a mark before them.
 */
import { FormatError } from "@cloze/errors";
import { parseJson } from "../json.ts";

export type ConfigObject = Readonly<Record<string, unknown>>;

const mark = "\u0000number:";

/** A number that Python reads as a float: `0.0`, `1e-12`. */
export function float(value: number): string {
  const text = String(value);
  return `${mark}${/[.e]/.test(text) ? text : `${text}.0`}`;
}

/** A value of such an object as a number, if it is one. */
export function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.startsWith(mark) ? Number(value.slice(mark.length)) : undefined;
}

/** Throws: FormatError for what is no JSON object. */
export function parseConfigText(text: string, file: string): ConfigObject {
  const root = parseJson(text, { file });
  if (!(root instanceof Map))
    throw new FormatError(
      file,
      "",
      `expected an object, got ${text.trim().slice(0, 40)}. It should hold the model's sizes.`,
    );
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
      token.startsWith('"') ? token : JSON.stringify(mark + token),
    ),
  ) as ConfigObject;
}

/** The text: two spaces, a newline at the end, numbers as they were written. */
export function configText(config: ConfigObject): string {
  return `${JSON.stringify(config, null, 2).replace(/"\\u0000number:([^"]*)"/g, "$1")}\n`;
}
