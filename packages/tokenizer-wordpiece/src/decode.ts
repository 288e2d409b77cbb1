/**
 * Tokens to text: pieces joined, a space before each word, and the spaces that no writer would set taken out again.
 *
 * Clean-up is Python's: token by token in the decoder, and over the whole text where `transformers` is asked to.
 * Source: decoders.WordPiece of `tokenizers` 0.23.3; clean_up_tokenization of `transformers` 5.23.0.
 */
import type { CleanUp } from "./config.ts";

const TOGETHER: readonly (readonly [from: string, to: string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

export function decodeTokens(tokens: readonly string[], prefix: string, cleanUp: CleanUp): string {
  const text = tokens.map((token, i) => {
    if (i === 0) return token;
    return prefix !== "" && token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
  });
  const joined = (cleanUp === "none" ? text : text.map(cleaned)).join("");
  return cleanUp === "text" ? cleaned(joined) : joined;
}

function cleaned(text: string): string {
  return TOGETHER.reduce((so, [from, to]) => so.replaceAll(from, to), text);
}
