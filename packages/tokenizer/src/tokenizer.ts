/**
 * The interface of all tokenizers: text to ids and back, with offsets. Nothing is hidden: every replaced or dropped
 * character is counted.
 */
import type { Encoding, EncodeOptions } from "./encoding.ts";
import type { IssueCounter } from "./issue-counter.ts";

/**
 * Ids of the special tokens by role, for models and objectives. A role that a vocabulary lacks is undefined.
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
  /** Short name, for example "esm2", "protbert", "amplify". */
  readonly name: string;
  /** Token strings; the index is the id. */
  readonly vocabulary: readonly string[];
  readonly special: SpecialIds;
  /** Ids that are never masked and never predicted, and that `decode` skips. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids for random replacements: the vocabulary without special and unused tokens. */
  readonly regularIds: readonly number[];
  /** Hex digest of the vocabulary and the policies. Token shards store it; a reader compares it. */
  readonly hash: string;
  /** Faults of the files that the tokenizer comes from that do not stop it, a sentence each, for the user. */
  readonly remarks?: readonly string[];
  encode(text: string, options?: EncodeOptions): Encoding;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean }): string;
  idOf(token: string): number | undefined;
  /**
   * Hugging Face files by name (tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json), as text.
   */
  files(): Readonly<Record<string, string>>;
}

/**
 * A tokenizer in which each token is one byte, in the text and as an id. It writes a corpus to uint8 shards at memory
 * speed.
 */
export interface ByteTokenizer extends Tokenizer {
  /**
   * Encodes the UTF-8 text in `source[start, end)` into `out` from `at` on. Returns the number of ids written.
   *
   * Only the body: it adds no special tokens, and `<mask>` in the text is six characters. One call takes one whole
   * sequence, because a `*` at the end has a rule of its own. It adds to `issues` and never resets it. `out` needs room
   * for `end - start` ids.
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
