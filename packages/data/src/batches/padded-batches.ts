/**
 * Batches of padded rows, one sequence in each: for evaluation and embedding.
 *
 * Every example comes once, in the smallest of a few row lengths that holds it. All batches of one row length have the
 * same number of rows (blank rows fill the last batch), so that a backend compiles few shapes. Batches go from short
 * rows to long rows; inside a row length, examples keep the order of the data set. `sequences` says which example lies
 * where.
 */
import { ConfigError } from "@cloze/errors";
import type { TokenBatch } from "@cloze/tokenizer";
import type { PaddedBatches, PaddedOptions } from "./batches.ts";
import type { Dataset } from "../rows/dataset.ts";
import { fillBatch } from "./fill-batch.ts";
import { framingLength } from "./framing.ts";

interface Bucket {
  readonly length: number;
  readonly rows: number;
  readonly firstBatch: number;
  readonly examples: Uint32Array;
}

export function paddedBatches(dataset: Dataset, options: PaddedOptions): PaddedBatches {
  const { special, maxSequence, crop = "start", seed = 0 } = options;
  const frame = framingLength(special);
  const lengths = options.buckets ?? powersUpTo(maxSequence);
  if (!(Number.isInteger(maxSequence) && maxSequence > frame))
    throw new ConfigError(`paddedBatches: expected maxSequence to be an integer above ${frame}, got ${maxSequence}.`);
  if (
    lengths.some((length, i) => !Number.isInteger(length) || length <= (lengths[i - 1] ?? 0)) ||
    (lengths.at(-1) ?? 0) < maxSequence
  ) {
    throw new ConfigError(
      `paddedBatches: expected buckets to ascend and to end at maxSequence ${maxSequence} or above, got ` +
        `[${lengths.join(", ")}].`,
    );
  }
  const buckets = fillBuckets(dataset, lengths, options);
  const count = buckets.reduce((n, b) => n + Math.ceil(b.examples.length / b.rows), 0);

  return {
    count,
    async batchAt(step: number): Promise<TokenBatch> {
      if (!Number.isInteger(step) || step < 0 || step >= count)
        throw new ConfigError(`batchAt: expected a batch from 0 to ${count - 1}, got ${step}.`);
      const { length, rows, firstBatch, examples } = buckets.findLast(
        (b) => b.firstBatch <= step && b.examples.length > 0,
      ) as Bucket;
      const from = (step - firstBatch) * rows;
      const content = Array.from(examples.subarray(from, from + rows), (example) => ({
        epoch: 0,
        examples: [example],
      }));
      return fillBatch(dataset, content, { rows, length, special, maxSequence, crop, seed });
    },
    ...(dataset.handle === undefined ? {} : { recipe: { layout: "padded", dataset: dataset.handle, options } }),
  };
}

function fillBuckets(dataset: Dataset, lengths: readonly number[], options: PaddedOptions): readonly Bucket[] {
  const { maxSequence, rowsPerBatch = 32, tokensPerBatch } = options;
  const frame = framingLength(options.special);
  const bucketOf = (example: number): number => {
    const tokens = Math.min(dataset.lengthOf(example) + frame, maxSequence);
    return lengths.findIndex((length) => tokens <= length);
  };
  const sizes = new Uint32Array(lengths.length);
  for (let i = 0; i < dataset.size; i++) sizes[bucketOf(i)] = (sizes[bucketOf(i)] as number) + 1;
  let firstBatch = 0;
  const buckets = lengths.map((length, b): Bucket => {
    const rows = tokensPerBatch === undefined ? rowsPerBatch : Math.max(1, Math.floor(tokensPerBatch / length));
    const bucket = { length, rows, firstBatch, examples: new Uint32Array(sizes[b] as number) };
    firstBatch += Math.ceil((sizes[b] as number) / rows);
    return bucket;
  });
  const next = new Uint32Array(lengths.length);
  for (let i = 0; i < dataset.size; i++) {
    const b = bucketOf(i);
    const at = next[b] as number;
    (buckets[b] as Bucket).examples[at] = i;
    next[b] = at + 1;
  }
  return buckets;
}

/** 64, 128, … and `longest` itself. */
function powersUpTo(longest: number): readonly number[] {
  const lengths: number[] = [];
  for (let length = 64; length < longest; length *= 2) lengths.push(length);
  return [...lengths, longest];
}
