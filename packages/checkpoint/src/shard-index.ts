/**
 * The index of a checkpoint in several files (`model.safetensors.index.json`), and the plan that assigns tensors to
 * files.
 *
 *     { "metadata": { "total_size": bytes }, "weight_map": { "tensor name": "model-00001-of-00002.safetensors" } }
 *
 * Tensors keep their order and fill one file after the other. A tensor above the size limit gets its own file. The
 * reader ignores `metadata`: on the Hub, `total_size` is often that of another dtype, or counts tied weights twice.
 * Source: huggingface_hub `serialization/_base.py`, `split_state_dict_into_shards_factory`; transformers
 * `save_pretrained`.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { compareUtf8, specBytes, type TensorSpec } from "./encode.ts";
import { parseJson } from "./json.ts";

export const modelFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";

export interface Shard<Spec extends TensorSpec> {
  readonly file: string;
  readonly tensors: readonly Spec[];
}

/** Assigns tensors to files. A single shard has the name `model.safetensors` and needs no index. */
export function planShards<Spec extends TensorSpec>(
  specs: Iterable<Spec>,
  maxShardBytes: number,
): readonly Shard<Spec>[] {
  if (!(maxShardBytes > 0))
    throw new ConfigError(
      `maxShardBytes: expected a positive number of bytes, got ${maxShardBytes}. Hugging Face's usual bound is 5e9.`,
    );
  const shards: Spec[][] = [];
  let open: Spec[] = [];
  let size = 0;
  for (const spec of specs) {
    const bytes = specBytes(spec);
    if (bytes > maxShardBytes) {
      shards.push([spec]);
      continue;
    }
    if (size + bytes > maxShardBytes) {
      shards.push(open);
      open = [];
      size = 0;
    }
    open.push(spec);
    size += bytes;
  }
  if (open.length > 0 || shards.length === 0) shards.push(open);
  const digits = (n: number): string => String(n).padStart(5, "0");
  return shards.map((tensors, i) => ({
    file: shards.length === 1 ? modelFile : `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`,
    tensors,
  }));
}

/** The text of the index, as transformers writes it: indented by two spaces, sorted keys, a newline at the end. */
export function encodeShardIndex(shards: readonly Shard<TensorSpec>[]): string {
  let total = 0;
  const map: [string, string][] = [];
  for (const { file, tensors } of shards) {
    for (const spec of tensors) {
      total += specBytes(spec);
      map.push([spec.name, file]);
    }
  }
  map.sort(([a], [b]) => compareUtf8(a, b));
  const lines = map.map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`);
  return `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}\n`;
}

/**
 * Reads an index: tensor name -> file name. Checks: strict JSON, no repeated tensor, every file is a plain name beside
 * the index. Throws: FormatError, in particular for a path that leaves the directory.
 */
export function parseShardIndex(text: string, file: string): ReadonlyMap<string, string> {
  const root = parseJson(text, { file });
  const map = root instanceof Map ? root.get("weight_map") : undefined;
  if (!(map instanceof Map))
    throw new FormatError(
      file,
      "weight_map",
      "expected an object of tensor name -> file name, got none. This is no safetensors index: fetch it again.",
    );
  const files = new Map<string, string>();
  for (const [name, shard] of map) {
    if (typeof shard !== "string" || !/^[^/\\\0:]+\.safetensors$/.test(shard) || shard.startsWith(".")) {
      throw new FormatError(
        file,
        `weight_map ${JSON.stringify(name)}`,
        `expected the plain name of a .safetensors file in the same directory, got ${JSON.stringify(shard)}. Do ` +
          "not use an index that points elsewhere: fetch the checkpoint from its source.",
      );
    }
    files.set(name, shard);
  }
  if (files.size === 0)
    throw new FormatError(file, "weight_map", "expected at least one tensor, got none. Fetch the index again.");
  return files;
}
