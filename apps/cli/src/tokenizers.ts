/** Tokenizers by name, or from the files beside a checkpoint's weights. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "@cloze/errors";
import type { ProteinTokenizer } from "@cloze/tokenizer-protein";
import { didYouMean } from "./suggest.ts";

export const TOKENIZER_NAMES = ["esm2", "protbert", "amplify"] as const;
const FILES = ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"] as const;

/** `name` is one of TOKENIZER_NAMES or a folder; `path` makes the folder absolute. A name wins over a folder of that name. */
export async function tokenizerFrom(name: string, path: (given: string) => string): Promise<ProteinTokenizer> {
  const protein = await import("@cloze/tokenizer-protein");
  const known = TOKENIZER_NAMES.find((each) => each === name);
  if (known !== undefined) return protein[known]();
  const folder = path(name), found = await stat(folder).catch(() => undefined);
  if (found === undefined) {
    throw new ConfigError(`tokenizer: expected ${TOKENIZER_NAMES.join(", ")} or a checkpoint folder, got ${JSON.stringify(name)}, which is neither.${didYouMean(name, TOKENIZER_NAMES)}`);
  }
  return tokenizerOfFolder(folder);
}

/** The tokenizer of a checkpoint folder. */
export async function tokenizerOfFolder(folder: string): Promise<ProteinTokenizer> {
  const { proteinTokenizerFromFiles } = await import("@cloze/tokenizer-protein"), files: Record<string, string> = {};
  for (const file of FILES) {
    const text = await readFile(join(folder, file), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text !== undefined) files[file] = text;
  }
  if (!("tokenizer.json" in files) && !("vocab.txt" in files)) {
    throw new ConfigError(`${folder}: expected tokenizer.json or vocab.txt, got neither. Copy the tokenizer's files beside the weights.`);
  }
  return proteinTokenizerFromFiles(files);
}
