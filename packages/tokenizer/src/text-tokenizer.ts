/**
 * A tokenizer of words: what tagging, question answering and pairs of texts need beside ids.
 *
 * Names and meanings are those of Python `tokenizers`: types (`type_ids`), words (`word_ids`), sequences
 * (`sequence_ids`).
 */
import type { Encoding, EncodeOptions } from "./encoding.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A text, or one that was split into words already. */
export type TextInput = string | readonly string[];

export interface TextEncodeOptions extends EncodeOptions {
  /** The second text of a pair. */
  readonly pair?: TextInput;
  /** What `maxLength` shortens: the longer text of a pair first (default), or one of them alone. */
  readonly truncate?: "longest-first" | "only-first" | "only-second";
  /** Where `maxLength` cuts: at the end (default) or at the start. */
  readonly truncateSide?: "right" | "left";
  /**
   * What did not fit goes into `overflow`, windows of `maxLength` that share `stride` tokens with the one before.
   * Default: it is left out.
   */
  readonly stride?: number;
}

export interface TextEncoding extends Encoding {
  /** 0 for the first text and its special tokens, 1 for the second. */
  readonly types: Int32Array;
  /** Number of the word that the token is part of, counted in its own text; -1 for special tokens. */
  readonly words: Int32Array;
  /** 0 for tokens of the first text, 1 for the second, -1 for special tokens. */
  readonly sequences: Int32Array;
  /** The further windows, where `stride` was given; empty without it, or if all fitted. */
  readonly overflow: readonly TextEncoding[];
}

export interface TextTokenizer extends Tokenizer {
  /** Offsets are into the text they come from; of a text given as words, into the word. */
  encode(text: TextInput, options?: TextEncodeOptions): TextEncoding;
  /** Ids of the body alone, without special tokens and offsets: the fast way, for corpora. */
  encodeIds(text: string): Int32Array;
}

/** Whether a tokenizer is one of words: what a command asks before it takes pairs, words or spans. */
export function isTextTokenizer(tokenizer: Tokenizer): tokenizer is TextTokenizer {
  return "encodeIds" in tokenizer;
}
