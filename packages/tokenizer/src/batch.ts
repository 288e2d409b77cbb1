/**
 * A batch of token sequences in rows of equal length: the form of data that an objective takes.
 *
 * A row holds one sequence and padding, or several sequences packed one after another. `segments` marks both in the
 * same way (0 is padding), so the code that takes a batch need not know which of the two it is.
 */
export interface TokenBatch {
  readonly rows: number;
  readonly length: number;
  /** [rows * length] token ids, the pad id for padding. */
  readonly ids: Int32Array;
  /** [rows * length] 0 for padding, 1, 2, … for the sequences of a row in order. */
  readonly segments: Int32Array;
  /** [rows * length] position inside the token's own sequence, 0 for padding. */
  readonly positions: Int32Array;
  /**
   * [rows * length] 0 for the first text of a pair and for padding, 1 for the second (`token_type_ids`). Absent: all 0.
   */
  readonly types?: Int32Array;
  readonly sequences: readonly PackedSequence[];
}

export interface PackedSequence {
  /** Number of the example in its data set. Counter-based randomness uses it as the key. */
  readonly example: number;
  readonly row: number;
  readonly start: number;
  readonly length: number;
  /** Present where the sequence is a pair of texts: `[CLS] A [SEP] B [SEP]`. */
  readonly pair?: PackedPair;
}

export interface PackedPair {
  /** Place of the second text's first token in the sequence. */
  readonly second: number;
  /**
   * The right column of `relate`, as in BERT: 0 where the texts belong together (next, in order), 1 where they do not.
   */
  readonly label: 0 | 1;
}
