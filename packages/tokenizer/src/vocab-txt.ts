/**
 * A reader and a writer of vocab.txt: one token per line, the line number (from 0) is the id.
 *
 * Lines are read as the classes of Python `transformers` read them: white space at the end of a line is no part of the
 * token, an empty line is an id without a token, a byte order mark is a part of the first token, and of two lines with
 * the same token the later one counts. Source: models.WordPiece of `tokenizers` 0.23.3, EsmTokenizer of `transformers`
 * 5.24.0.
 */
import { FormatError } from "@cloze/errors";

/**
 * "bert": lines end in \n or \r\n, and lose white space at their end (BertTokenizer and all others of `tokenizers`).
 * "esm": lines end as those of Python's `splitlines`, and lose white space at both ends (EsmTokenizer).
 */
export type VocabTxtLines = "bert" | "esm";

const BERT_SPACE: RegExp = /\p{White_Space}+$/u;
/** Python's line ends and white space, with the separators U+001C to U+001F, which Unicode's white space lacks. */
const SEPARATORS: string = String.fromCharCode(0x1c, 0x1d, 0x1e);
const ESM_LINE_END: RegExp = new RegExp(`\\r\\n|[\\n\\r\\v\\f${SEPARATORS}\\u0085\\u2028\\u2029]`, "u");
const ESM_SPACES: string = `[\\p{White_Space}${SEPARATORS}${String.fromCharCode(0x1f)}]+`;
const ESM_SPACE: RegExp = new RegExp(`^${ESM_SPACES}|${ESM_SPACES}$`, "gu");

/** The text of each line, by id. Throws: FormatError for a file without a token. */
export function readVocabTxt(text: string, file = "vocab.txt", kind: VocabTxtLines = "bert"): string[] {
  const lines = text.split(kind === "bert" ? "\n" : ESM_LINE_END);
  if (lines.at(-1) === "") lines.pop();
  const tokens = lines.map((line) => line.replace(kind === "bert" ? BERT_SPACE : ESM_SPACE, ""));
  if (tokens.every((token) => token === ""))
    throw new FormatError(file, "", "expected one token per line, got an empty file. Fetch the file again.");
  return tokens;
}

export function writeVocabTxt(vocabulary: readonly string[]): string {
  return vocabulary.map((token) => `${token}\n`).join("");
}
