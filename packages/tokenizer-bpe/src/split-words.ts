/**
 * GPT-2's words: contractions, letters, digits and symbols with the space before them, and white space.
 *
 * Every character is part of one word; of several white spaces before a word the last belongs to the word. Source:
 * Radford et al. 2019 (GPT-2); ByteLevel of Python `tokenizers` 0.23.3, whose white space is Unicode's (U+0085 is,
 * U+FEFF is none).
 */
const WORDS: RegExp =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The words, which joined are the text. */
export function splitWords(text: string): readonly string[] {
  return text.match(WORDS) ?? [];
}
