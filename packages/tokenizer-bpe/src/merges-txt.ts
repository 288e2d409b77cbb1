/**
 * A reader of vocab.json and merges.txt, the files of GPT-2's tokenizer: an object from token to id, and a merge per
 * line, in the order of the ranks. Source: BPE::read_file of Python `tokenizers` 0.23.3.
 */
import { FormatError } from "@cloze/errors";
import { describeJson, modelTokens, parseJsonObject, type ModelTokens } from "@cloze/tokenizer";
import type { Merge } from "./config.ts";

const AGAIN = "Fetch the file again.";

/** Throws: FormatError where a value is no id, or an id has two tokens. */
export function readVocabJson(text: string, file = "vocab.json"): ModelTokens {
  const entries = Object.entries(parseJsonObject(text, file));
  const byId = new Map<number, string>();
  for (const [token, id] of entries) {
    if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0)
      throw new FormatError(
        file,
        JSON.stringify(token),
        `expected an id (a whole number from 0), got ${describeJson(id)}. ${AGAIN}`,
      );
    const other = byId.get(id);
    if (other !== undefined)
      throw new FormatError(
        file,
        JSON.stringify(token),
        `expected one token per id, got ${JSON.stringify(other)} with the same id ${id}. ${AGAIN}`,
      );
    byId.set(id, token);
  }
  return modelTokens(entries as [string, number][]);
}

/** A line `#version…` is no merge. Throws: FormatError for a line without exactly two tokens. */
export function readMergesTxt(text: string, file = "merges.txt"): readonly Merge[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.flatMap((given, at): readonly Merge[] => {
    const line = given.replace(/\r$/, "");
    if (line.startsWith("#version")) return [];
    const [first, second, ...more] = line.split(" ");
    if (first === undefined || second === undefined || more.length > 0)
      throw new FormatError(
        file,
        `line ${at + 1}`,
        `expected two tokens with a space between, got ${JSON.stringify(line)}. ${AGAIN}`,
      );
    return [[first, second]];
  });
}
