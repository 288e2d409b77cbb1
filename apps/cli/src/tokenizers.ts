/**
 * Tokenizers by name, or from the files beside a checkpoint's weights. The content of the files tells tokenizers of
 * residues from tokenizers of text.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, FormatError } from "@cloze/errors";
import type { JsonObject, JsonValue, Tokenizer } from "@cloze/tokenizer";
import type { BpeTokenizer } from "@cloze/tokenizer-bpe";
import type { ProteinTokenizer } from "@cloze/tokenizer-protein";
import type { WordPieceTokenizer } from "@cloze/tokenizer-wordpiece";
import { didYouMean } from "./suggest.ts";

export const TOKENIZER_NAMES = ["esm2", "protbert", "amplify"] as const;

/** The files that say what a tokenizer is. config.json names the model's type, which can decide how they are read. */
export const tokenizerSources = async (): Promise<readonly string[]> => [
  ...(await import("@cloze/checkpoint")).tokenizerFiles,
  "config.json",
];
/** A tokenizer has one of them. */
const VOCABULARIES = ["tokenizer.json", "vocab.txt", "vocab.json"] as const;

/**
 * Opens a tokenizer. `name` is one of TOKENIZER_NAMES or a folder; `path` makes the folder absolute. A tokenizer's name
 * wins over a folder of the same name.
 */
export async function tokenizerFrom(name: string, path: (given: string) => string): Promise<Tokenizer> {
  const known = TOKENIZER_NAMES.find((each) => each === name);
  if (known !== undefined) return (await import("@cloze/tokenizer-protein"))[known]();
  const folder = path(name);
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) {
    throw new ConfigError(
      `tokenizer: expected ${TOKENIZER_NAMES.join(", ")} or a checkpoint folder, got ${JSON.stringify(name)}, ` +
        `which is neither.${didYouMean(name, TOKENIZER_NAMES)}`,
    );
  }
  return tokenizerOfFolder(folder);
}

/** Whether a folder has a tokenizer's files. */
export async function holdsTokenizer(folder: string): Promise<boolean> {
  for (const file of VOCABULARIES)
    if ((await stat(join(folder, file)).catch(() => undefined)) !== undefined) return true;
  return false;
}

/**
 * The tokenizer of a checkpoint folder. It is a `TextTokenizer` (`isTextTokenizer`) if its vocabulary is one of word
 * pieces or of bytes.
 */
export async function tokenizerOfFolder(folder: string): Promise<Tokenizer> {
  const files: Record<string, string> = {};
  for (const file of await tokenizerSources()) {
    const text = await readFile(join(folder, file), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text !== undefined) files[file] = text;
  }
  if (!VOCABULARIES.some((file) => file in files)) {
    throw new ConfigError(
      `${folder}: expected tokenizer.json or vocab.txt, got neither, nor vocab.json. Copy the tokenizer's files ` +
        "beside the weights.",
    );
  }
  try {
    const kind = await kindOf(files);
    if (kind === "wordpiece") return (await import("@cloze/tokenizer-wordpiece")).wordPieceFromFiles(files);
    if (kind === "bpe") return (await import("@cloze/tokenizer-bpe")).bpeFromFiles(files);
    return (await import("@cloze/tokenizer-protein")).proteinTokenizerFromFiles(files);
  } catch (error) {
    if (!FormatError.isInstance(error)) throw error;
    const file = error.file in files ? join(folder, error.file) : folder;
    throw new FormatError(file, error.place, error.message.slice(error.message.indexOf(": ") + 2), { cause: error });
  }
}

/** The tokenizer as one of residues. Throws ConfigError for a tokenizer of text. */
export function proteinTokenizer(tokenizer: Tokenizer, where: string): ProteinTokenizer {
  if (isProteinTokenizer(tokenizer)) return tokenizer;
  throw new ConfigError(
    `${where}: expected a tokenizer of residues (${TOKENIZER_NAMES.join(", ")}), got "${tokenizer.name}", ` +
      `${tokenizer.vocabulary.length} pieces of text. Name another one.`,
  );
}

/** What the tokenizer's tokens are called: residues or tokens. */
export const nounsOf = (tokenizer: Tokenizer): "residues" | "tokens" =>
  isProteinTokenizer(tokenizer) ? "residues" : "tokens";

export function isWordPiece(tokenizer: Tokenizer): tokenizer is WordPieceTokenizer {
  return (
    "config" in tokenizer &&
    typeof tokenizer.config === "object" &&
    tokenizer.config !== null &&
    "maxWordLength" in tokenizer.config
  );
}

export function isBpe(tokenizer: Tokenizer): tokenizer is BpeTokenizer {
  return (
    "config" in tokenizer &&
    typeof tokenizer.config === "object" &&
    tokenizer.config !== null &&
    "merges" in tokenizer.config
  );
}

export function isProteinTokenizer(tokenizer: Tokenizer): tokenizer is ProteinTokenizer {
  return "alphabet" in tokenizer && "encodeBytes" in tokenizer;
}

/**
 * The package that reads these files. Files of cloze name it in tokenizer_config.json. Otherwise the model type of
 * tokenizer.json decides, but WordPiece (and a lone vocab.txt) may hold residues, as for ProtBert. The ordinary tokens
 * tell the two apart: for residues they are single characters. BPE without merges also means residues.
 */
async function kindOf(files: Readonly<Record<string, string>>): Promise<"wordpiece" | "bpe" | "protein"> {
  const { isJsonObject, readTokenizerConfig, readTokenizerJson, readVocabTxt } = await import("@cloze/tokenizer");
  const { pythonReading } = await import("@cloze/tokenizer/internal");
  const configText = files["tokenizer_config.json"];
  const jsonText = files["tokenizer.json"];
  const vocabText = files["vocab.txt"];
  const config = configText === undefined ? undefined : readTokenizerConfig(configText).json;
  const own: JsonValue | undefined = config?.["cloze"];
  if (isJsonObject(own)) return own["kind"] === "wordpiece" || own["kind"] === "bpe" ? own["kind"] : "protein";
  const json = jsonText === undefined ? undefined : readTokenizerJson(jsonText);
  if (json === undefined && vocabText === undefined) return "bpe";
  if (pythonReading(files) === "esm") return "protein";
  if (json?.modelType === "BPE" && Array.isArray(json.model["merges"]) && json.model["merges"].length > 0) return "bpe";
  if (json !== undefined && json.modelType !== "WordPiece") return "protein";
  // Added tokens may be words, also beside residues.
  const vocabulary = json === undefined ? readVocabTxt(vocabText ?? "") : [...json.modelTokens.ids.keys()];
  return vocabulary.some(isWordPart) || namesAWordClass(config) ? "wordpiece" : "protein";
}

/** Whether a token is a piece inside a word, or a word of two letters or more. */
function isWordPart(token: string): boolean {
  return token.startsWith("##") || /^[\p{L}\p{N}]{2,}$/u.test(token);
}

/**
 * Whether the configuration names BERT's tokenizer class and lower-cases, which no tokenizer of residues does. Only
 * fast BERT vocabularies without a single word need this question.
 */
function namesAWordClass(config: JsonObject | undefined): boolean {
  const name = config?.["tokenizer_class"];
  return typeof name === "string" && name.startsWith("BertTokenizer") && config?.["do_lower_case"] === true;
}
