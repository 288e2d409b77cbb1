/**
 * A reader and a writer of tokenizer.json, the file of the Hugging Face `tokenizers` library: vocabulary, added tokens
 * and pipeline.
 *
 * The reader checks the vocabulary (each id exactly once, no gaps) and returns the parts of the pipeline unchanged.
 * Each tokenizer package knows the parts that it supports, and refuses other parts. This file runs no pipeline.
 */
import { FormatError } from "@cloze/errors";
import { describeJson, isJsonObject, parseJsonObject, type JsonObject, type JsonValue } from "./json-file.ts";

export const MODEL_TYPES = ["WordLevel", "WordPiece", "BPE", "Unigram"] as const;
export type ModelType = (typeof MODEL_TYPES)[number];

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Search the token in the normalized text, not in the original. Absent means false, here and in the next three. */
  readonly normalized?: boolean;
  /** Match only where no letter or digit touches the token. */
  readonly singleWord?: boolean;
  /** Include the white space before the token. */
  readonly lstrip?: boolean;
  /** Include the white space after the token. */
  readonly rstrip?: boolean;
}

export interface TokenizerJson {
  readonly modelType: ModelType;
  /** The whole model object, for keys that only one package reads (merges, scores, prefixes). */
  readonly model: JsonObject;
  /** The model's vocabulary and the added tokens, in the order of ids. */
  readonly vocabulary: readonly string[];
  readonly addedTokens: readonly AddedToken[];
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
  const added = readAddedTokens(json["added_tokens"], file);
  return {
    modelType,
    model,
    addedTokens: added,
    vocabulary: joinVocabulary(modelPairs(model, modelType, file), added, file),
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

/**
 * An added token from its entry in tokenizer.json, or in the added_tokens_decoder of tokenizer_config.json (there the
 * key is the id).
 */
export function addedToken(entry: JsonObject, id: number, content: string): AddedToken {
  return {
    id,
    content,
    special: entry["special"] === true,
    ...(entry["normalized"] === true ? { normalized: true } : {}),
    ...(entry["single_word"] === true ? { singleWord: true } : {}),
    ...(entry["lstrip"] === true ? { lstrip: true } : {}),
    ...(entry["rstrip"] === true ? { rstrip: true } : {}),
  };
}

function joinVocabulary(
  pairs: readonly (readonly [string, number])[],
  added: readonly AddedToken[],
  file: string,
): string[] {
  const byId = new Map<number, string>();
  const byToken = new Map<string, number>();
  for (const [token, id, place] of [
    ...pairs.map(([t, i]) => [t, i, "model.vocab"] as const),
    ...added.map((a) => [a.content, a.id, "added_tokens"] as const),
  ]) {
    const other = byId.get(id);
    const otherId = byToken.get(token);
    if (other !== undefined && other !== token)
      throw new FormatError(
        file,
        place,
        `expected one token per id, got ${JSON.stringify(other)} and ${JSON.stringify(token)} for id ${id}. ${AGAIN}`,
      );
    if (otherId !== undefined && otherId !== id)
      throw new FormatError(
        file,
        place,
        `expected one id per token, got ids ${otherId} and ${id} for ${JSON.stringify(token)}. ${AGAIN}`,
      );
    byId.set(id, token);
    byToken.set(token, id);
  }
  return Array.from({ length: byId.size }, (_, id) => {
    const token = byId.get(id);
    if (token === undefined)
      throw new FormatError(
        file,
        "model.vocab",
        `expected ids 0 to ${byId.size - 1} without a gap, got none for ${id}. Was a token written twice? ${AGAIN}`,
      );
    return token;
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

/**
 * The entry of an added token in tokenizer_config.json. In tokenizer.json the entry has the id as well.
 */
export function addedTokenJson(
  token: AddedToken,
): { readonly content: string; readonly special: boolean } & JsonObject {
  const { content, special, normalized = false, singleWord = false, lstrip = false, rstrip = false } = token;
  return { content, single_word: singleWord, lstrip, rstrip, normalized, special };
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
