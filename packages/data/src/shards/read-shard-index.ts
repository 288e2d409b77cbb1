/** The reader of `NAME.json`, the index of shards. An index that does not match its format is a FormatError. */
import { FormatError } from "@cloze/errors";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ShardIndex } from "./shard-index.ts";

export interface ReadShardIndex {
  readonly index: ShardIndex;
  /** The folder of the shards. */
  readonly folder: string;
}

export async function readShardIndex(path: string): Promise<ReadShardIndex> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new FormatError(
      path,
      "",
      `expected a JSON index of token shards, got ${cause instanceof Error ? cause.message : String(cause)}. Is ` +
        "the path right, and did the preparation end?",
      { cause },
    );
  }
  if (!isObject(json) || json["format"] !== "cloze-token-shards")
    throw new FormatError(
      path,
      "format",
      `expected "cloze-token-shards", got ${JSON.stringify(isObject(json) ? json["format"] : json)}. Give the ` +
        "NAME.json that preparing shards has written.",
    );
  if (json["version"] !== 1)
    throw new FormatError(
      path,
      "version",
      `expected 1, got ${JSON.stringify(json["version"])}. Prepare the shards again with this version of cloze.`,
    );
  if (!isIndex(json))
    throw new FormatError(
      path,
      "",
      "expected tokenizer, dtype, special, splitRule, inputs, counts, and splits with their shards, got an index " +
        "without some of them. Prepare the shards again.",
    );
  return { index: json, folder: dirname(path) };
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isIndex(json: Json): json is Json & ShardIndex {
  const { tokenizer, dtype, special, splits, counts, splitRule, inputs } = json;
  return (
    isObject(tokenizer) &&
    typeof tokenizer["hash"] === "string" &&
    typeof tokenizer["name"] === "string" &&
    ["uint8", "uint16", "uint32"].includes(String(dtype)) &&
    isObject(special) &&
    isObject(counts) &&
    isObject(splitRule) &&
    Array.isArray(inputs) &&
    isObject(splits) &&
    Object.values(splits).every(
      (split) => isObject(split) && Array.isArray(split["shards"]) && split["shards"].every(isEntry),
    )
  );
}

function isEntry(entry: unknown): boolean {
  if (!isObject(entry)) return false;
  const { file, documents, tokens, sha256, lengths, sentences } = entry;
  if (
    sentences !== undefined &&
    !(
      isObject(sentences) &&
      isFileName(sentences["file"]) &&
      typeof sentences["sha256"] === "string" &&
      isCount(sentences["count"])
    )
  )
    return false;
  return (
    isFileName(file) &&
    isCount(documents) &&
    isCount(tokens) &&
    typeof sha256 === "string" &&
    isObject(lengths) &&
    isFileName(lengths["file"]) &&
    typeof lengths["sha256"] === "string"
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether the value is the name of a file in the index's own folder. An index must not lead to other folders. */
function isFileName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !/[/\\]/.test(value) && value !== "..";
}
