/**
 * Which tokens of a sequence are predicted, and what stands in their place: a pure function of (stream, sequence).
 *
 * Of n maskable tokens exactly floor(rate * n + u) are chosen, u uniform per sequence, so that the expected count is rate * n
 * and no sequence is skipped by a rounding rule. The chosen are those with the smallest draws.
 * Source of 80/10/10: Devlin et al. 2018, arXiv:1810.04805, section 3.1.
 */
import type { RandomStream } from "@cloze/random";

/** What replaces a chosen token, as shares that add up to 1; what is left keeps the token. */
export interface Replacement {
  readonly mask: number;
  readonly random: number;
}

export const BERT_REPLACEMENT: Replacement = { mask: 0.8, random: 0.1 };
export const ALL_MASK: Replacement = { mask: 1, random: 0 };

export interface Corruption {
  /** Position in the sequence. */
  readonly at: number;
  /** The token that stands there now. */
  readonly token: number;
}

export function corruptSequence(
  ids: ArrayLike<number>,
  options: {
    readonly rate: number;
    readonly replacement: Replacement;
    readonly maskId: number;
    readonly specialIds: ReadonlySet<number>;
    readonly regularIds: readonly number[];
  },
  stream: RandomStream,
): readonly Corruption[] {
  const { rate, replacement, maskId, specialIds, regularIds } = options;
  const candidates: number[] = [];
  for (let i = 0; i < ids.length; i++) if (!specialIds.has(ids[i] as number)) candidates.push(i);
  const chosenCount = Math.floor(rate * candidates.length + stream.split("count").uniform(0));
  const order = stream.split("choice"), draws = new Map(candidates.map((i) => [i, order.uniform(i)]));
  const chosen = candidates.sort((a, b) => (draws.get(a) as number) - (draws.get(b) as number) || a - b).slice(0, chosenCount).sort((a, b) => a - b);
  const kind = stream.split("kind"), token = stream.split("token");
  return chosen.map((at) => {
    const u = kind.uniform(at);
    if (u < replacement.mask) return { at, token: maskId };
    if (u < replacement.mask + replacement.random) return { at, token: regularIds[token.below(regularIds.length, at)] as number };
    return { at, token: ids[at] as number };
  });
}
