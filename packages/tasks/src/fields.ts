/** The fields of a record from a file, with errors that name the missing column and the existing columns. */
import { NumberText, rowJson } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { LabelValue } from "./labels.ts";
import type { Fields } from "./task.ts";

/** Common names of the same column; the first is our name. */
export const ALIASES = {
  text: ["text", "sentence", "sentence1", "premise", "question1", "sequence", "review", "content"],
  pair: ["pair", "sentence2", "hypothesis", "question2", "text_pair"],
  label: ["label", "labels", "class", "target", "score"],
  words: ["words", "tokens"],
  tags: ["tags", "ner_tags", "labels"],
  question: ["question"],
  context: ["context", "passage"],
  choices: ["choices", "endings", "options"],
} as const;
export type FieldName = keyof typeof ALIASES;

/** The value of a field, under any of its names; undefined if there is none. */
export function field(fields: Fields, name: FieldName): unknown {
  const key = ALIASES[name].find((each) => Object.hasOwn(fields, each) && fields[each] !== null);
  return key === undefined ? undefined : fields[key];
}

export function textField(fields: Fields, name: FieldName, where: string): string {
  const value = field(fields, name);
  if (typeof value !== "string") throw missing(fields, name, "a text", value, where);
  return value;
}

export function optionalText(fields: Fields, name: FieldName, where: string): string | undefined {
  return field(fields, name) === undefined ? undefined : textField(fields, name, where);
}

/**
 * A label: a text, a number by the text that the file has (`1` and `1.0` are two labels), true or false. Undefined for
 * anything else, NaN included.
 */
export function labelOf(value: unknown): LabelValue | undefined {
  if (value instanceof NumberText) return value.text;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  return typeof value === "string" || typeof value === "boolean" ? value : undefined;
}

/** The texts of a list of labels; undefined if the value is not such a list. */
export function labelTexts(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const labels = value.map(labelOf);
  return labels.every((label) => label !== undefined) ? labels.map(String) : undefined;
}

/** A list of texts. In a file of columns, a text of words separated by spaces. */
export function listField(fields: Fields, name: FieldName, where: string): readonly string[] {
  const value = field(fields, name);
  if (typeof value === "string") return value.split(/\s+/).filter((word) => word !== "");
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
    throw missing(fields, name, "a list of texts", value, where);
  return value as readonly string[];
}

export function missing(fields: Fields, name: FieldName, expected: string, value: unknown, where: string): ConfigError {
  const got =
    value === undefined
      ? `the columns ${Object.keys(fields).join(", ") || "(none)"}`
      : typeof value === "number" && Number.isNaN(value)
        ? "NaN"
        : rowJson(value).slice(0, 40);
  return new ConfigError(
    `${where}: expected ${expected} in a column ` +
      `"${ALIASES[name][0]}"${ALIASES[name].length > 1 ? ` (or ${ALIASES[name].slice(1).join(", ")})` : ""}, got ` +
      `${got}. Name the columns with --columns.`,
  );
}
