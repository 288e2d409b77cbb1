/** Options and result of encoding one text. */

export interface EncodeOptions {
  /** Add the start and end tokens. Default true. */
  readonly special?: boolean;
  /** Longest result, special tokens included; the body is cut at its end and the cut is reported in `truncated`. */
  readonly maxLength?: number;
}

export interface Encoding {
  readonly ids: Int32Array;
  /**
   * Start and end of each token in the text, in UTF-16 units, flattened [start0, end0, start1, …]; special tokens are
   * (0, 0).
   */
  readonly offsets: Int32Array;
  /** Tokens of the body that `maxLength` cut off. */
  readonly truncated: number;
  /** What the text held that the vocabulary does not, by character, with what was done to it. */
  readonly issues: EncodingIssues;
}

/**
 * Counts by character (as written in the text), over the whole text even where `maxLength` cut it. Empty records when
 * nothing happened.
 */
export interface EncodingIssues {
  /** Replaced by another token by policy (for ProtBert U, Z, O, B to X; a lower-case residue by its upper case). */
  readonly replaced: Readonly<Record<string, number>>;
  /** Not in the vocabulary: became the unknown token. */
  readonly unknown: Readonly<Record<string, number>>;
  /** Dropped by policy (white space, a final `*`). */
  readonly dropped: Readonly<Record<string, number>>;
}
