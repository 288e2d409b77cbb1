/**
 * The filling of a TokenBatch: writes examples into its rows, one after another. An example is start token, tokens
 * (cropped if there are too many), end token.
 */
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";
import { framingLength, type Framing } from "./framing.ts";
import { cropStart } from "../rows/crop.ts";
import type { Dataset } from "../rows/dataset.ts";

export interface RowContent {
  readonly epoch: number;
  readonly examples: ArrayLike<number>;
}

export interface FillOptions {
  readonly rows: number;
  readonly length: number;
  readonly special: Framing;
  /** Most tokens of a sequence, start and end tokens included. */
  readonly maxSequence: number;
  readonly crop: "random" | "start";
  readonly seed: number;
}

export async function fillBatch(
  dataset: Dataset,
  content: readonly RowContent[],
  options: FillOptions,
): Promise<TokenBatch> {
  const { rows, length, special, crop, seed } = options;
  const kept = options.maxSequence - framingLength(special);
  const ids = new Int32Array(rows * length).fill(special.pad);
  const segments = new Int32Array(rows * length);
  const positions = new Int32Array(rows * length);
  const sequences: PackedSequence[] = [];
  for (const [row, { epoch, examples }] of content.entries()) {
    let at = row * length;
    for (let i = 0; i < examples.length; i++) {
      const example = examples[i] as number;
      const start = at;
      const reading = dataset.read(example, epoch);
      const tokens = reading instanceof Promise ? await reading : reading;
      const from = crop === "random" ? cropStart(tokens.length, kept, { seed, epoch, example }) : 0;
      const until = Math.min(tokens.length, from + kept);
      if (special.start !== undefined) ids[at++] = special.start;
      for (let t = from; t < until; t++) ids[at++] = tokens[t] as number;
      if (special.end !== undefined) ids[at++] = special.end;
      segments.fill(i + 1, start, at);
      for (let p = start; p < at; p++) positions[p] = p - start;
      sequences.push({ example, row, start: start - row * length, length: at - start });
    }
  }
  return { rows, length, ids, segments, positions, sequences };
}
