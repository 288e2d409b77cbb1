/**
 * The reader of a byte-level BPE tokenizer's files, from our checkpoints or those of ModernBERT, Ettin, RoBERTa and
 * their descendants.
 *
 * tokenizer.json gives the vocabulary, the merges, the pipeline and the added tokens. tokenizer_config.json or
 * special_tokens_map.json gives the special tokens by role; the default is BERT's. A pipeline that is not byte-level
 * BPE is refused by name. Truncation and padding in tokenizer.json are ignored: they are options of a call.
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
  type TokenizerConfig,
} from "@cloze/tokenizer";
import { readSpecialTokens, vocabularyFault } from "@cloze/tokenizer/internal";
import { bpe, type BpeTokenizer } from "./bpe-tokenizer.ts";
import type { BpeConfig, BpeOptions, Merge } from "./config.ts";

const FILE = "tokenizer.json";
const AGAIN = "Save the tokenizer again from Python, or use it there.";
/** Limits from this number on mean "no limit", for which Python writes 1e30. */
const NO_LIMIT = 1e9;

/**
 * @param files texts by file name. tokenizer.json is required; tokenizer_config.json and special_tokens_map.json are
 * optional.
 * @param options override the values of the files.
 */
export function bpeFromFiles(files: Readonly<Record<string, string>>, options: Partial<BpeOptions> = {}): BpeTokenizer {
  const text = files[FILE];
  const configText = files["tokenizer_config.json"];
  if (text === undefined)
    throw new FormatError(
      FILE,
      "",
      `expected the file, got ${Object.keys(files).join(", ") || "no files"}. vocab.json and merges.txt alone do ` +
        `not say the pipeline: ${AGAIN}`,
    );
  const json = readTokenizerJson(text);
  const { model, modelType, vocabulary, addedTokens } = json;
  if (modelType !== "BPE")
    throw new FormatError(
      FILE,
      "model.type",
      `expected BPE, got ${modelType}. Read it with the package of its kind (@cloze/tokenizer-wordpiece for ` +
        "WordPiece).",
    );
  const vocab = isJsonObject(model["vocab"]) ? model["vocab"] : {};
  const modelSize = Object.keys(vocab).length;
  const outside = addedTokens.find((t) => t.id < modelSize && !Object.hasOwn(vocab, t.content));
  if (outside !== undefined)
    throw new FormatError(
      FILE,
      "added_tokens",
      `expected added tokens behind the model's ${modelSize}, got ${JSON.stringify(outside.content)} with id ` +
        `${outside.id}. ${AGAIN}`,
    );
  const config = configText === undefined ? undefined : readTokenizerConfig(configText);
  const special = readSpecialTokens(files, config, vocabulary, model["unk_token"]);
  const fault = vocabularyFault(vocabulary, special);
  if (fault !== undefined) throw new FormatError(FILE, "model.vocab", `${fault} Is this another kind of vocabulary?`);
  return bpe({
    vocabulary,
    modelSize,
    addedTokens,
    special,
    template: readTemplate(json.postProcessor),
    merges: mergesOf(model["merges"]),
    ...modelOptions(model),
    normalizer: normalizerOf(json.normalizer),
    ...preTokenizerOptions(json.preTokenizer),
    trimOffsets: trimOf(json.postProcessor),
    ...decoderChecked(json.decoder),
    ...ownOptions(config),
    ...options,
  });
}

/** Reads the merges: pairs, or strings of two tokens with a space between. */
function mergesOf(merges: JsonValue | undefined): readonly Merge[] {
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
