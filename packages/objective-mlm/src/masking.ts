/**
 * The choice of the tokens to predict in a sequence, and their replacements: a pure function of (stream, sequence).
 *
 * Of n maskable tokens, floor(rate * n + u) are wanted, u uniform per sequence. So the expected count is rate * n, and
 * no rounding rule skips a sequence. Units are taken in the order of their draws, until the wanted number of tokens is
 * chosen. Single tokens give exactly this number. With larger units, a run of several words is shortened to the number
 * of tokens that is still wanted. A single word that is longer than this number becomes the last unit, with probability
 * wanted / length. So the count differs by less than one word, and the expected count stays the same.
 *
 * Sources: 80/10/10 by token, Devlin et al. 2018, arXiv:1810.04805, section 3.1; whole words, its repository's note of
 * May 2019; n-grams, Lan et al. 2019, arXiv:1909.11942, section 4.1; spans, replaced as a whole, Joshi et al. 2019,
 * arXiv:1907.10529, section 3.1.
 */
import type { RandomStream } from "@cloze/random";

/** The replacement of a chosen token, as probabilities. With the remaining probability the token stays. */
export interface Replacement {
  readonly mask: number;
  readonly random: number;
}

export const BERT_REPLACEMENT: Replacement = { mask: 0.8, random: 0.1 };
export const ALL_MASK: Replacement = { mask: 1, random: 0 };

/**
 * The unit of choice: a token, a word, a run of 1 to 3 words (p ~ 1/n), or a run of 1 to 10 words (geometric, p = 0.2).
 */
export type MaskUnit = "token" | "whole-word" | "n-gram" | "span";

/** Probabilities of runs of 1, 2, … words, for each unit. */
const RUN_LENGTHS: { readonly [U in MaskUnit]: readonly number[] } = {
  token: [1],
  "whole-word": [1],
  "n-gram": /* @__PURE__ */ shares([1, 1 / 2, 1 / 3]),
  span: /* @__PURE__ */ shares(/* @__PURE__ */ Array.from({ length: 10 }, (_, i) => 0.2 * 0.8 ** i)),
};

export const MASK_UNITS: readonly MaskUnit[] = /* @__PURE__ */ Object.keys(RUN_LENGTHS) as MaskUnit[];

export interface Corruption {
  /** Position in the sequence. */
  readonly at: number;
  /** The new token at this position. */
  readonly token: number;
}

export interface CorruptOptions {
  readonly rate: number;
  readonly replacement: Replacement;
  readonly maskId: number;
  readonly specialIds: ReadonlySet<number>;
  readonly regularIds: readonly number[];
  /** Default "token". */
  readonly unit?: MaskUnit;
  /**
   * True for a token that continues the previous word. Special tokens end a word. Needed for every unit except "token".
   */
  readonly continuesWord?: (id: number) => boolean;
}

export function corruptSequence(
  ids: ArrayLike<number>,
  options: CorruptOptions,
  stream: RandomStream,
): readonly Corruption[] {
  const { rate, replacement, maskId, regularIds, unit = "token" } = options;
  const words = wordsOf(ids, options);
  const count = words.reduce((n, { first, end }) => n + end - first, 0);
  const wanted = Math.floor(rate * count + stream.split("count").uniform(0));
  const kind = stream.split("kind");
  const token = stream.split("token");
  return choose(words, wanted, unit, stream).flatMap(({ first, end }) => {
    const corrupted: Corruption[] = [];
    for (let at = first; at < end; at++) {
      const u = kind.uniform(unit === "span" ? first : at);
      if (u < replacement.mask) corrupted.push({ at, token: maskId });
      else if (u < replacement.mask + replacement.random)
        corrupted.push({ at, token: regularIds[token.below(regularIds.length, at)] as number });
      else corrupted.push({ at, token: ids[at] as number });
    }
    return corrupted;
  });
}

/** Positions `first` up to, not including, `end`. */
interface Stretch {
  readonly first: number;
  readonly end: number;
}

/** The words that may be masked, in order. With the unit "token" every token is a word. */
function wordsOf(
  ids: ArrayLike<number>,
  { specialIds, unit = "token", continuesWord }: CorruptOptions,
): readonly Stretch[] {
  const words: { first: number; end: number }[] = [];
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    const last = words.at(-1);
    if (specialIds.has(id)) continue;
    if (unit !== "token" && last?.end === i && continuesWord?.(id) === true) last.end = i + 1;
    else words.push({ first: i, end: i + 1 });
  }
  return words;
}

/** Chosen runs of words that together have `wanted` tokens, in the order of the text. */
function choose(words: readonly Stretch[], wanted: number, unit: MaskUnit, stream: RandomStream): readonly Stretch[] {
  const order = stream.split("choice");
  const draws = words.map(({ first }) => order.uniform(first));
  const turns = [...words.keys()].sort((a, b) => (draws[a] as number) - (draws[b] as number) || a - b);
  const lengths = RUN_LENGTHS[unit];
  const length = stream.split("length");
  const taken = new Uint8Array(words.length);
  const chosen: Stretch[] = [];
  let room = wanted;
  for (const turn of turns) {
    if (room === 0) break;
    if (taken[turn] === 1) continue;
    const { first, end: wordEnd } = words[turn] as Stretch;
    const run = lengths.length === 1 ? 1 : drawLength(lengths, length.uniform(first));
    if (wordEnd - first > room && !(stream.split("last").uniform(first) < room / (wordEnd - first))) break;
    let end = wordEnd;
    taken[turn] = 1;
    for (let next = turn + 1; next < turn + run; next++) {
      const word = words[next];
      if (word === undefined || word.first !== end || taken[next] === 1 || word.end - first > room) break;
      end = word.end;
      taken[next] = 1;
    }
    chosen.push({ first, end });
    room = Math.max(0, room - (end - first));
  }
  return chosen.sort((a, b) => a.first - b.first);
}

function drawLength(lengths: readonly number[], u: number): number {
  let below = 0;
  const found = lengths.findIndex((p) => u < (below += p));
  return found < 0 ? lengths.length : found + 1;
}

function shares(weights: readonly number[]): readonly number[] {
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w / total);
}
