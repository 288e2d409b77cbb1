/**
 * The special tokens that batches need: the tokens that frame a sequence, and the token that fills the rest of a row.
 */

/** `tokenizer.special` has this form. Tokens that are undefined are left out. */
export interface Framing {
  readonly pad: number;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** Number of framing tokens of a sequence: 0, 1 or 2. */
export function framingLength(special: Pick<Framing, "start" | "end">): number {
  return (special.start === undefined ? 0 : 1) + (special.end === undefined ? 0 : 1);
}
