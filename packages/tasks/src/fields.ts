/** The fields of a record from a file, with errors that name the missing column and the existing columns. */
import { NumberText, rowJson } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { LabelValue } from "./labels.ts";
import type { Fields } from "./task.ts";

/**
 * Common names of the same column, the preferred ones first; the first is our name. Upper case, blanks, dashes and
 * underscores do not count: `Class Index` is `class_index`.
 */
export const ALIASES = {
  text: [
    "text",
    "sentence",
    "sentence1",
    "premise",
    "question1",
    "sequence",
    "review",
    "content",
    "text1",
    "document",
    "seq",
    "protein",
    "protein_sequence",
    "aa_seq",
    "aa_sequence",
    "amino_acid_sequence",
    "mutated_sequence",
    "tweet",
    "comment",
    "comment_text",
    "review_text",
    "review_body",
    "utterance",
    "message",
    "headline",
  ],
  pair: ["pair", "sentence2", "hypothesis", "question2", "text_pair", "text2"],
  label: [
    "label",
    "labels",
    "class",
    "target",
    "score",
    "category",
    "sentiment",
    "y",
    "gold_label",
    "class_label",
    "class_index",
    "label_id",
    "intent",
    "emotion",
    "topic",
    "polarity",
    "rating",
    "stars",
    "is_duplicate",
    "similarity",
    "similarity_score",
    "fitness",
    "dms_score",
    "target_value",
    "airline_sentiment",
  ],
  words: ["words", "tokens", "word", "token", "form"],
  tags: [
    "tags",
    "ner_tags",
    "labels",
    "ner",
    "ner_tag",
    "tag",
    "iob",
    "bio",
    "label",
    "pos_tags",
    "pos_tag",
    "upos",
    "pos",
  ],
  question: ["question"],
  context: ["context", "passage"],
  choices: ["choices", "endings", "options"],
} as const;
export type FieldName = keyof typeof ALIASES;

export const isField = (name: string): name is FieldName => Object.hasOwn(ALIASES, name);

const plainName = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");

/** The index of a column by any of its names, preferred names first; -1 if no name is one of the column's. */
export function columnAmong(names: readonly string[], field: FieldName): number {
  const plain = names.map(plainName);
  const known = ALIASES[field].find((alias) => plain.includes(plainName(alias)));
  return known === undefined ? -1 : plain.indexOf(plainName(known));
}

/** Whether two names are one but for upper case, blanks, dashes and underscores. */
export const sameName = (a: string, b: string): boolean => plainName(a) === plainName(b);

/** The column of a name, in any spelling. */
export function columnIn(fields: Fields, name: string): string | undefined {
  return Object.hasOwn(fields, name) ? name : Object.keys(fields).find((column) => sameName(column, name));
}

/**
 * The value of a field, under the first of its names that the record has; undefined if there is none, or if it is null:
 * another column does not stand in for it.
 */
export function field(fields: Fields, name: FieldName): unknown {
  const [first] = ALIASES[name];
  const names = Object.keys(fields);
  const column = Object.hasOwn(fields, first) ? first : names[columnAmong(names, name)];
  return column === undefined ? undefined : (fields[column] ?? undefined);
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

/** A list of texts. In a file of columns, a list as JSON or Python write it, or a text of words separated by spaces. */
export function listField(fields: Fields, name: FieldName, where: string): readonly string[] {
  const value = field(fields, name);
  if (typeof value === "string") return writtenList(value) ?? value.split(/\s+/).filter((word) => word !== "");
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
    throw missing(fields, name, "a list of texts", value, where);
  return value as readonly string[];
}

const QUOTED = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/gs;

/** The entries of `["a", "b"]`, `['a', 'b']` or NumPy's `['a' 'b']`; undefined for other texts. */
function writtenList(text: string): readonly string[] | undefined {
  const inner = /^\s*\[(.*)\]\s*$/s.exec(text)?.[1];
  if (inner === undefined || inner.replace(QUOTED, "").replace(/[\s,]/g, "") !== "") return undefined;
  return Array.from(inner.matchAll(QUOTED), ([, single, double]) => (single ?? double ?? "").replace(/\\(.)/gs, "$1"));
}

export function missing(fields: Fields, name: FieldName, expected: string, value: unknown, where: string): ConfigError {
  const got =
    value === undefined
      ? `the columns ${Object.keys(fields).join(", ") || "(none)"}`
      : typeof value === "number" && Number.isNaN(value)
        ? "NaN"
        : rowJson(value).slice(0, 40);
  const [first, ...others] = ALIASES[name];
  const also = [...others.slice(0, 5), ...(others.length > 5 ? ["…"] : [])];
  return new ConfigError(
    `${where}: expected ${expected} in a column "${first}"${also.length > 0 ? ` (or ${also.join(", ")})` : ""}, got ` +
      `${got}. Name the columns with --columns.`,
  );
}
