/**
 * What preparing data needs of a tokenizer: bytes of a sequence in, one-byte token ids out, with no string in between.
 *
 * The protein tokenizers have this method; any other `Tokenizer` is wrapped by `encoderOf`, which is slower and handles every vocabulary.
 */

export interface ByteEncoder {
  /**
   * Encodes `source[start, end)` (ASCII residues, no white space) without start and end tokens into `out` from `at`;
   * returns the position after the last id written. Writes at most `end - start` ids.
   */
  encodeBytes(source: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number;
}

/** Special tokens that frame a sequence; `tokenizer.special` fits. A role that is undefined is left out. */
export interface SpecialTokens {
  readonly pad: number;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}
