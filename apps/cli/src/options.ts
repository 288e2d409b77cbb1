/**
 * Options as data. One table per command holds the names, kinds, defaults and help texts. Everything else comes from
 * this table: the parser, the keys of the config file, the help, and the type of the values that `run` gets.
 *
 * Keys are camelCase. `batchTokens` is `--batch-tokens` on the command line, and either spelling in a config file.
 */
import { ConfigError } from "@cloze/errors";
import { readScheduled } from "./scheduled-options.ts";

/** The headings of a long help, in their order. An option without a group stands under the last one. */
export const OPTION_GROUPS = [
  "Task",
  "Model",
  "Data",
  "Filters",
  "Split",
  "Objective",
  "Length and batches",
  "Optimizer",
  "Learning rate",
  "Evaluation and saving",
  "Output",
  "Compute",
  "Speed",
  "Cost",
  "Other",
] as const;
export type OptionGroup = (typeof OPTION_GROUPS)[number];

interface SpecBase {
  readonly help: string;
  /** The heading in a help that is too long for one list. Default "Other". */
  readonly group?: OptionGroup;
  /** The name of the value in the help: FILE, DIR, N. */
  readonly value?: string;
  /** The user must set the option, by a flag, the config file or the recipe. */
  readonly required?: true;
  /** False for an option that a config file cannot set. Default true. */
  readonly inFile?: false;
}

export interface TextSpec extends SpecBase {
  readonly kind: "string";
  readonly default?: string;
  /** The value of the flag when no word follows it: `--resume` is `--resume auto`. */
  readonly bare?: string;
  /**
   * The value names a checkpoint. If no file or folder has this name, it is a model of the Hub. `unless` lists values
   * with another meaning.
   */
  readonly checkpoint?: true | { readonly unless: readonly string[] };
  /** The value names a file that must be there; `-` is standard input. */
  readonly file?: true;
}

export interface NumberSpec extends SpecBase {
  /**
   * `integer` 12; `count` also 64k, 1.5M, 2B (powers of 1000); `number` 0.5, 1e-4;
   * `duration` 90s, 10m, 2h, 1h30m, 1d, as seconds.
   */
  readonly kind: "integer" | "count" | "number" | "duration";
  readonly default?: number;
  /** Smallest and largest allowed value. `above` is a lower bound that is not allowed itself. */
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
}

export interface BooleanSpec extends SpecBase {
  readonly kind: "boolean";
  /** If true, the help shows `--no-name`, and `help` says what that flag does. */
  readonly default?: boolean;
}

/** One or more words: `--data a.fasta b.fasta`, or `--data a.fasta --data b.fasta`. Empty when not given. */
export interface ListSpec extends SpecBase {
  readonly kind: "list";
  /** The values name files that must be there; `-` is standard input. */
  readonly file?: true;
  /** Each flag takes one word, so that a file may follow: `--layer 6 --layer 12 a.fasta`. */
  readonly single?: true;
  readonly default?: readonly string[];
}

export interface ChoiceSpec extends SpecBase {
  readonly kind: "choice";
  readonly choices: readonly string[];
  readonly default?: string;
}

/** A number that may change over the run (`scheduled-options.ts`); with `of: "string"` a name. */
export interface ScheduledSpec extends SpecBase, Pick<NumberSpec, "min" | "max" | "above"> {
  readonly kind: "scheduled";
  readonly of: "integer" | "count" | "number" | "string";
  readonly default?: number | string;
}

/** An object: JSON on the command line, JSON or a map in a config file. The value is the JSON text. */
export interface JsonSpec extends SpecBase {
  readonly kind: "json";
  readonly default?: string;
}

export type OptionSpec = JsonSpec | ScheduledSpec | TextSpec | NumberSpec | BooleanSpec | ListSpec | ChoiceSpec;
export type OptionTable = Readonly<Record<string, OptionSpec>>;
export type OptionValue = string | number | boolean | readonly string[];

type Typed<S> = S extends { readonly kind: "choice"; readonly choices: readonly (infer C)[] }
  ? C
  : S extends { readonly kind: "boolean" }
    ? boolean
    : S extends { readonly kind: "list" }
      ? readonly string[]
      : S extends { readonly kind: "string" | "json" } | { readonly kind: "scheduled"; readonly of: "string" }
        ? string
        : S extends { readonly kind: "scheduled" }
          ? number | string
          : number;
type Always<S> = S extends
  { readonly kind: "boolean" | "list" } | { readonly required: true } | { readonly default: string | number }
  ? true
  : false;

/** Values of a table. A value is undefined only if its option has no default and is not required. */
export type Values<O extends OptionTable> = {
  readonly [K in keyof O]: Always<O[K]> extends true ? Typed<O[K]> : Typed<O[K]> | undefined;
};

/** The options under one heading of the help. */
export const inGroup = <const O extends OptionTable>(group: OptionGroup, options: O): O =>
  Object.fromEntries(Object.entries(options).map(([key, spec]) => [key, { ...spec, group }])) as O;

export const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const flag = (key: string): string => `--${kebab(key)}`;

const SCALES: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, b: 1e9, g: 1e9 };
const SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };

/** The number in a text; undefined if the text is no number of this kind. */
export function readNumber(kind: NumberSpec["kind"], text: string): number | undefined {
  const word = text.trim();
  if (kind === "duration") {
    const parts = [...word.matchAll(/(\d+(?:\.\d+)?)\s*([dhms])\s*/gy)];
    if (parts.length === 0 || parts.map(([part]) => part).join("") !== word) return undefined;
    return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (SECONDS[unit ?? ""] ?? 0), 0);
  }
  const [, digits, suffix] = /^([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kmbg]?)$/i.exec(word) ?? [];
  if (digits === undefined || (suffix !== "" && kind !== "count")) return undefined;
  const value = Number(digits.replaceAll("_", "")) * (SCALES[(suffix ?? "").toLowerCase()] ?? 1);
  // 1.1k is 1100.0000000000002 in floating point.
  const whole = Math.round(value);
  if (kind === "number") return Number.isFinite(value) ? value : undefined;
  return Math.abs(value - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}

const KIND_WORDS: { readonly [K in NumberSpec["kind"]]: string } = {
  integer: "a whole number",
  count: "a whole number such as 512 or 64k",
  number: "a number",
  duration: "a time such as 90s, 10m or 2h",
};

/** What a value of an option must be, in words. */
export function expectation(spec: OptionSpec): string {
  if (spec.kind === "boolean") return "true or false";
  if (spec.kind === "choice") return `one of ${spec.choices.join(", ")}`;
  if (spec.kind === "list") return "a list of texts";
  if (spec.kind === "string") return "a text";
  if (spec.kind === "json") return "a JSON object such as '{\"rate\":0.2}'";
  if (spec.kind === "scheduled") return `${expectation(singleOf(spec))}, or values over the run, at:value,at:value`;
  const show = (bound: number): string => showValue({ ...spec, help: "" }, bound);
  return [
    KIND_WORDS[spec.kind],
    spec.above === undefined ? "" : `above ${show(spec.above)}`,
    spec.min === undefined ? "" : `at least ${show(spec.min)}`,
    spec.max === undefined ? "" : `at most ${show(spec.max)}`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** The value of a word of the command line. Throws ConfigError with a message that begins with `where`. */
export function parseWord(spec: OptionSpec, word: string, where: string): OptionValue {
  const wrong = (): never => {
    throw new ConfigError(`${where}: expected ${expectation(spec)}, got ${JSON.stringify(word)}.`);
  };
  switch (spec.kind) {
    case "string":
      return word === "" ? wrong() : word;
    case "list":
      return word === "" ? wrong() : [word];
    case "scheduled":
      return scheduled(spec, word, where);
    case "json":
      return objectText(word) ?? wrong();
    case "boolean":
      return word === "true" ? true : word === "false" ? false : wrong();
    case "choice":
      return spec.choices.includes(word) ? word : wrong();
    case "integer":
    case "count":
    case "number":
    case "duration": {
      const value = readNumber(spec.kind, word);
      return value === undefined || !within(spec, value) ? wrong() : value;
    }
  }
}

/** An option's value from a config file; undefined if it has the wrong type. `where` begins the message of an error. */
export function fromFile(spec: OptionSpec, value: unknown, where: string = "value"): OptionValue | undefined {
  switch (spec.kind) {
    case "scheduled":
      return value === null ? undefined : scheduled(spec, value, where);
    case "json":
      return typeof value === "string" ? objectText(value) : isObject(value) ? JSON.stringify(value) : undefined;
    case "string":
      return typeof value === "string" && value !== "" ? value : value === true ? spec.bare : undefined;
    case "choice":
      return typeof value === "string" && spec.choices.includes(value) ? value : undefined;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "list": {
      const list = typeof value === "string" ? [value] : value;
      return Array.isArray(list) && list.length > 0 && list.every((item) => typeof item === "string" && item !== "")
        ? (list as readonly string[])
        : undefined;
    }
    case "integer":
    case "count":
    case "number":
    case "duration": {
      // A number of the file is taken as it is, but a duration needs its unit.
      const text =
        typeof value === "string"
          ? value
          : typeof value === "number" && spec.kind !== "duration"
            ? String(value)
            : undefined;
      const number = text === undefined ? undefined : readNumber(spec.kind, text);
      return number !== undefined && within(spec, number) ? number : undefined;
    }
  }
}

/** The text of a JSON object, without its spaces; undefined for other texts. */
function objectText(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? JSON.stringify(value) : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Options under their flags' names, without undefined ones: the form for files and pages. */
export const byFlagName = (options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [kebab(key), value]),
  );

/** The object of an option of the kind "json". */
export const readObject = (text: string): Readonly<Record<string, unknown>> =>
  JSON.parse(text) as Readonly<Record<string, unknown>>;

/** The value of an option that nothing sets. */
export const unsaid = (spec: OptionSpec): OptionValue | undefined =>
  spec.default ?? (spec.kind === "boolean" ? false : spec.kind === "list" ? [] : undefined);

/** The option for one value of a scheduled option. */
function singleOf({ of, help, min, max, above }: ScheduledSpec): TextSpec | NumberSpec {
  if (of === "string") return { kind: of, help };
  return {
    kind: of,
    help,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(above !== undefined && { above }),
  };
}

function scheduled(spec: ScheduledSpec, value: unknown, where: string): number | string {
  const single = singleOf(spec);
  return readScheduled(value, {
    where,
    expected: expectation(single),
    read: (word) => parseWord(single, word, where) as number | string,
  });
}

function within({ min = -Infinity, max = Infinity, above = -Infinity }: NumberSpec, value: number): boolean {
  return value >= min && value <= max && value > above;
}

/** A value as a user would type it. */
export function showValue(spec: OptionSpec, value: OptionValue): string {
  if (Array.isArray(value)) return value.join(" ");
  if (typeof value !== "number" || spec.kind !== "duration") return String(value);
  let rest = value;
  let text = "";
  for (const [unit, seconds] of Object.entries(SECONDS)) {
    const amount = unit === "s" ? rest : Math.floor(rest / seconds);
    rest -= amount * seconds;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === "" ? "0s" : text;
}
