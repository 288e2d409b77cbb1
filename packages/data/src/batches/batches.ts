/**
 * Batches by number, and their options. `batchAt(step)` is a pure function of the data set, the options and the step:
 * no state advances, steps may be asked for in any order, and a resumed run gets the same bytes.
 *
 * With several ranks or micro-batches, ask for the batch `(step * microBatches + micro) * world + rank`. All ranks
 * together then get the same batches for every world size.
 */
import type { TokenBatch } from "@cloze/tokenizer";
import type { Framing } from "./framing.ts";
import type { DatasetHandle } from "../rows/dataset.ts";

export interface Batches {
  batchAt(step: number): Promise<TokenBatch>;
  /** How a worker thread rebuilds the same batches; undefined if the data set has no handle. */
  readonly recipe?: BatchRecipe;
}

/**
 * Endless training batches: the rows of epoch 0, then the rows of epoch 1, and so on. A batch may begin in one epoch
 * and end in the next.
 */
export interface PackedBatches extends Batches {
  /** The epoch that the first row of this batch belongs to. */
  epochOf(step: number): number;
  /** The first batch that holds a row of this epoch. */
  firstStepOf(epoch: number): number;
  /** The number of rows in this epoch. Packing makes it differ a little from epoch to epoch. */
  rowsIn(epoch: number): number;
  /** Share of the positions in this epoch's rows that hold tokens, 0 to 1. */
  fillOf(epoch: number): number;
}

/** Each example once, one example in a row, in a few fixed shapes: for evaluation and embedding. */
export interface PaddedBatches extends Batches {
  /** Number of batches. */
  readonly count: number;
}

export interface PackedOptions {
  readonly seed: number;
  /** Tokens in a row. */
  readonly length: number;
  readonly rowsPerBatch: number;
  readonly special: Framing;
  /**
   * Longest sequence, with its start and end tokens. Longer examples are cropped to this length. Default and upper
   * bound: `length`.
   */
  readonly maxSequence?: number;
  /** At most this many sequences in a row; 1 gives padded rows. Default: as many as fit. */
  readonly sequencesPerRow?: number;
  /** What is kept of a long example: a window drawn anew each epoch, or the beginning. Default "random". */
  readonly crop?: "random" | "start";
  /**
   * Draw the examples in a new order each epoch (default), or keep the order of the data set, except inside a packing
   * window.
   */
  readonly shuffle?: boolean;
  /** Examples that are packed together. Default: enough for 256 rows, at least 2,048. */
  readonly window?: number;
}

export interface PaddedOptions {
  readonly special: Framing;
  /** Longest sequence, with its start and end tokens. Longer examples are cropped to this length. */
  readonly maxSequence: number;
  /** Rows in every batch. Default 32. With `tokensPerBatch` in its place, batches of short rows have more rows. */
  readonly rowsPerBatch?: number;
  readonly tokensPerBatch?: number;
  /** The row lengths, ascending; the last is at least `maxSequence`. Default: 64, 128, 256, … and `maxSequence`. */
  readonly buckets?: readonly number[];
  /** Default "start": evaluation should not depend on a draw. */
  readonly crop?: "random" | "start";
  /** For `crop: "random"`. Default 0. */
  readonly seed?: number;
}

/** The special tokens of a pair: `[CLS] A [SEP] B [SEP]`. */
export interface PairFraming {
  readonly pad: number;
  /** `[CLS]`. */
  readonly start?: number | undefined;
  /** `[SEP]`: after each of the two texts. */
  readonly end?: number | undefined;
}

export interface PairOptions {
  readonly seed: number;
  /** Tokens in a row. */
  readonly length: number;
  readonly rowsPerBatch: number;
  readonly special: PairFraming;
  /**
   * The second text in half of the pairs: "random" takes a text of another document, "swapped" puts A and B in the
   * wrong order.
   */
  readonly second: "random" | "swapped";
  /** Most tokens of a pair, special tokens included. Default and upper bound: `length`. */
  readonly maxSequence?: number;
  /**
   * Share of the documents whose pairs are shorter than they could be, so that training also sees short inputs. Default
   * 0.1, as in BERT.
   */
  readonly shortRate?: number;
  /** At most this many pairs in a row; 1 gives padded rows. Default: as many as fit. */
  readonly sequencesPerRow?: number;
  /**
   * Draw the documents in a new order each epoch (default), or keep the order of the data set, except inside a packing
   * window.
   */
  readonly shuffle?: boolean;
  /** Documents whose pairs are packed together. Default: enough for 256 rows, at least 32. */
  readonly window?: number;
}

export type BatchRecipe =
  | { readonly layout: "packed"; readonly dataset: DatasetHandle; readonly options: PackedOptions }
  | { readonly layout: "padded"; readonly dataset: DatasetHandle; readonly options: PaddedOptions }
  | { readonly layout: "pairs"; readonly dataset: DatasetHandle; readonly options: PairOptions };
