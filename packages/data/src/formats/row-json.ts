/**
 * JSON of rows, read and written without loss: a number keeps the digits of its text. `JSON.parse` makes every number a
 * double (1234567890123456789 becomes …800, 1.0 becomes 1), and gives no text of a number before Node 21.
 *
 * Most lines hold no number that a double changes. For those the reader is `JSON.parse`, after a search for what may be
 * such a number. Other lines are checked by `JSON.parse` and then read again, so this reader never meets invalid JSON.
 */
import { NumberText, numberOf } from "./number-text.ts";

/** The value of a JSON text. Throws SyntaxError as `JSON.parse` does. */
export function parseRowJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return SUSPECT.test(text) && hasNumberText(text) ? new Reader(text).value() : value;
}

/**
 * The JSON text of a value. Numbers of a row are written as their source wrote them. As in `JSON.stringify`, NaN and
 * infinities are null, for which JSON has no text.
 *
 * @example
 * rowJson(parseRowJson('{"id":1234567890123456789,"x":[1.0]}'))  // => '{"id":1234567890123456789,"x":[1.0]}'
 */
export function rowJson(value: unknown): string {
  if (value instanceof NumberText) return value.text;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null || value instanceof Date) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(rowJson).join(",")}]`;
  const parts = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([key, each]) => `${JSON.stringify(key)}:${rowJson(each)}`);
  return `{${parts.join(",")}}`;
}

/**
 * What every number looks like that a double does not give back: 16 digits or more, an exponent, a zero at the end of a
 * fraction, less than 1e-6, or -0. Strings may look like it too.
 */
const SUSPECT = /(?:^|[:[,])\s*-?(?:[\d.]{16}|[\d.]+[eE]|\d+\.\d*0(?!\d)|0\.000000|(?<=-)0(?![.\d]))/;
const NUMBER = /-?\d[\d.eE+-]*/g;

/** Whether a valid JSON text holds a number that a double does not give back. */
function hasNumberText(text: string): boolean {
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const between = text.slice(at, quote < 0 ? text.length : quote);
    for (const [number] of between.matchAll(NUMBER)) if (String(Number(number)) !== number) return true;
    if (quote < 0) return false;
    at = endOfString(text, quote);
  }
  return false;
}

/** The place after the string that begins at `quote`. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
}

const LITERALS: readonly (readonly [string, boolean | null])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

/** Reads JSON that is known to be valid. */
class Reader {
  readonly #text: string;
  readonly #number = new RegExp(NUMBER, "y");
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    const next = this.#next();
    if (next === "{") return Object.fromEntries(this.#items("}", () => this.#pair()));
    if (next === "[") return this.#items("]", () => this.value());
    if (next === '"') return this.#string();
    const literal = LITERALS.find(([name]) => this.#text.startsWith(name, this.#at));
    if (literal !== undefined) {
      this.#at += literal[0].length;
      return literal[1];
    }
    this.#number.lastIndex = this.#at;
    const [number = ""] = this.#number.exec(this.#text) ?? [];
    this.#at += number.length;
    return numberOf(number);
  }

  #items<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    this.#at++;
    for (let next = this.#next(); next !== close; next = this.#next()) {
      if (next === ",") this.#at++;
      items.push(item());
    }
    this.#at++;
    return items;
  }

  #pair(): readonly [string, unknown] {
    this.#next();
    const key = this.#string();
    this.#next();
    this.#at++;
    return [key, this.value()];
  }

  #string(): string {
    const from = this.#at;
    this.#at = endOfString(this.#text, from);
    return JSON.parse(this.#text.slice(from, this.#at)) as string;
  }

  /** Skips white space. Returns the next character. */
  #next(): string {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
    return this.#text[this.#at] as string;
  }
}
