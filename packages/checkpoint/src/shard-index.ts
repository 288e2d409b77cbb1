/**
 * The index of a checkpoint in several files (`model.safetensors.index.json`), and the plan by which tensors are dealt
 * to files.
 *
 *     { "metadata": { "total_size": bytes }, "weight_map": { "tensor name": "model-00001-of-00002.safetensors" } }
 *
 * Tensors keep their order and fill one file after the other; one that is larger than the bound gets a file of its own.
 * `metadata` is not trusted when reading: on the Hub `total_size` is often of another dtype or counts tied weights
 * twice. Source: huggingface_hub `serialization/_base.py`, `split_state_dict_into_shards_factory`; transformers
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

/** Deals tensors to files. One shard is called `model.safetensors` and needs no index. */
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

/** The index's text: two spaces, keys sorted, a newline at the end, as transformers writes it. */
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
 * Tensor name -> file name, checked: strict JSON, no tensor twice, every file a plain name beside the index.
 * Throws: FormatError, above all for a path that would leave the directory.
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
