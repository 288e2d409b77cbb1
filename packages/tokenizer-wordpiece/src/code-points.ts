/**
 * The properties of each code point for BERT's basic tokenizer: one byte of flags each, unpacked from the tables once
 * per tokenizer.
 *
 * Price: 3.3 MB of address space; the system allocates only the pages in use. Source: unicode-tables.ts, which is made
 * with Python `tokenizers`.
 */
import { CHINESE, COMBINING, COMPOSED, DROPPED, MARKS, PUNCTUATION, SPACES } from "./unicode-tables.ts";

/** Removed by cleaning: controls, formats, private use, U+0000, U+FFFD. */
export const IS_DROPPED = 1;
export const IS_SPACE = 2;
/** Each is a word of its own. */
export const IS_PUNCTUATION = 4;
/** A non-spacing mark, which accent stripping removes. */
export const IS_MARK = 8;
export const IS_CHINESE = 16;
/** Not decomposed here, although the JavaScript engine's newer Unicode may decompose it. */
export const IS_COMPOSED = 32;

const UNCHANGED = 1;
const CHANGED = 2;

export interface CodePoints {
  /** [0x110000] The IS_… flags of each code point. */
  readonly flags: Uint8Array;
  /** Code point -> canonical combining class, for classes other than 0. They decide the order of marks. */
  readonly combining: ReadonlyMap<number, number>;
  /** The canonical decomposition of a single character; the character itself where it has none. */
  decomposed(code: number): readonly number[];
  /** The full lower case of a single character, without context: a capital sigma is always σ. */
  lower(code: number): readonly number[];
}

export function codePoints(): CodePoints {
  const flags = new Uint8Array(0x110000);
  const combining = new Map<number, number>();
  const set = (runs: string, flag: number): void => {
    forEachRun(runs, (start, end) => {
      for (let code = start; code < end; code++) flags[code] = (flags[code] as number) | flag;
    });
  };
  set(DROPPED, IS_DROPPED);
  set(SPACES, IS_SPACE);
  set(PUNCTUATION, IS_PUNCTUATION);
  set(MARKS, IS_MARK);
  set(CHINESE, IS_CHINESE);
  set(COMPOSED, IS_COMPOSED);
  for (const [combiningClass, runs] of COMBINING) {
    forEachRun(runs, (start, end) => {
      for (let code = start; code < end; code++) combining.set(code, combiningClass);
    });
  }
  return {
    flags,
    combining,
    decomposed: remembered((code) =>
      ((flags[code] as number) & IS_COMPOSED) === 0 ? String.fromCodePoint(code).normalize("NFD") : undefined,
    ),
    lower: remembered((code) => String.fromCodePoint(code).toLowerCase()),
  };
}

/** Caches a mapping of characters. It calls `become` once per character, and stores only characters that change. */
function remembered(become: (code: number) => string | undefined): (code: number) => readonly number[] {
  const asked = new Uint8Array(0x110000);
  const changed = new Map<number, readonly number[]>();
  return (code) => {
    if (asked[code] === 0) {
      const character = String.fromCodePoint(code);
      const text = become(code) ?? character;
      if (text !== character)
        changed.set(
          code,
          Array.from(text, (c) => c.codePointAt(0) as number),
        );
      asked[code] = text === character ? UNCHANGED : CHANGED;
    }
    return asked[code] === UNCHANGED ? [code] : (changed.get(code) as readonly number[]);
  };
}

function forEachRun(runs: string, take: (start: number, end: number) => void): void {
  const numbers = runs.split(" ").map((n) => Number.parseInt(n, 36));
  for (let i = 0, at = 0; i < numbers.length; i += 2) {
    const start = at + (numbers[i] as number);
    at = start + (numbers[i + 1] as number);
    take(start, at);
  }
}
