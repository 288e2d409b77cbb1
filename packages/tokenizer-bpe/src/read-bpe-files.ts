/**
 * The reader of a byte-level BPE tokenizer's files, from our checkpoints or those of ModernBERT, Ettin, RoBERTa and
 * their descendants. What it reads is what the class of Python `transformers` reads that opens the files.
 *
 * Vocabulary and merges: tokenizer.json, else vocab.json and merges.txt.
 * Pipeline: for RobertaTokenizer and its relatives, and without tokenizer.json, RoBERTa's with the flags of
 * tokenizer_config.json (`add_prefix_space`, `trim_offsets`); for any other class tokenizer.json alone.
 * Added and special tokens: see @cloze/tokenizer, named-tokens.ts. The default of roles is BERT's.
 * A pipeline that is not byte-level BPE is refused by name. Truncation and padding in tokenizer.json are ignored: they
 * are options of a call.
 */
import { FormatError } from "@cloze/errors";
import {
  describeJson,
  isJsonObject,
  readTemplate,
  readTokenizerConfig,
  readTokenizerJson,
  type JsonObject,
  type JsonValue,
  type ModelTokens,
  type SpecialTokens,
  type TokenizerConfig,
  type TokenizerJson,
} from "@cloze/tokenizer";
import { BERT_SPECIAL, isOwn, pythonReading, readTokens, type PythonReading } from "@cloze/tokenizer/internal";
import { tokenizerOf, type BpeTokenizer } from "./bpe-tokenizer.ts";
import { completeConfig, type BpeConfig, type BpeOptions, type Merge } from "./config.ts";
import { readMergesTxt, readVocabJson } from "./merges-txt.ts";

const FILE = "tokenizer.json";
const AGAIN = "Save the tokenizer again from Python, or use it there.";
/** Limits from this number on mean "no limit", for which Python writes 1e30. */
const NO_LIMIT = 1e9;

/**
 * @param files texts by file name. Required is tokenizer.json, or vocab.json with merges.txt; tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and config.json (for the model's class) are optional.
 * @param options override the values of the files.
 */
export function bpeFromFiles(files: Readonly<Record<string, string>>, options: Partial<BpeOptions> = {}): BpeTokenizer {
  const text = files[FILE];
  const configText = files["tokenizer_config.json"];
  const json = text === undefined ? undefined : readTokenizerJson(text);
  if (json !== undefined) refuseOtherModels(json);
  const reading = readingOf(files, json);
  const config = configText === undefined ? undefined : readTokenizerConfig(configText);
  const { model, merges } =
    json === undefined ? splitFiles(files) : { model: json.modelTokens, merges: mergesOf(json) };
  const { vocabulary, modelSize, addedTokens, special, remarks } = readTokens(files, {
    reading,
    model,
    json,
    file: json === undefined ? "vocab.json" : FILE,
    usual: (tokens) => usualRoles(json, tokens),
  });
  return tokenizerOf(
    completeConfig({
      vocabulary,
      modelSize,
      addedTokens,
      special,
      merges,
      ...(json === undefined || reading === "roberta" ? robertaPipeline(config, special) : jsonPipeline(json)),
      ...ownOptions(config),
      ...options,
    }),
    remarks,
  );
}

function readingOf(files: Readonly<Record<string, string>>, json: TokenizerJson | undefined): PythonReading {
  const named = pythonReading(files);
  if (json !== undefined) return named === "roberta" && !isOwn(files) ? "roberta" : "whole";
  if (named === undefined || named === "roberta") return "roberta";
  throw new FormatError(
    FILE,
    "",
    `expected the file, got ${Object.keys(files).join(", ") || "no files"}. Only RobertaTokenizer and its relatives ` +
      `are read from vocab.json and merges.txt: ${AGAIN}`,
  );
}

function refuseOtherModels({ modelType }: TokenizerJson): void {
  if (modelType === "BPE") return;
  throw new FormatError(
    FILE,
    "model.type",
    `expected BPE, got ${modelType}. Read it with the package of its kind (@cloze/tokenizer-wordpiece for WordPiece).`,
  );
}

/** vocab.json and merges.txt. */
function splitFiles(files: Readonly<Record<string, string>>): {
  readonly model: ModelTokens;
  readonly merges: readonly Merge[];
} {
  const vocab = files["vocab.json"];
  const merges = files["merges.txt"];
  if (vocab === undefined || merges === undefined)
    throw new FormatError(
      FILE,
      "",
      `expected the file, or vocab.json and merges.txt, got ${Object.keys(files).join(", ") || "no files"}. Download ` +
        "the tokenizer files that stand beside the weights.",
    );
  return { model: readVocabJson(vocab), merges: readMergesTxt(merges) };
}

/** BERT's tokens for roles that nothing names, where the vocabulary has them. The model may name the unknown token. */
function usualRoles(json: TokenizerJson | undefined, tokens: ReadonlySet<string>): Partial<SpecialTokens> {
  const unknown = json?.model["unk_token"];
  return {
    ...Object.fromEntries(Object.entries(BERT_SPECIAL).filter(([, token]) => tokens.has(token))),
    ...(typeof unknown === "string" && tokens.has(unknown) ? { unk_token: unknown } : {}),
  };
}

/** The pipeline of RobertaTokenizer: its own, with the flags of the configuration. */
function robertaPipeline(
  config: TokenizerConfig | undefined,
  { cls_token = "", sep_token = "" }: SpecialTokens,
): Partial<BpeOptions> {
  const addPrefixSpace = config?.json["add_prefix_space"] === true;
  return {
    template: {
      single: `${cls_token} $A ${sep_token}`,
      pair: `${cls_token} $A ${sep_token} ${sep_token} $B ${sep_token}`,
    },
    normalizer: "none",
    addPrefixSpace,
    useRegex: true,
    trimOffsets: config?.json["trim_offsets"] === false ? "none" : addPrefixSpace ? "spaces-but-prefix" : "spaces",
  };
}

/** The pipeline of tokenizer.json. */
function jsonPipeline(json: TokenizerJson): Partial<BpeOptions> {
  return {
    template: readTemplate(json.postProcessor),
    ...modelOptions(json.model),
    normalizer: normalizerOf(json.normalizer),
    ...preTokenizerOptions(json.preTokenizer),
    trimOffsets: trimOf(json.postProcessor),
    ...decoderChecked(json.decoder),
  };
}

/** Reads the merges: pairs, or strings of two tokens with a space between. */
function mergesOf({ model }: TokenizerJson): readonly Merge[] {
  const merges = model["merges"];
  if (!Array.isArray(merges))
    throw new FormatError(FILE, "model.merges", `expected a list, got ${describeJson(merges)}. ${AGAIN}`);
  return merges.map((merge: JsonValue, i): Merge => {
    const pair: JsonValue = typeof merge === "string" ? merge.split(" ") : merge;
    if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" && typeof pair[1] === "string")
      return [pair[0], pair[1]];
    throw new FormatError(FILE, `model.merges[${i}]`, `expected two tokens, got ${describeJson(merge)}. ${AGAIN}`);
  });
}

function modelOptions(model: JsonObject): Pick<BpeConfig, "ignoreMerges" | "unknownByte"> {
  const unknown = model["unk_token"];
  const refused: readonly (readonly [key: string, set: boolean])[] = [
    ["dropout", typeof model["dropout"] === "number" && model["dropout"] > 0],
    ["byte_fallback", model["byte_fallback"] === true],
    ["continuing_subword_prefix", isText(model["continuing_subword_prefix"])],
    ["end_of_word_suffix", isText(model["end_of_word_suffix"])],
    ["fuse_unk", model["fuse_unk"] === true && isText(unknown)],
  ];
  const [key] = refused.find(([, set]) => set) ?? [];
  if (key !== undefined)
    throw new FormatError(
      FILE,
      `model.${key}`,
      `expected none in byte-level BPE, got ${describeJson(model[key])}. ${AGAIN}`,
    );
  return {
    ignoreMerges: model["ignore_merges"] === true,
    ...(typeof unknown === "string" ? { unknownByte: unknown } : {}),
  };
}

function isText(value: JsonValue | undefined): boolean {
  return typeof value === "string" && value !== "";
}

/** The steps of a pipeline part: those of a Sequence (its list is under `key`), a single step, or none. */
function stepsOf(value: JsonValue, key: string): readonly JsonValue[] {
  if (value === null) return [];
  const inner = isJsonObject(value) && value["type"] === "Sequence" ? value[key] : undefined;
  return Array.isArray(inner) ? (inner as readonly JsonValue[]) : [value];
}

function typeOf(value: JsonValue | undefined): JsonValue | undefined {
  return isJsonObject(value) ? value["type"] : value;
}

function normalizerOf(normalizer: JsonValue): "nfc" | "none" {
  const steps = stepsOf(normalizer, "normalizers");
  const other = steps.find((step) => typeOf(step) !== "NFC");
  if (other !== undefined)
    throw new FormatError(FILE, "normalizer", `expected NFC or none, got ${describeJson(typeOf(other))}. ${AGAIN}`);
  return steps.length === 0 ? "none" : "nfc";
}

function preTokenizerOptions(preTokenizer: JsonValue): Pick<BpeConfig, "addPrefixSpace" | "useRegex"> {
  const [step, ...more] = stepsOf(preTokenizer, "pretokenizers");
  if (!isJsonObject(step) || step["type"] !== "ByteLevel" || more.length > 0) {
    const types = [step, ...more].map((each) => describeJson(typeOf(each))).join(", ");
    throw new FormatError(FILE, "pre_tokenizer", `expected ByteLevel alone, got ${types}. ${AGAIN}`);
  }
  return { addPrefixSpace: step["add_prefix_space"] !== false, useRegex: step["use_regex"] !== false };
}

function trimOf(postProcessor: JsonValue): BpeConfig["trimOffsets"] {
  const step = stepsOf(postProcessor, "processors").find(
    (each) => typeOf(each) === "ByteLevel" || typeOf(each) === "RobertaProcessing",
  );
  if (!isJsonObject(step) || step["trim_offsets"] === false) return "none";
  return step["add_prefix_space"] === false ? "spaces" : "spaces-but-prefix";
}

function decoderChecked(decoder: JsonValue): Record<never, never> {
  const steps = stepsOf(decoder, "decoders");
  if (steps.length === 1 && typeOf(steps[0]) === "ByteLevel") return {};
  throw new FormatError(
    FILE,
    "decoder",
    `expected ByteLevel, got ${steps.map((step) => describeJson(typeOf(step))).join(", ") || "nothing"}. ${AGAIN}`,
  );
}

function ownOptions(config: TokenizerConfig | undefined): Partial<BpeOptions> {
  const limit = config?.json["model_max_length"];
  const names = config?.json["model_input_names"];
  const own: JsonValue | undefined = config?.json["cloze"];
  const name = isJsonObject(own) ? own["name"] : undefined;
  return {
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof limit === "number" && limit > 0 && limit < NO_LIMIT ? { modelMaxLength: limit } : {}),
    ...(Array.isArray(names) && names.every((n: JsonValue) => typeof n === "string")
      ? { modelInputNames: names as readonly string[] }
      : {}),
  };
}
