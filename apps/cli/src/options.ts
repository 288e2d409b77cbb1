/**
 * Options as data: one table per command says names, kinds, defaults and help, and everything else is derived from it:
 * the parser, the config file's keys, the help text, and the type of the values that `run` is given.
 *
 * Keys are camelCase; on the command line `batchTokens` is `--batch-tokens`, in a config file either spelling.
 */
import { ConfigError } from "@cloze/errors";
import { readScheduled } from "./scheduled-options.ts";

interface SpecBase {
  readonly help: string;
  /** What the help calls the value: FILE, DIR, N. */
  readonly value?: string;
  /** An error unless a flag or the config file gives it. */
  readonly required?: true;
  /** False for what a config file cannot say. Default true. */
  readonly inFile?: false;
}

export interface TextSpec extends SpecBase {
  readonly kind: "string";
  readonly default?: string;
  /** The value of the flag without one: `--resume` is `--resume auto`. */
  readonly bare?: string;
  /**
   * It names a checkpoint: where nothing of the name is here, a model of the Hub, unless it is one of these other
   * things.
   */
  readonly checkpoint?: true | { readonly unless: readonly string[] };
}

export interface NumberSpec extends SpecBase {
  /**
   * `integer` 12; `count` also 64k, 1.5M, 2B (powers of 1000); `number` 0.5, 1e-4;
   * `duration` 90s, 10m, 2h, 1h30m, 1d, as seconds.
   */
  readonly kind: "integer" | "count" | "number" | "duration";
  readonly default?: number;
  /** Smallest and largest value allowed; `above` is a bound that is itself not allowed. */
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
}

export interface BooleanSpec extends SpecBase {
  readonly kind: "boolean";
  /** Where it is true the help shows `--no-name`, and `help` says what that does. */
  readonly default?: boolean;
}

/** One or more words: `--data a.fasta b.fasta`, or `--data a.fasta --data b.fasta`. Empty when not given. */
export interface ListSpec extends SpecBase {
  readonly kind: "list";
  readonly default?: readonly string[];
}

export interface ChoiceSpec extends SpecBase {
  readonly kind: "choice";
  readonly choices: readonly string[];
  readonly default?: string;
}

/** A number, or with `string` a name, that may change over the run (`scheduled-options.ts`). */
export interface ScheduledSpec extends SpecBase, Pick<NumberSpec, "min" | "max" | "above"> {
  readonly kind: "scheduled";
  readonly of: "integer" | "count" | "number" | "string";
  readonly default?: number | string;
}

/** An object, as JSON on the command line, in a config file also as a map; its value is the JSON text. */
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

/** Values of a table: undefined only where an option has no default and is not required. */
export type Values<O extends OptionTable> = {
  readonly [K in keyof O]: Always<O[K]> extends true ? Typed<O[K]> : Typed<O[K]> | undefined;
};

export const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const flag = (key: string): string => `--${kebab(key)}`;

const SCALES: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, b: 1e9, g: 1e9 };
const SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };

/** The number that a text says, or undefined when it says none of this kind. */
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

/** A word of the command line as a value. `where` begins the message of what it throws. */
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

/** A value of a config file as an option's value, or undefined when it is of the wrong type. */
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
      // A number is one already, but a time needs its unit.
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

/** The object of an option of the kind "json". */
/** Options under their flags' names, but those that are undefined: as files and pages show them. */
export const byFlagName = (options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [kebab(key), value]),
  );

export const readObject = (text: string): Readonly<Record<string, unknown>> =>
  JSON.parse(text) as Readonly<Record<string, unknown>>;

/** What an option is where nothing gives it. */
export const unsaid = (spec: OptionSpec): OptionValue | undefined =>
  spec.default ?? (spec.kind === "boolean" ? false : spec.kind === "list" ? [] : undefined);

/** The option of a single value. */
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

/** A value as one would type it. */
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
