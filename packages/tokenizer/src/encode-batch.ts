/**
 * The encoder of several texts to rows of equal length: ids, attention mask and token types, as a model's forward takes
 * them.
 *
 * With `stride`, a text that does not fit gets further rows. `samples` gives the text of each row.
 */
import { ConfigError } from "@cloze/errors";
import type { TextEncodeOptions, TextEncoding, TextInput, TextTokenizer } from "./text-tokenizer.ts";

/** One text, or a pair. */
export type BatchInput = TextInput | { readonly text: TextInput; readonly pair: TextInput };

export interface EncodeBatchOptions extends Omit<TextEncodeOptions, "pair"> {
  /** Row length: the longest encoding (default), or `maxLength`, which is then required. */
  readonly pad?: "longest" | "maxLength";
  /** Rounds the row length up to a multiple of this number. Default 1. */
  readonly multipleOf?: number;
  /** Side of the padding: after the text (default) or before it. */
  readonly padSide?: "right" | "left";
}

export interface EncodedBatch {
  readonly rows: number;
  readonly length: number;
  /** [rows * length] */
  readonly ids: Int32Array;
  /** [rows * length] 1 for tokens, 0 for padding. */
  readonly mask: Int32Array;
  /** [rows * length] token types, 0 for padding. */
  readonly types: Int32Array;
  /** [rows] index of the row's text in the input. */
  readonly samples: Int32Array;
  /** The encoding of each row, without padding: offsets, words, sequences. */
  readonly encodings: readonly TextEncoding[];
}

/**
 * @example
 * encodeBatch(tokenizer, ["a cat", { text: "who?", pair: "a cat" }], { multipleOf: 8 }).length  // => 8
 */
export function encodeBatch(
  tokenizer: TextTokenizer,
  inputs: readonly BatchInput[],
  options: EncodeBatchOptions = {},
): EncodedBatch {
  const { pad = "longest", multipleOf = 1, padSide = "right", ...encode } = options;
  if (pad === "maxLength" && encode.maxLength === undefined)
    throw new ConfigError(
      'encodeBatch: expected maxLength with pad: "maxLength", got none. Give it, or pad to the longest.',
    );
  if (!(Number.isInteger(multipleOf) && multipleOf > 0))
    throw new ConfigError(`encodeBatch: expected multipleOf to be a whole number from 1, got ${multipleOf}.`);
  const encodings: TextEncoding[] = [];
  const samples: number[] = [];
  for (const [sample, input] of inputs.entries()) {
    const { text, pair } = typeof input === "string" || isWords(input) ? { text: input, pair: undefined } : input;
    const encoding = tokenizer.encode(text, { ...encode, ...(pair === undefined ? {} : { pair }) });
    for (const row of [encoding, ...encoding.overflow]) {
      encodings.push(row);
      samples.push(sample);
    }
  }
  const needed =
    pad === "maxLength"
      ? (encode.maxLength as number)
      : encodings.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const length = Math.ceil(needed / multipleOf) * multipleOf;
  const size = encodings.length * length;
  const ids = new Int32Array(size).fill(tokenizer.special.pad);
  const mask = new Int32Array(size);
  const types = new Int32Array(size);
  for (const [row, encoding] of encodings.entries()) {
    const at = row * length + (padSide === "right" ? 0 : length - encoding.ids.length);
    ids.set(encoding.ids, at);
    mask.fill(1, at, at + encoding.ids.length);
    types.set(encoding.types, at);
  }
  return { rows: encodings.length, length, ids, mask, types, samples: Int32Array.from(samples), encodings };
}

function isWords(input: BatchInput): input is readonly string[] {
  return Array.isArray(input);
}
