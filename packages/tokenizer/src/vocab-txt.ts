/**
 * A reader and a writer of vocab.txt: one token per line, the line number (from 0) is the id.
 *
 * Lines end in \n or \r\n. A byte order mark and empty lines at the end are allowed, as in Python `transformers`.
 * Tokens are not trimmed: " a" and "a" are two tokens.
 */
import { FormatError } from "@cloze/errors";

/** Token strings by id. Throws: FormatError for an empty file, an empty line between tokens, or a repeated token. */
export function readVocabTxt(text: string, file = "vocab.txt"): string[] {
  const tokens = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));
  while (tokens.at(-1) === "") tokens.pop();
  if (tokens.length === 0)
    throw new FormatError(file, "", "expected one token per line, got an empty file. Fetch the file again.");
  const lineOf = new Map<string, number>();
  tokens.forEach((token, id) => {
    const line = `line ${id + 1}`;
    const first = lineOf.get(token);
    if (token === "")
      throw new FormatError(
        file,
        line,
        "expected a token, got an empty line. Every later id would be off by one: remove the line, or restore " +
          "the token that was there.",
      );
    if (first !== undefined)
      throw new FormatError(
        file,
        line,
        `expected each token once, got ${JSON.stringify(token)}, which is also on line ${first}. Remove one of ` +
          "them, knowing that later ids move.",
      );
    lineOf.set(token, id + 1);
  });
  return tokens;
}

export function writeVocabTxt(vocabulary: readonly string[]): string {
  return vocabulary.map((token) => `${token}\n`).join("");
}
