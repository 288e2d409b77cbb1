/** The comparison of a vocab.txt with the tokenizer.json beside it. */
import { FormatError } from "@cloze/errors";
import { describeJson } from "./json-file.ts";
import { tokensOfLines } from "./model-tokens.ts";

/**
 * Throws: FormatError where vocab.txt differs from tokenizer.json. vocab.txt may hold only the model's tokens or all
 * tokens. A line without a token of its own (empty, or the token of a later line) differs from nothing.
 */
export function compareVocabTxt(json: readonly string[], listed: readonly string[], modelSize: number): void {
  const { ids } = tokensOfLines(listed);
  let end = listed.length;
  while (end > 0 && listed[end - 1] === "") end--;
  const length = Math.max(modelSize, Math.min(end, json.length + 1));
  const differs = (id: number): boolean => {
    const line = listed[id];
    return (line === undefined || ids.get(line) === id) && json[id]?.trimEnd() !== line;
  };
  const at = Array.from({ length }, (_, id) => id).find(differs);
  if (at === undefined) return;
  throw new FormatError(
    "vocab.txt",
    `line ${at + 1}`,
    `expected ${describeJson(json[at])} as in tokenizer.json, got ${describeJson(listed[at])}. The two belong to ` +
      "different tokenizers: leave the wrong one out.",
  );
}
