/**
 * The interface of text tokenizers: beside ids, they give words, types and pairs, which tagging and question answering
 * need.
 *
 * The terms are those of Python `tokenizers`: types (`type_ids`), words (`word_ids`), sequences (`sequence_ids`).
 */
import type { Encoding, EncodeOptions } from "./encoding.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A text, or a text already split into words. */
export type TextInput = string | readonly string[];

export interface TextEncodeOptions extends EncodeOptions {
  /** The second text of a pair. */
  readonly pair?: TextInput;
  /** Which text `maxLength` shortens: the longer text of a pair first (default), or only one of the two. */
  readonly truncate?: "longest-first" | "only-first" | "only-second";
  /** Side on which `maxLength` cuts: the end of the text (default) or its start. */
  readonly truncateSide?: "right" | "left";
  /**
   * Puts tokens that do not fit into `overflow`: windows of `maxLength`, each with `stride` tokens of the previous
   * window. Default: these tokens are left out.
   */
  readonly stride?: number;
}

export interface TextEncoding extends Encoding {
  /** 0 for the first text and its special tokens, 1 for the second. */
  readonly types: Int32Array;
  /** For each token the number of its word, counted in its own text; -1 for special tokens. */
  readonly words: Int32Array;
  /** 0 for tokens of the first text, 1 for the second, -1 for special tokens. */
  readonly sequences: Int32Array;
  /** The further windows. Empty without `stride`, or where all tokens fit. */
  readonly overflow: readonly TextEncoding[];
}

export interface TextTokenizer extends Tokenizer {
  /**
   * Offsets count UTF-16 units in the token's own text. Where the text is a list of words, they count in the word.
   */
  encode(text: TextInput, options?: TextEncodeOptions): TextEncoding;
  /** Only the ids of the body, without special tokens and offsets. Fast, for corpora. */
  encodeIds(text: string): Int32Array;
}

/** True for a text tokenizer. A command checks this before it takes pairs, words or spans. */
export function isTextTokenizer(tokenizer: Tokenizer): tokenizer is TextTokenizer {
  return "encodeIds" in tokenizer;
}
