/**
 * The reader of a WordPiece tokenizer's files, from our checkpoints or those of BERT, its distillations and
 * descendants.
 *
 * Vocabulary: tokenizer.json, else vocab.txt. Where both exist, they must agree.
 * Pipeline: tokenizer.json, else tokenizer_config.json, else BERT's defaults. Where tokenizer_config.json sets the
 * case, accents or Chinese characters, it overrides tokenizer.json, as in Python.
 * Special tokens: tokenizer_config.json, else special_tokens_map.json, else BERT's.
 * A pipeline that is not BERT's is refused by name. Truncation and padding in tokenizer.json are ignored: they are
 * options of a call.
 */
import { FormatError } from "@cloze/errors";
import {
  addedToken,
  describeJson,
  isJsonObject,
  readTemplate,
  readTokenizerConfig,
  readTokenizerJson,
  readVocabTxt,
  type AddedToken,
  type JsonValue,
  type TokenizerConfig,
  type TokenizerJson,
} from "@cloze/tokenizer";
import { readSpecialTokens, vocabularyFault } from "@cloze/tokenizer/internal";
import type { WordPieceOptions } from "./config.ts";
import { wordPiece, type WordPieceTokenizer } from "./wordpiece-tokenizer.ts";

const JSON_FILE = "tokenizer.json";
const CONFIG_FILE = "tokenizer_config.json";
/** Limits from this number on mean "no limit", for which Python writes 1e30. */
const NO_LIMIT = 1e9;

/**
 * @param files texts by file name. Names other than the four are ignored. tokenizer.json or vocab.txt is required.
 * @param options override the values of the files.
 */
export function wordPieceFromFiles(
  files: Readonly<Record<string, string>>,
  options: Partial<WordPieceOptions> = {},
): WordPieceTokenizer {
  const jsonText = files[JSON_FILE];
  const vocabText = files["vocab.txt"];
  const configText = files[CONFIG_FILE];
  const json = jsonText === undefined ? undefined : readTokenizerJson(jsonText);
  const listed = vocabText === undefined ? undefined : readVocabTxt(vocabText);
  const config = configText === undefined ? undefined : readTokenizerConfig(configText);
  if (json === undefined && listed === undefined) {
    throw new FormatError(
      `${JSON_FILE} or vocab.txt`,
      "",
      `expected one of them, got ${Object.keys(files).join(", ") || "no files"}. Download the tokenizer files ` +
        "that stand beside the weights.",
    );
  }
  const base = json === undefined ? fromVocabTxt(listed as readonly string[], config) : fromTokenizerJson(json, listed);
  const special = readSpecialTokens(files, config, base.vocabulary, json?.model["unk_token"]);
  const whole: WordPieceOptions = { ...base, ...overrides(config), special, ...options };
  const fault = vocabularyFault(whole.vocabulary, special);
  if (fault !== undefined)
    throw new FormatError(
      json === undefined ? "vocab.txt" : JSON_FILE,
      json === undefined ? "" : "model.vocab",
      `${fault} Is this another kind of vocabulary?`,
    );
  return wordPiece(whole);
}

function fromVocabTxt(listed: readonly string[], config: TokenizerConfig | undefined): WordPieceOptions {
  const decoder = config?.json["added_tokens_decoder"];
  const vocabulary = [...listed];
  const addedTokens: AddedToken[] = [];
  const entries = isJsonObject(decoder)
    ? Object.entries(decoder)
        .map(([key, entry]) => [Number(key), entry] as const)
        .toSorted(([a], [b]) => a - b)
    : [];
  for (const [id, entry] of entries) {
    const place = `added_tokens_decoder["${id}"]`;
    const content = isJsonObject(entry) ? entry["content"] : undefined;
    if (!isJsonObject(entry) || typeof content !== "string")
      throw new FormatError(
        CONFIG_FILE,
        place,
        `expected an object with a content, got ${describeJson(entry)}. Save the tokenizer again from Python.`,
      );
    if (id === vocabulary.length) vocabulary.push(content);
    if (vocabulary[id] !== content)
      throw new FormatError(
        CONFIG_FILE,
        place,
        `expected ${describeJson(vocabulary[id])} as in vocab.txt, got ${JSON.stringify(content)}. The two ` +
          "belong to different tokenizers: leave the wrong one out.",
      );
    addedTokens.push(addedToken(entry, id, content));
  }
  return { vocabulary, modelSize: listed.length, addedTokens, ...textCleanUp(config) };
}

function fromTokenizerJson(json: TokenizerJson, listed: readonly string[] | undefined): WordPieceOptions {
  const { model, modelType, vocabulary } = json;
  if (modelType !== "WordPiece")
    throw new FormatError(
      JSON_FILE,
      "model.type",
      `expected WordPiece, got ${modelType}. Read it with the package of its kind (@cloze/tokenizer-protein for ` +
        "residues).",
    );
  const modelSize = Object.keys(isJsonObject(model["vocab"]) ? model["vocab"] : {}).length;
  const outside = json.addedTokens.find((t) => t.id < modelSize && !isOwn(model["vocab"], t.content));
  if (outside !== undefined)
    throw new FormatError(
      JSON_FILE,
      "added_tokens",
      `expected added tokens behind the model's ${modelSize}, got ${JSON.stringify(outside.content)} with id ` +
        `${outside.id}. Save the tokenizer again from Python.`,
    );
  if (listed !== undefined) compareVocabularies(vocabulary, listed, modelSize);
  return {
    vocabulary,
    modelSize,
    addedTokens: json.addedTokens,
    template: readTemplate(json.postProcessor),
    ...normalizerOptions(json.normalizer),
    ...preTokenizer(json.preTokenizer),
    prefix: typeof model["continuing_subword_prefix"] === "string" ? model["continuing_subword_prefix"] : "##",
    maxWordLength: typeof model["max_input_chars_per_word"] === "number" ? model["max_input_chars_per_word"] : 100,
    cleanUp: isJsonObject(json.decoder) && json.decoder["cleanup"] === false ? "none" : "tokens",
  };
}

function isOwn(object: JsonValue | undefined, key: string): boolean {
  return isJsonObject(object) && Object.hasOwn(object, key);
}

/** Throws where vocab.txt differs from tokenizer.json. vocab.txt may hold only the model's tokens or all tokens. */
function compareVocabularies(json: readonly string[], listed: readonly string[], modelSize: number): void {
  const length = Math.max(modelSize, Math.min(listed.length, json.length + 1));
  const at = Array.from({ length }, (_, id) => id).find((id) => json[id] !== listed[id]);
  if (at === undefined) return;
  throw new FormatError(
    "vocab.txt",
    `line ${at + 1}`,
    `expected ${describeJson(json[at])} as in tokenizer.json, got ${describeJson(listed[at])}. The two belong to ` +
      "different tokenizers: leave the wrong one out.",
  );
}

type Pipeline = Pick<WordPieceOptions, "lowercase" | "stripAccents" | "chineseCharacters" | "cleanText">;

function normalizerOptions(normalizer: JsonValue): Pipeline {
  if (normalizer === null) return { lowercase: false, stripAccents: false, chineseCharacters: false, cleanText: false };
  const type = isJsonObject(normalizer) ? normalizer["type"] : normalizer;
  if (!isJsonObject(normalizer) || type !== "BertNormalizer") {
    throw new FormatError(
      JSON_FILE,
      "normalizer",
      `expected BertNormalizer, got ${describeJson(type)}. Only BERT's pipeline is WordPiece here: save the ` +
        "tokenizer from Python as BertTokenizer.",
    );
  }
  const flag = (key: string, absent: boolean): boolean => {
    const value = normalizer[key] ?? absent;
    if (typeof value !== "boolean")
      throw new FormatError(
        JSON_FILE,
        `normalizer.${key}`,
        `expected true or false, got ${describeJson(value)}. Save the tokenizer again from Python.`,
      );
    return value;
  };
  const accents = normalizer["strip_accents"];
  return {
    lowercase: flag("lowercase", true),
    chineseCharacters: flag("handle_chinese_chars", true),
    cleanText: flag("clean_text", true),
    ...(accents === null || accents === undefined ? {} : { stripAccents: flag("strip_accents", false) }),
  };
}

function preTokenizer(value: JsonValue): Record<never, never> {
  const type = isJsonObject(value) ? value["type"] : value;
  if (type === "BertPreTokenizer") return {};
  throw new FormatError(
    JSON_FILE,
    "pre_tokenizer",
    `expected BertPreTokenizer, got ${describeJson(type)}. Only BERT's pipeline is WordPiece here: save the ` +
      "tokenizer from Python as BertTokenizer.",
  );
}

/** The settings that tokenizer_config.json overrides. A null in the file sets nothing. */
function overrides(config: TokenizerConfig | undefined): Partial<WordPieceOptions> {
  if (config === undefined) return {};
  const { json } = config;
  const flag = (key: string): boolean | undefined => {
    const value: JsonValue | undefined = json[key];
    if (value === undefined || value === null || typeof value === "boolean") return value ?? undefined;
    throw new FormatError(
      CONFIG_FILE,
      key,
      `expected true or false, got ${describeJson(value)}. Mend the entry or remove it.`,
    );
  };
  if (flag("do_basic_tokenize") === false) {
    throw new FormatError(
      CONFIG_FILE,
      "do_basic_tokenize",
      "expected true, got false: words split by somebody else. Remove the entry, and pass the text as a list of words.",
    );
  }
  const lowercase = flag("do_lower_case");
  const stripAccents = flag("strip_accents");
  const chineseCharacters = flag("tokenize_chinese_chars");
  const limit = json["model_max_length"];
  const names = json["model_input_names"];
  const own: JsonValue | undefined = json["cloze"];
  const name = isJsonObject(own) ? own["name"] : undefined;
  return {
    ...(lowercase === undefined ? {} : { lowercase }),
    ...(stripAccents === undefined ? {} : { stripAccents }),
    ...(chineseCharacters === undefined ? {} : { chineseCharacters }),
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof limit === "number" && limit > 0 && limit < NO_LIMIT ? { modelMaxLength: limit } : {}),
    ...(Array.isArray(names) && names.every((n: JsonValue) => typeof n === "string")
      ? { modelInputNames: names as readonly string[] }
      : {}),
    ...(json["clean_up_tokenization_spaces"] === true ? { cleanUp: "text" } : {}),
  };
}

function textCleanUp(config: TokenizerConfig | undefined): Pick<WordPieceOptions, "cleanUp"> {
  return { cleanUp: config?.json["clean_up_tokenization_spaces"] === true ? "text" : "tokens" };
}
