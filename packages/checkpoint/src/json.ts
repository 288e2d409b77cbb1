/**
 * A parser of strict JSON (RFC 8259) with two checks more than `JSON.parse`: no repeated key in an object, and a limit
 * on nesting.
 *
 * `JSON.parse` keeps the last of two equal keys, so a damaged or hostile header could name one tensor twice and load
 * only one. Objects become Maps, so the key `__proto__` does no harm. Lone surrogates are refused: no UTF-8 file can
 * hold them. With `integers`, a number must be a plain non-negative safe integer (`7`; not `7.0`, `7e0` or `-0`).
 */
import { FormatError } from "@cloze/errors";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

export interface JsonOptions {
  readonly file: string;
  /** Turns an index of the text into a place for the error message. Default: `line 3, column 14`. */
  readonly place?: (index: number) => string;
  readonly integers?: boolean;
}

const maxDepth = 64;
const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const integerPattern = /^(?:0|[1-9][0-9]*)$/;
const words: Readonly<Record<string, null | boolean>> = { t: true, f: false, n: null };

/** Parses a whole text. Throws: FormatError at the first wrong character. */
export function parseJson(
  text: string,
  { file, place = lineAndColumn(text), integers = false }: JsonOptions,
): JsonValue {
  let at = 0;

  const fail = (expected: string, index: number = at): never => {
    const got = index < text.length ? JSON.stringify(text.slice(index, index + 16)) : "the end of the text";
    throw new FormatError(
      file,
      place(index),
      `expected ${expected}, got ${got}. The JSON is damaged: fetch or write the file again.`,
    );
  };
  const blanks = (): void => {
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  };
  const take = (char: string): boolean => {
    blanks();
    if (text[at] !== char) return false;
    at++;
    return true;
  };

  const string = (): string => {
    blanks();
    const start = at;
    if (text[at] !== '"') fail("a string");
    let escaped = false;
    for (at++; ; at++) {
      const c = text.charCodeAt(at); // NaN past the end
      if (c === 0x22) break;
      if (Number.isNaN(c)) fail('the closing " of a string');
      if (c < 0x20) fail("no control character inside a string");
      if (c === 0x5c) {
        escaped = true;
        at++;
      }
    }
    at++;
    if (!escaped) return text.slice(start + 1, at - 1);
    let value: unknown;
    try {
      value = JSON.parse(text.slice(start, at));
    } catch {
      return fail("a string with valid escapes", start);
    }
    return isWellFormed(value as string) ? (value as string) : fail("a string without lone surrogates", start);
  };

  const number = (): number => {
    numberPattern.lastIndex = at;
    const token = numberPattern.exec(text)?.[0];
    if (token === undefined) return fail("a JSON value");
    const value = Number(token);
    if (integers && !(integerPattern.test(token) && Number.isSafeInteger(value)))
      fail(`a non-negative integer up to ${Number.MAX_SAFE_INTEGER}`);
    if (!Number.isFinite(value)) fail("a number that a double can hold");
    at += token.length;
    return value;
  };

  const word = (): null | boolean => {
    const value = words[text.charAt(at)];
    if (value === undefined || !text.startsWith(String(value), at)) return fail("a JSON value");
    at += String(value).length;
    return value;
  };

  const list = (depth: number): JsonValue[] => {
    const items: JsonValue[] = [];
    if (take("]")) return items;
    do items.push(value(depth));
    while (take(","));
    if (!take("]")) fail("',' or ']'");
    return items;
  };

  const object = (depth: number): JsonObject => {
    const members = new Map<string, JsonValue>();
    if (take("}")) return members;
    do {
      blanks();
      const start = at;
      const key = string();
      if (members.has(key)) fail(`each key once, ${JSON.stringify(key)} comes a second time`, start);
      if (!take(":")) fail("':'");
      members.set(key, value(depth));
    } while (take(","));
    if (!take("}")) fail("',' or '}'");
    return members;
  };

  const value = (depth: number): JsonValue => {
    blanks();
    if (depth > maxDepth) fail(`at most ${maxDepth} levels of nesting`);
    const c = text.charAt(at);
    if (c === '"') return string();
    if (c === "{" || c === "[") {
      at++;
      return c === "{" ? object(depth + 1) : list(depth + 1);
    }
    return c === "t" || c === "f" || c === "n" ? word() : number();
  };

  const result = value(0);
  blanks();
  if (at < text.length) fail("the end of the text");
  return result;
}

/**
 * Decodes UTF-8 bytes. Throws: FormatError for other bytes. (A replacement character would change a name silently.)
 */
export function decodeUtf8(
  bytes: Uint8Array,
  file: string,
  place: string,
  { keepBom = false }: { readonly keepBom?: boolean } = {},
): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: keepBom }).decode(bytes);
  } catch (cause) {
    throw new FormatError(
      file,
      place,
      "expected UTF-8 text, got bytes that are none. The file is damaged or of another kind: fetch or write it again.",
      { cause },
    );
  }
}

/** False where a string holds half of a surrogate pair. Such a string has no UTF-8 form. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function lineAndColumn(text: string): (index: number) => string {
  return (index) => {
    const before = text.slice(0, index).split("\n");
    return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
  };
}
