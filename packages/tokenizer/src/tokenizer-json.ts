/**
 * A reader and a writer of tokenizer.json, the file of the Hugging Face `tokenizers` library: vocabulary, added tokens
 * and pipeline.
 *
 * The reader checks the vocabulary (at most one token per id) and returns the parts of the pipeline unchanged. Each
 * tokenizer package knows the parts that it supports, and refuses other parts. This file runs no pipeline.
 */
import { FormatError } from "@cloze/errors";
import { addedToken, addedTokenJson, type AddedToken } from "./added-token.ts";
import { joinTokens, loadTokens } from "./add-tokens.ts";
import { describeJson, isJsonObject, parseJsonObject, type JsonObject, type JsonValue } from "./json-file.ts";
import { modelTokens, type ModelTokens } from "./model-tokens.ts";

export const MODEL_TYPES = ["WordLevel", "WordPiece", "BPE", "Unigram"] as const;
export type ModelType = (typeof MODEL_TYPES)[number];

export interface TokenizerJson {
  readonly modelType: ModelType;
  /** The whole model object, for keys that only one package reads (merges, scores, prefixes). */
  readonly model: JsonObject;
  /** The tokens of the model, without the added tokens. */
  readonly modelTokens: ModelTokens;
  /** The list of added tokens, with the ids that the file names. */
  readonly addedTokens: readonly AddedToken[];
  /** The model's tokens and the added tokens by id, with the ids that Python `tokenizers` gives. */
  readonly vocabulary: readonly string[];
  readonly normalizer: JsonValue;
  readonly preTokenizer: JsonValue;
  readonly postProcessor: JsonValue;
  readonly decoder: JsonValue;
}

const AGAIN = "Fetch the file again, or save the tokenizer again from Python.";

/** Throws: FormatError with the file and the place where the text is not a complete tokenizer.json. */
export function readTokenizerJson(text: string, file = "tokenizer.json"): TokenizerJson {
  const json = parseJsonObject(text, file);
  const model = json["model"];
  if (!isJsonObject(model)) {
    throw new FormatError(
      file,
      "model",
      `expected an object, got ${describeJson(model)}. Is this perhaps tokenizer_config.json or config.json? ${AGAIN}`,
    );
  }
  const modelType = modelTypeOf(model, file);
  const addedTokens = readAddedTokens(json["added_tokens"], file);
  const tokens = onePerId(modelPairs(model, modelType, file), file);
  return {
    modelType,
    model,
    modelTokens: tokens,
    addedTokens,
    vocabulary: joinTokens(tokens, loadTokens(tokens, addedTokens), file).vocabulary,
    normalizer: json["normalizer"] ?? null,
    preTokenizer: json["pre_tokenizer"] ?? null,
    postProcessor: json["post_processor"] ?? null,
    decoder: json["decoder"] ?? null,
  };
}

function modelTypeOf(model: JsonObject, file: string): ModelType {
  // Early BPE files have no type.
  const type = model["type"] ?? (model["merges"] === undefined ? undefined : "BPE");
  const known = MODEL_TYPES.find((t) => t === type);
  if (known === undefined)
    throw new FormatError(
      file,
      "model.type",
      `expected one of ${MODEL_TYPES.join(", ")}, got ${describeJson(type)}. ${AGAIN}`,
    );
  return known;
}

function modelPairs(model: JsonObject, type: ModelType, file: string): (readonly [string, number])[] {
  const vocab = model["vocab"];
  if (type === "Unigram" && Array.isArray(vocab)) {
    return vocab.map((entry: JsonValue, id) => {
      if (Array.isArray(entry) && typeof entry[0] === "string") return [entry[0], id] as const;
      throw new FormatError(
        file,
        `model.vocab[${id}]`,
        `expected [token, score], got ${describeJson(entry)}. ${AGAIN}`,
      );
    });
  }
  if (type === "Unigram" || !isJsonObject(vocab)) {
    throw new FormatError(
      file,
      "model.vocab",
      `expected ${type === "Unigram" ? "a list of [token, score]" : "an object from token to id"}, got ` +
        `${describeJson(vocab)}. ${AGAIN}`,
    );
  }
  return Object.entries(vocab).map(
    ([token, id]) => [token, wholeNumber(id, file, `model.vocab[${JSON.stringify(token)}]`)] as const,
  );
}

/** Throws: FormatError where two tokens have one id. An id may have no token, as in Python. */
function onePerId(pairs: readonly (readonly [string, number])[], file: string): ModelTokens {
  const byId = new Map<number, string>();
  for (const [token, id] of pairs) {
    const other = byId.get(id);
    if (other !== undefined)
      throw new FormatError(
        file,
        "model.vocab",
        `expected one token per id, got ${JSON.stringify(other)} and ${JSON.stringify(token)} for id ${id}. ${AGAIN}`,
      );
    byId.set(id, token);
  }
  return modelTokens(pairs);
}

function wholeNumber(value: JsonValue | undefined, file: string, place: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new FormatError(file, place, `expected an id (a whole number from 0), got ${describeJson(value)}. ${AGAIN}`);
}

function readAddedTokens(value: JsonValue | undefined, file: string): AddedToken[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw new FormatError(file, "added_tokens", `expected a list, got ${describeJson(value)}. ${AGAIN}`);
  return value.map((entry: JsonValue, i) => {
    const place = `added_tokens[${i}]`;
    const content = isJsonObject(entry) ? entry["content"] : undefined;
    if (!isJsonObject(entry) || typeof content !== "string")
      throw new FormatError(file, place, `expected an object with a content, got ${describeJson(entry)}. ${AGAIN}`);
    return addedToken(entry, wholeNumber(entry["id"], file, `${place}.id`), content);
  });
}

/** The contents of a tokenizer.json to write. */
export interface TokenizerJsonParts {
  readonly model: JsonObject;
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer: JsonValue;
  readonly preTokenizer: JsonValue;
  readonly postProcessor: JsonValue;
  readonly decoder: JsonValue;
}

export function writeTokenizerJson(parts: TokenizerJsonParts): string {
  return `${JSON.stringify(
    {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: parts.addedTokens.map((t) => ({ id: t.id, ...addedTokenJson(t) })),
      normalizer: parts.normalizer,
      pre_tokenizer: parts.preTokenizer,
      post_processor: parts.postProcessor,
      decoder: parts.decoder,
      model: parts.model,
    },
    null,
    2,
  )}\n`;
}
