/**
 * The splitter of GPT-2's words: contractions; letters, digits or symbols with the space before them; white space.
 *
 * Every character belongs to one word. Of several spaces before a word, the last one belongs to the word. Source:
 * Radford et al. 2019 (GPT-2); ByteLevel of Python `tokenizers` 0.23.3, which uses Unicode's white space (with U+0085,
 * without U+FEFF).
 */
const WORDS: RegExp =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The words of a text. Joined, they are the text again. */
export function splitWords(text: string): readonly string[] {
  return text.match(WORDS) ?? [];
}
