/**
 * An added token: a text that is one token wherever it stands, and how to find it. Its entry in tokenizer.json and
 * tokenizer_config.json.
 */
import type { JsonObject } from "./json-file.ts";

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Search the token in the normalized text, not in the original. Absent means false, here and in the next three. */
  readonly normalized?: boolean;
  /** Match only where no letter or digit touches the token. */
  readonly singleWord?: boolean;
  /** Include the white space before the token. */
  readonly lstrip?: boolean;
  /** Include the white space after the token. */
  readonly rstrip?: boolean;
}

/**
 * An added token from its entry in tokenizer.json, or in the added_tokens_decoder of tokenizer_config.json (there the
 * key is the id).
 */
export function addedToken(entry: JsonObject, id: number, content: string): AddedToken {
  return {
    id,
    content,
    special: entry["special"] === true,
    ...(entry["normalized"] === true ? { normalized: true } : {}),
    ...(entry["single_word"] === true ? { singleWord: true } : {}),
    ...(entry["lstrip"] === true ? { lstrip: true } : {}),
    ...(entry["rstrip"] === true ? { rstrip: true } : {}),
  };
}

/**
 * The entry of an added token in tokenizer_config.json. In tokenizer.json the entry has the id as well.
 */
export function addedTokenJson(
  token: AddedToken,
): { readonly content: string; readonly special: boolean } & JsonObject {
  const { content, special, normalized = false, singleWord = false, lstrip = false, rstrip = false } = token;
  return { content, single_word: singleWord, lstrip, rstrip, normalized, special };
}
