/**
 * A reader and a writer of config.json that keep the spelling of every number.
 *
 * The spelling matters: Python treats 0.0 and 0 as different types, and transformers 5 refuses 0 as a dropout rate.
 * In a parsed config each number is a string: a mark, then the number as it was written.
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

/** The number that a value of a parsed config stands for, or undefined where the value is not a number. */
export function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.startsWith(mark) ? Number(value.slice(mark.length)) : undefined;
}

/** Throws: FormatError for a text that is not a JSON object. */
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

/** The text of a config: indented by two spaces, a newline at the end, each number in its original spelling. */
export function configText(config: ConfigObject): string {
  return `${JSON.stringify(config, null, 2).replace(/"\\u0000number:([^"]*)"/g, "$1")}\n`;
}
