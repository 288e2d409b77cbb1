/**
 * What every cloze tokenizer is: text to ids and back, with offsets, and nothing hidden (what was replaced or dropped
 * is counted).
 */
import type { Encoding, EncodeOptions } from "./encoding.ts";
import type { IssueCounter } from "./issue-counter.ts";

/**
 * Ids of the special tokens that models and objectives ask for by role; a role that a vocabulary lacks is undefined.
 */
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
  /**
   * Hugging Face files by name (tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json), as text.
   */
  files(): Readonly<Record<string, string>>;
}

/**
 * A tokenizer whose every token is one byte wide, in text and in ids: what lets a corpus go to uint8 shards at memory
 * speed.
 */
export interface ByteTokenizer extends Tokenizer {
  /**
   * Encodes the UTF-8 text in `source[start, end)` into `out` from `at` on; gives the number of ids written.
   *
   * The body only: no special tokens are added, and `<mask>` in the text is six characters. One call takes one whole
   * sequence (a trailing `*` is judged at its end). `issues` is added to, never reset. `out` needs room for `end -
   * start` ids.
   */
  encodeBytes(
    source: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    at: number,
    issues: IssueCounter,
  ): number;
}
