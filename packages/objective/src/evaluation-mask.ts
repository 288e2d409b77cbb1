/**
 * The evaluation mask, by which runs are compared: 15 % of each sequence's tokens become the mask token, drawn from a
 * fixed seed.
 *
 * Of n tokens, floor(0.15 n + u) are hidden, u uniform: the tokens with the smallest draws. The sequence's content is
 * the key of the draws. So the mask of a sequence does not depend on its file, order, batch or part of the data, and
 * not on the objective, rate or seed that trained the model. The mask has no options, because losses over different
 * masks cannot be compared.
 */
import { ConfigError } from "@cloze/errors";
import { RandomStream } from "@cloze/random";
import type { TokenBatch } from "@cloze/tokenizer";
import { encoderFeeds } from "./batch-feeds.ts";
import type { Prepared, TokenSet } from "./objective.ts";
import { slotFeeds, type Target } from "./slots.ts";

/** Fraction of the tokens that the evaluation hides. */
export const EVALUATION_RATE = 0.15;

const SEED = 20240520;

/**
 * A batch for the evaluation: the feeds of `encoderFeeds` and `slotFeeds` for the masked rows and their targets, and
 * the number of targets.
 *
 * Throws ConfigError if the tokens have no mask token.
 */
export function evaluationMask(
  batch: TokenBatch,
  tokens: Pick<TokenSet, "special" | "specialIds">,
): Prepared & { readonly weights: { readonly loss: number } } {
  const maskId = maskTokenOf(tokens, "evaluation");
  const root = new RandomStream(SEED).split("mlm");
  const ids = batch.ids.slice();
  const targets: Target[] = [];
  for (const { row, start, length } of batch.sequences) {
    const first = row * batch.length + start;
    const sequence = batch.ids.subarray(first, first + length);
    for (const at of chosen(sequence, tokens.specialIds, root.split(contentKey(sequence)))) {
      targets.push({ index: first + at, token: sequence[at] as number });
      ids[first + at] = maskId;
    }
  }
  return {
    feeds: {
      ...encoderFeeds(batch, ids),
      ...slotFeeds(targets, Math.ceil(EVALUATION_RATE * batch.rows * batch.length)),
    },
    weights: { loss: targets.length },
  };
}

function chosen(sequence: Int32Array, specialIds: ReadonlySet<number>, stream: RandomStream): readonly number[] {
  const order = stream.split("choice");
  const draws: { readonly at: number; readonly draw: number }[] = [];
  for (const [at, id] of sequence.entries()) if (!specialIds.has(id)) draws.push({ at, draw: order.uniform(at) });
  const count = Math.floor(EVALUATION_RATE * draws.length + stream.split("count").uniform(0));
  return draws
    .toSorted((a, b) => a.draw - b.draw || a.at - b.at)
    .slice(0, count)
    .map(({ at }) => at)
    .toSorted((a, b) => a - b);
}

/** The id of the mask token. Throws ConfigError if there is none; `where` names the objective in the error. */
export function maskTokenOf({ special }: Pick<TokenSet, "special">, where: string): number {
  if (special.mask === undefined)
    throw new ConfigError(`${where}: the tokenizer has no mask token. Choose a tokenizer with one.`);
  return special.mask;
}

/**
 * A number below 2^53 from a sequence's content: two FNV-1a hashes of the ids. It is the key of draws that must not
 * depend on the place of the sequence.
 */
export function contentKey(ids: Int32Array): number {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (const id of ids) {
    low = Math.imul(low ^ id, 0x01000193);
    high = Math.imul(high ^ (id + 0x55), 0x01000193);
  }
  return (low >>> 0) + ((high >>> 11) & 0x1fffff) * 2 ** 32;
}
