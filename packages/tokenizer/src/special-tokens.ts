/**
 * Special tokens by the role names of Python `transformers` (`pad_token`, `cls_token`, …), and a splitter that finds
 * them in a text.
 */
import type { SpecialIds } from "./tokenizer.ts";
import { templateSides, type SpecialTemplate } from "./special-template.ts";

export const SPECIAL_ROLES = [
  "unk_token",
  "pad_token",
  "mask_token",
  "cls_token",
  "sep_token",
  "bos_token",
  "eos_token",
] as const;
export type SpecialRole = (typeof SPECIAL_ROLES)[number];

/** Token strings by role. A vocabulary needs a padding and an unknown token; the other roles are optional. */
export type SpecialTokens = { readonly [R in SpecialRole]?: string } & {
  readonly unk_token: string;
  readonly pad_token: string;
};

/**
 * Ids by role. Start and end are the first and the last token that the template puts around a sequence. Undefined where
 * the vocabulary lacks the padding or the unknown token. Another role without a token is left out.
 */
export function specialIds(
  special: SpecialTokens,
  template: SpecialTemplate,
  idOf: (token: string) => number | undefined,
): SpecialIds | undefined {
  const sides = templateSides(template);
  const pad = idOf(special.pad_token);
  const unknown = idOf(special.unk_token);
  if (pad === undefined || unknown === undefined) return undefined;
  const id = <K extends string>(key: K, token: string | undefined): { [P in K]?: number } => {
    const found = token === undefined ? undefined : idOf(token);
    return (found === undefined ? {} : { [key]: found }) as { [P in K]?: number };
  };
  return {
    pad,
    unknown,
    ...id("mask", special.mask_token),
    ...id("start", sides.before[0]),
    ...id("end", sides.after.at(-1)),
  };
}

/** A part of a text: one special token (with its id), or ordinary text between special tokens. */
export interface TextPart {
  readonly start: number;
  readonly end: number;
  /** Id of the special token, undefined for ordinary text. */
  readonly id?: number;
}

/** Makes a function that splits a text at the tokens: exact case, the longest token first. No part is empty. */
export function specialSplitter(tokens: ReadonlyMap<string, number>): (text: string) => readonly TextPart[] {
  const escaped = [...tokens.keys()]
    .toSorted((a, b) => b.length - a.length)
    .map((t) => t.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  if (escaped.length === 0) return (text) => (text === "" ? [] : [{ start: 0, end: text.length }]);
  const pattern = new RegExp(escaped.join("|"), "g");
  return (text) => {
    const parts: TextPart[] = [];
    let from = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index > from) parts.push({ start: from, end: match.index });
      from = match.index + match[0].length;
      parts.push({ start: match.index, end: from, id: tokens.get(match[0]) as number });
    }
    if (from < text.length) parts.push({ start: from, end: text.length });
    return parts;
  };
}
