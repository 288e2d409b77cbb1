/** The types of encoding one text: options and result. */
import type { Utf16Offsets } from "./code-point-offsets.ts";

export interface EncodeOptions {
  /** Add the start and end tokens. Default true. */
  readonly special?: boolean;
  /** Longest result, with the special tokens. A longer body is cut at its end; `truncated` counts the lost tokens. */
  readonly maxLength?: number;
}

export interface Encoding {
  readonly ids: Int32Array;
  /**
   * [2 * length] Start and end of each token in the text, in UTF-16 units: [start0, end0, start1, …]. A special token
   * has (0, 0). `codePointOffsets` gives them in code points, as Python has them.
   */
  readonly offsets: Utf16Offsets;
  /** Number of body tokens that `maxLength` cut off. */
  readonly truncated: number;
  /** Counts of characters that the vocabulary lacks or a policy changes. */
  readonly issues: EncodingIssues;
}

/**
 * Counts by character, as written in the text. They cover the whole text, also where `maxLength` cut it. Without issues
 * the records are empty.
 */
export interface EncodingIssues {
  /** Replaced by policy with another token (in ProtBert U, Z, O, B with X; a lower-case residue with its capital). */
  readonly replaced: Readonly<Record<string, number>>;
  /** Not in the vocabulary: encoded as the unknown token. */
  readonly unknown: Readonly<Record<string, number>>;
  /** Dropped by policy (white space, a final `*`). */
  readonly dropped: Readonly<Record<string, number>>;
}
