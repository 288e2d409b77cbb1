/**
 * A word tokenizer for tests: ids 0 pad, 1 unknown, 2 start, 3 end, then one id for each word of letters, by a hash.
 * The vocabulary has `size` ids.
 */
import { IssueCounter, type TextTokenizer } from "@cloze/tokenizer";
import type { DataTokenizer } from "../src/index.ts";

export type WordTokenizer = DataTokenizer & Pick<TextTokenizer, "encodeIds">;

/** A word is a run of letters. "§" is the unknown word. Everything else separates words. */
export function wordTokenizer(size: number = 304): WordTokenizer {
  const idOf = (word: string): number =>
    word === "§"
      ? 1
      : 4 + ([...word].reduce((h, c) => (Math.imul(h, 31) + (c.codePointAt(0) ?? 0)) >>> 0, 7) % (size - 4));
  const encodeIds = (text: string): Int32Array => Int32Array.from(text.match(/\p{L}+|§/gu) ?? [], idOf);
  return {
    name: "words",
    hash: `words-${size}`,
    special: { pad: 0, unknown: 1, start: 2, end: 3 },
    encodeIds,
    vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...Array.from({ length: size - 4 }, (_, i) => `w${i}`)],
    encode(text) {
      const ids = encodeIds(text);
      return { ids, offsets: new Int32Array(2 * ids.length), truncated: 0, issues: new IssueCounter().issues() };
    },
  };
}
