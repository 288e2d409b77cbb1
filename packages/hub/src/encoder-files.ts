/**
 * The choice of the files that an encoder needs from a repository: config.json, weights as safetensors, tokenizer.
 *
 * Nothing else is downloaded. A pickle can run code when it is read, and weights for another framework are a second
 * copy.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { indexFile, modelFile, parseShardIndex, tokenizerFiles } from "@cloze/checkpoint";
import { readText } from "@cloze/checkpoint/node";
import { UnsupportedError } from "@cloze/errors";
import { HubError } from "./hub-error.ts";

/** Weight files that cloze does not open, each with a description for the error. */
const OTHER_WEIGHTS: readonly (readonly [RegExp, string])[] = [
  [/^pytorch_model.*\.bin(?:\.index\.json)?$|\.pth?$|\.ckpt$/, "a pickle, which can run code when it is read"],
  [/^tf_model.*\.h5(?:\.index\.json)?$/, "TensorFlow's weights"],
  [/^flax_model.*\.msgpack(?:\.index\.json)?$/, "Flax's weights"],
];

/**
 * Chooses an encoder's files from a repository's `names`. `read` gives the text of a file.
 * Throws: HubError where config.json is missing, or a shard that the index names; UnsupportedError where there are no
 * safetensors, with a way to convert.
 */
export async function encoderFiles(
  repo: string,
  names: readonly string[],
  read: (name: string) => Promise<string>,
): Promise<readonly string[]> {
  const has = new Set(names);
  if (!has.has("config.json"))
    throw new HubError(
      "file-not-found",
      `${repo}: expected config.json, which holds a model's sizes, got a repository without one. Is it a model ` +
        "of transformers?",
    );
  const rest = tokenizerFiles.filter((name) => has.has(name));
  if (has.has(modelFile)) return ["config.json", modelFile, ...rest];
  if (!has.has(indexFile)) throw noSafetensors(repo, names);
  const shards = [...new Set(parseShardIndex(await read(indexFile), `${repo}, ${indexFile}`).values())].sort();
  const missing = shards.find((name) => !has.has(name));
  if (missing !== undefined)
    throw new HubError(
      "file-not-found",
      `${repo}, ${indexFile}: expected the file ${JSON.stringify(missing)} in the repository, got none. The ` +
        "repository is incomplete: choose another revision.",
    );
  return ["config.json", indexFile, ...shards, ...rest];
}

function noSafetensors(repo: string, names: readonly string[]): UnsupportedError {
  for (const name of names) {
    const [, what] = OTHER_WEIGHTS.find(([pattern]) => pattern.test(name)) ?? [];
    if (what === undefined) continue;
    return new UnsupportedError(
      `${repo}: expected ${modelFile}, got only ${name}, ${what}. Convert it once in Python and name the folder: ` +
        `python -c "from transformers import AutoModelForMaskedLM as M, AutoTokenizer as T; ` +
        `M.from_pretrained('${repo.replace(/@.*/, "")}').save_pretrained('DIR'); ` +
        `T.from_pretrained('${repo.replace(/@.*/, "")}').save_pretrained('DIR')"`,
    );
  }
  return new UnsupportedError(`${repo}: expected ${modelFile}, got a repository without weights. Choose another.`);
}

/** True where a folder of the cache holds config.json and complete weights. The tokenizer may be missing. */
export async function holdsEncoder(folder: string): Promise<boolean> {
  const has = async (name: string): Promise<boolean> =>
    (await stat(join(folder, name)).catch(() => undefined))?.isFile() ?? false;
  if (!(await has("config.json"))) return false;
  if (await has(modelFile)) return true;
  if (!(await has(indexFile))) return false;
  const shards = new Set(parseShardIndex(await readText(join(folder, indexFile)), join(folder, indexFile)).values());
  for (const name of shards) if (!(await has(name))) return false;
  return true;
}
