/**
 * The reader of a WordPiece tokenizer's files, from our checkpoints or those of BERT, its distillations and
 * descendants. What it reads is what the class of Python `transformers` reads that opens the files.
 *
 * Vocabulary: tokenizer.json, else vocab.txt. Where both exist, they must agree.
 * Pipeline: for BertTokenizer and its relatives tokenizer_config.json alone, with BERT's defaults; for any other class
 * tokenizer.json alone. So `do_lower_case` overrides tokenizer.json for some classes only. Where no file names a class,
 * tokenizer.json counts, and what tokenizer_config.json sets overrides it.
 * Added and special tokens: see @cloze/tokenizer, named-tokens.ts.
 * A pipeline that is not BERT's is refused by name. Truncation and padding in tokenizer.json are ignored: they are
 * options of a call.
 */
import { FormatError } from "@cloze/errors";
import {
  describeJson,
  isJsonObject,
  readTemplate,
  readTokenizerConfig,
  readTokenizerJson,
  readVocabTxt,
  tokensOfLines,
  type JsonValue,
  type SpecialTemplate,
  type SpecialTokens,
  type TokenizerConfig,
  type TokenizerJson,
} from "@cloze/tokenizer";
import {
  BERT_SPECIAL,
  bertTemplate,
  compareVocabTxt,
  isOwn,
  pythonReading,
  readTokens,
  type PythonReading,
} from "@cloze/tokenizer/internal";
import { completeConfig, type WordPieceOptions } from "./config.ts";
import { tokenizerOf, type WordPieceTokenizer } from "./wordpiece-tokenizer.ts";

const JSON_FILE = "tokenizer.json";
const CONFIG_FILE = "tokenizer_config.json";
/** Limits from this number on mean "no limit", for which Python writes 1e30. */
const NO_LIMIT = 1e9;

/**
 * @param files texts by file name. tokenizer.json or vocab.txt is required; tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and config.json (for the model's class) are optional.
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
  if (json !== undefined) refuseOtherModels(json);
  const file = json === undefined ? "vocab.txt" : JSON_FILE;
  const model = json?.modelTokens ?? tokensOfLines(listed ?? []);
  const named = pythonReading(files);
  const reading = readingOf(named, files, json);
  const { vocabulary, modelSize, addedTokens, special, remarks } = readTokens(files, {
    reading,
    model,
    json,
    file,
    usual: (tokens) => usualRoles(json, tokens),
  });
  if (!model.ids.has(special.unk_token))
    throw new FormatError(
      file,
      json === undefined ? "" : "model.vocab",
      `expected the unk_token ${JSON.stringify(special.unk_token)} in the vocabulary, got ${model.count} tokens ` +
        "without it. Add it, or name the token that has this role. Is this another kind of vocabulary?",
    );
  if (json !== undefined && listed !== undefined) compareVocabTxt(vocabulary, listed, modelSize);
  const whole: WordPieceOptions = {
    vocabulary,
    modelSize,
    addedTokens,
    special,
    ...(json === undefined || reading === "bert" || reading === "dpr" || reading === "mpnet"
      ? configPipeline(reading, config, special)
      : { ...jsonPipeline(json), ...(reading === "convbert" ? { template: templateOf(reading, special) } : {}) }),
    // Files that name no class, and those of cloze: tokenizer.json, with the settings that the configuration has.
    ...(named === undefined || (named === "bert" && isOwn(files)) ? normalizerFlags(config) : {}),
    ...ownOptions(config),
    ...options,
  };
  return tokenizerOf(completeConfig(whole), remarks);
}

function readingOf(
  named: PythonReading | undefined,
  files: Readonly<Record<string, string>>,
  json: TokenizerJson | undefined,
): PythonReading {
  if (json === undefined) return named === "mpnet" || named === "convbert" || named === "dpr" ? named : "bert";
  return isOwn(files) || named === undefined || named === "roberta" || named === "esm" ? "whole" : named;
}

/** BERT's tokens for roles that nothing names, where the vocabulary has them. The model may name the unknown token. */
function usualRoles(json: TokenizerJson | undefined, tokens: ReadonlySet<string>): Partial<SpecialTokens> {
  const unknown = json?.model["unk_token"];
  const found = Object.fromEntries(Object.entries(BERT_SPECIAL).filter(([, token]) => tokens.has(token)));
  return {
    unk_token: typeof unknown === "string" ? unknown : BERT_SPECIAL.unk_token,
    pad_token: BERT_SPECIAL.pad_token,
    ...found,
    ...(typeof unknown === "string" ? { unk_token: unknown } : {}),
  };
}

/** The template that a class has of its own. MPNet's is RoBERTa's. */
function templateOf(reading: PythonReading, special: SpecialTokens): SpecialTemplate {
  const { cls_token = "", sep_token = "" } = special;
  if (reading !== "mpnet") return bertTemplate(special);
  return {
    single: `${cls_token} $A ${sep_token}`,
    pair: `${cls_token} $A ${sep_token} ${sep_token} $B ${sep_token}`,
  };
}

/** The pipeline of BertTokenizer: the configuration's flags, else BERT's defaults. */
function configPipeline(
  reading: PythonReading,
  config: TokenizerConfig | undefined,
  special: SpecialTokens,
): Partial<WordPieceOptions> {
  return {
    template: templateOf(reading, special),
    ...normalizerFlags(config),
    ...(reading === "dpr" ? { lowercase: true } : {}),
    cleanUp: "tokens",
  };
}

function refuseOtherModels({ modelType }: TokenizerJson): void {
  if (modelType === "WordPiece") return;
  throw new FormatError(
    JSON_FILE,
    "model.type",
    `expected WordPiece, got ${modelType}. Read it with the package of its kind (@cloze/tokenizer-protein for ` +
      "residues).",
  );
}

/** The pipeline of tokenizer.json. */
function jsonPipeline(json: TokenizerJson): Partial<WordPieceOptions> {
  const { model } = json;
  return {
    template: readTemplate(json.postProcessor),
    ...normalizerOptions(json.normalizer),
    ...preTokenizer(json.preTokenizer),
    prefix: typeof model["continuing_subword_prefix"] === "string" ? model["continuing_subword_prefix"] : "##",
    maxWordLength: typeof model["max_input_chars_per_word"] === "number" ? model["max_input_chars_per_word"] : 100,
    cleanUp: isJsonObject(json.decoder) && json.decoder["cleanup"] === false ? "none" : "tokens",
  };
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

/** The flags of the normalizer that tokenizer_config.json sets. A null in the file sets nothing. */
function normalizerFlags(config: TokenizerConfig | undefined): Partial<Pipeline> {
  const flag = (key: string): boolean | undefined => {
    const value: JsonValue | undefined = config?.json[key];
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
  return {
    ...(lowercase === undefined ? {} : { lowercase }),
    ...(stripAccents === undefined ? {} : { stripAccents }),
    ...(chineseCharacters === undefined ? {} : { chineseCharacters }),
  };
}

function ownOptions(config: TokenizerConfig | undefined): Partial<WordPieceOptions> {
  if (config === undefined) return {};
  const { json } = config;
  const limit = json["model_max_length"];
  const names = json["model_input_names"];
  const own: JsonValue | undefined = json["cloze"];
  const name = isJsonObject(own) ? own["name"] : undefined;
  return {
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof limit === "number" && limit > 0 && limit < NO_LIMIT ? { modelMaxLength: limit } : {}),
    ...(Array.isArray(names) && names.every((n: JsonValue) => typeof n === "string")
      ? { modelInputNames: names as readonly string[] }
      : {}),
    ...(json["clean_up_tokenization_spaces"] === true ? { cleanUp: "text" } : {}),
  };
}
