/**
 * The parser of CoNLL files. Each line has a word and its tag, separated by tabs or spaces: the word is the first
 * column, the tag is the last. Blank lines separate sentences. The parser skips `-DOCSTART-` lines and a byte order
 * mark.
 */
import { FormatError } from "@cloze/errors";
import type { TaggedRecord } from "./token-classification.ts";

export interface TaggedSentence extends TaggedRecord {
  readonly words: readonly string[];
  readonly tags: readonly string[];
  /** Line number of the first word, from 1. */
  readonly line: number;
}

/**
 * Parses a CoNLL file. Throws FormatError with the line number for a word without a tag, and FormatError for a file
 * without words.
 */
export function parseConll(text: string, file: string): readonly TaggedSentence[] {
  const sentences: TaggedSentence[] = [];
  let words: string[] = [];
  let tags: string[] = [];
  let line = 0;
  const end = (): void => {
    if (words.length > 0) sentences.push({ words, tags, line: line - words.length });
    [words, tags] = [[], []];
  };
  for (const raw of text.replace(/^\u{feff}/u, "").split(/\r\n|\n/)) {
    line += 1;
    if (raw.trim() === "" || raw.startsWith("-DOCSTART-")) {
      end();
      continue;
    }
    const columns = raw.includes("\t") ? raw.split("\t") : raw.trim().split(/ +/);
    const word = columns[0] as string;
    const tag = (columns.at(-1) as string).trim();
    if (columns.length < 2 || tag === "" || word === "")
      throw new FormatError(
        file,
        `line ${line}`,
        `expected a word and its tag, got ${JSON.stringify(raw.slice(0, 40))}. Separate them by a tab, and ` +
          "sentences by a blank line.",
      );
    words.push(word);
    tags.push(tag);
  }
  line += 1;
  end();
  if (sentences.length === 0) throw new FormatError(file, "", "expected words and tags, got an empty file.");
  return sentences;
}
