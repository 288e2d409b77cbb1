/**
 * The decoder from tokens to text: it joins pieces, puts a space before each word, and removes the spaces that ordinary
 * writing does not have.
 *
 * The clean-up is Python's: for each token in the decoder, and optionally over the whole text, as in `transformers`.
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
