/** Fill-mask: the most likely tokens at each mask of a text, by a softmax over the whole vocabulary. */
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { lengthBucket } from "./buckets.ts";
import type { Runner } from "./runner.ts";

export interface Candidate {
  readonly token: string;
  readonly id: number;
  readonly probability: number;
}

export interface FilledMask {
  /** Position among the text's tokens, from 1, without the special tokens before it: the number of a residue. */
  readonly position: number;
  /** Position among all ids, from 0. */
  readonly index: number;
  /** The most likely candidate first. */
  readonly candidates: readonly Candidate[];
}

export async function fillMasks(
  runner: Runner,
  tokenizer: Tokenizer,
  vocab: number,
  text: string,
  top: number,
  longest: number,
): Promise<readonly FilledMask[]> {
  const { mask } = tokenizer.special;
  if (mask === undefined) throw new ConfigError(`fillMask: the tokenizer "${tokenizer.name}" has no mask token.`);
  if (!(Number.isSafeInteger(top) && top >= 1))
    throw new ConfigError(`fillMask, top: expected a whole number from 1, got ${top}.`);
  const { ids } = tokenizer.encode(text);
  const before = specialsBefore(tokenizer, ids);
  const masks = Array.from(ids).flatMap((id, i) => (id === mask ? [i] : []));
  if (masks.length === 0)
    throw new ConfigError(
      `fillMask: expected ${tokenizer.vocabulary[mask] ?? "a mask"} in the text, got none in ` +
        `${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)}. Put it where a token is to be ` +
        "predicted.",
    );
  if (ids.length > longest)
    throw new ConfigError(
      `fillMask: expected at most the ${longest} tokens that the model takes, start and end included, got ` +
        `${ids.length}. Shorten the text.`,
    );
  // The number of predictions is part of the shape, so it is rounded up to a power of two. The unused predictions point
  // at position 0.
  const seq = lengthBucket(ids.length);
  const count = 2 ** Math.ceil(Math.log2(masks.length));
  const at = new Int32Array(count);
  at.set(masks);
  const feeds = { ...runner.rowFeeds([{ ids }], 1, seq), at: { dtype: "i32" as const, shape: [count], data: at } };
  const logits = (await runner.run({ rows: 1, seq, predictions: count }, feeds))["predictions"] as Float32Array;
  runner.expectFinite(logits.subarray(0, masks.length * vocab), `fillMask, ${JSON.stringify(text.slice(0, 60))}`);
  return masks.map((index, i) => ({
    position: index - before + 1,
    index,
    candidates: likeliest(logits.subarray(i * vocab, (i + 1) * vocab), top).map(([id, probability]) => ({
      token: tokenizer.vocabulary[id] ?? "",
      id,
      probability,
    })),
  }));
}

const specialsBefore = (tokenizer: Tokenizer, ids: Int32Array): number =>
  tokenizer.special.start !== undefined && ids[0] === tokenizer.special.start ? 1 : 0;

/** [id, probability] of the `top` largest logits. Of equal logits, the smaller id comes first. */
function likeliest(logits: Float32Array, top: number): readonly (readonly [number, number])[] {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (x) => Math.exp(x - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return Array.from(weights, (w, id) => [id, w / sum] as const)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, top);
}
