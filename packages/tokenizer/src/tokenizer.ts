/**
 * What every cloze tokenizer is: text to ids and back, with offsets, and nothing hidden (what was replaced or dropped is counted).
 */
import type { Encoding, EncodeOptions } from "./encoding.ts";

/** Ids of the special tokens that models and objectives ask for by role; a role that a vocabulary lacks is undefined. */
export interface SpecialIds {
  readonly pad: number;
  readonly unknown: number;
  readonly mask?: number;
  /** First token of a sequence: `<cls>`, `[CLS]`, `<bos>`. */
  readonly start?: number;
  /** Last token of a sequence: `<eos>`, `[SEP]`, `</s>`. */
  readonly end?: number;
}

export interface Tokenizer {
  /** Short name, e.g. "esm2", "protbert", "amplify". */
  readonly name: string;
  /** Token strings; the index is the id. */
  readonly vocabulary: readonly string[];
  readonly special: SpecialIds;
  /** Ids that are never masked, never predicted and skipped by decode. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids that a random replacement may draw: the vocabulary without special and unused tokens. */
  readonly regularIds: readonly number[];
  /** Hex digest of the vocabulary and the policies: written into token shards, compared on reading. */
  readonly hash: string;
  encode(text: string, options?: EncodeOptions): Encoding;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean }): string;
  idOf(token: string): number | undefined;
  /** Hugging Face files by name (tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json), as text. */
  files(): Readonly<Record<string, string>>;
}
