/**
 * The splitter that finds added tokens in a text. It runs before all other steps, so an added token is never split.
 *
 * The leftmost match wins; at one place, the longest; of equal ones, the first of the list. `singleWord` refuses a
 * match that touches a letter or a digit. `lstrip` and `rstrip` include the white space before and after the token. A
 * token marked `normalized` is searched in the normalized text, another token in the original text. Source:
 * AddedVocabulary of Python `tokenizers` 0.23.3.
 */
import type { AddedToken } from "./added-token.ts";

/** A part [start, end) of a text: one added token (with its id), or the text between added tokens. */
export interface Part {
  readonly start: number;
  readonly end: number;
  readonly id?: number;
}

const WORD_BEFORE: RegExp = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AFTER: RegExp = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACES: RegExp = /\p{White_Space}/u;

/** Makes a function that splits a text at the tokens. `content` is the text to search. Parts are never empty. */
export function addedTokenSplitter(
  tokens: readonly (readonly [content: string, token: AddedToken])[],
): (text: string) => readonly Part[] {
  // Of two tokens with one content (their normalized texts may be equal), the first counts.
  const byContent = new Map(tokens.filter(([content]) => content !== "").toReversed());
  const escaped = [...byContent.keys()]
    .toSorted((a, b) => b.length - a.length)
    .map((t) => t.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  const whole = (text: string): readonly Part[] => (text === "" ? [] : [{ start: 0, end: text.length }]);
  if (escaped.length === 0) return whole;
  const pattern = new RegExp(escaped.join("|"), "g");
  return (text) => {
    const parts: Part[] = [];
    let from = 0;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const token = byContent.get(match[0]) as AddedToken;
      let start = match.index;
      let end = start + match[0].length;
      if (token.singleWord === true && (touchesBefore(text, start) || touchesAfter(text, end))) continue;
      if (token.lstrip === true) start = Math.max(from, spacesBefore(text, start));
      if (token.rstrip === true) while (end < text.length && SPACES.test(text.charAt(end))) end++;
      // White space that `rstrip` of the token before has taken may be part of this one. All of it: no token is left.
      if (start >= end) continue;
      if (start > from) parts.push({ start: from, end: start });
      parts.push({ start, end, id: token.id });
      from = end;
    }
    if (parts.length === 0) return whole(text);
    if (from < text.length) parts.push({ start: from, end: text.length });
    return parts;
  };
}

function spacesBefore(text: string, at: number): number {
  let start = at;
  while (start > 0 && SPACES.test(text.charAt(start - 1))) start--;
  return start;
}

/** True where a word character ends at `at`. Two UTF-16 units are enough for one character. */
function touchesBefore(text: string, at: number): boolean {
  return WORD_BEFORE.test(text.slice(Math.max(0, at - 2), at));
}

function touchesAfter(text: string, at: number): boolean {
  return WORD_AFTER.test(text.slice(at, at + 2));
}
