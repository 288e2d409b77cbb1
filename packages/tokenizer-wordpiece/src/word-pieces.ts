/**
 * The greedy longest match from a word to its pieces, or to one unknown token.
 *
 * Each step takes, from the left, the longest token with which the rest of the word begins. Inside a word only tokens
 * with `##` match. Where no token matches, the whole word is unknown. A word of more than `maxWordLength` characters is
 * unknown too.
 * Source: Devlin et al. 2019 (BERT), tokenization.py; WordPiece of Python `tokenizers`.
 */
import { IS_PUNCTUATION, IS_SPACE, type CodePoints } from "./code-points.ts";
import type { Normalized } from "./normalize.ts";
import type { VocabularyTrie } from "./vocabulary-trie.ts";

/** The tokens of a stretch of text: ids, places [from, to) in the text, numbers of their words in the stretch. */
export interface Pieces {
  readonly ids: number[];
  readonly from: number[];
  readonly to: number[];
  readonly words: number[];
  /** Number of words. */
  count: number;
  /** For each unknown word the code point at which its match failed. */
  readonly unknown: number[];
}

export interface WordModel {
  readonly points: CodePoints;
  readonly trie: VocabularyTrie;
  readonly unknownId: number;
  readonly maxWordLength: number;
}

/** Splits normalized characters [start, end) at white space and punctuation, and each word into pieces. */
export function piecesOf(model: WordModel, text: Normalized, start: number, end: number): Pieces {
  const pieces: Pieces = { ids: [], from: [], to: [], words: [], count: 0, unknown: [] };
  forEachWord(model.points, text, start, end, (from, to) => addWord(model, text, from, to, pieces));
  return pieces;
}

/** Calls `take` with the range [start, end) of each word in the normalized characters [start, end). */
export function forEachWord(
  { flags }: CodePoints,
  { codes }: Normalized,
  start: number,
  end: number,
  take: (start: number, end: number) => void,
): void {
  let begun = start;
  const word = (until: number): void => {
    if (until > begun) take(begun, until);
    begun = until;
  };
  for (let i = start; i < end; i++) {
    const flag = flags[codes[i] as number] as number;
    if ((flag & (IS_SPACE | IS_PUNCTUATION)) === 0) continue;
    word(i);
    if ((flag & IS_SPACE) !== 0) begun = i + 1;
    else word(i + 1);
  }
  word(end);
}

function addWord(model: WordModel, text: Normalized, start: number, end: number, pieces: Pieces): void {
  const first = pieces.ids.length;
  const failed = matchWord(model, text, start, end, pieces);
  if (failed >= 0) {
    for (const list of [pieces.ids, pieces.from, pieces.to, pieces.words]) list.length = first;
    pieces.unknown.push(text.codes[failed] as number);
    push(pieces, model.unknownId, text.from[start] as number, text.to[end - 1] as number);
  }
  pieces.count++;
}

function push(pieces: Pieces, id: number, from: number, to: number): void {
  pieces.ids.push(id);
  pieces.from.push(from);
  pieces.to.push(to);
  pieces.words.push(pieces.count);
}

/** Adds the pieces of a word. Returns -1, or the index of the character at which the match failed. */
function matchWord(
  { trie, maxWordLength }: WordModel,
  text: Normalized,
  start: number,
  end: number,
  pieces: Pieces,
): number {
  if (end - start > maxWordLength) return start;
  for (let at = start; at < end;) {
    let node = at === start ? trie.root : trie.continuing;
    let id = -1;
    let until = at;
    for (let i = at; i < end && node >= 0; i++) {
      node = step(trie, node, text.codes[i] as number);
      const found = node < 0 ? -1 : (trie.ids[node] as number);
      if (found < 0) continue;
      id = found;
      until = i + 1;
    }
    if (id < 0) return at;
    push(pieces, id, text.from[at] as number, text.to[until - 1] as number);
    at = until;
  }
  return -1;
}

function step(trie: VocabularyTrie, node: number, code: number): number {
  if (code < 0x10000) return trie.next(node, code);
  const high = trie.next(node, 0xd800 + ((code - 0x10000) >> 10));
  return high < 0 ? -1 : trie.next(high, 0xdc00 + ((code - 0x10000) & 0x3ff));
}
