/**
 * The conversion of a checkpoint folder to another vocabulary. It changes the rows of the tokens, config.json and the
 * tokenizer's files. All other tensors stay as they are.
 */
import { join } from "node:path";
import { FormatError } from "@cloze/errors";
import { finiteBytes, refuseQuantised } from "../convert/sound.ts";
import { castFloats, type FloatDType } from "../convert/cast.ts";
import { configText, numberIn, parseConfigText } from "../convert/config-text.ts";
import { fromFloat32, toFloat32 } from "../float32.ts";
import { holdsVocabulary, matchVocabulary, resizeRows, type VocabularyChange } from "../resize/rows.ts";
import { writeDirectoryAtomic, writeFileAtomic } from "./atomic.ts";
import { openCheckpointTensors, writeSharded } from "./checkpoint-tensors.ts";
import { readText } from "./json-file.ts";
import type { TensorSource } from "./safetensors-file.ts";

export interface ResizeOptions {
  /** The old tokens, in the order of their ids. `after`: the new tokens. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** New token -> old token, for a token whose text changes. */
  readonly same?: ReadonlyMap<string, string>;
  readonly seed: number;
  /** New ids of special tokens, by key of config.json (`pad_token_id`, …). A key that the config lacks is skipped. */
  readonly ids: Readonly<Record<string, number>>;
  readonly tokenizerFiles: Readonly<Record<string, string>>;
}

export interface Resized extends VocabularyChange {
  readonly tensors: readonly {
    readonly name: string;
    readonly from: readonly number[];
    readonly to: readonly number[];
  }[];
  readonly files: readonly string[];
}

/**
 * Throws: FormatError for a checkpoint without word embeddings, or with a number of rows that does not fit config.json
 * and the tokenizer, and for numbers that are not finite; UnsupportedError for quantised weights; ConfigError for a
 * vocabulary with a repeated token; StorageError.
 */
export async function resizeCheckpoint(
  input: string,
  output: string,
  { before, after, same, seed, ids, tokenizerFiles }: ResizeOptions,
): Promise<Resized> {
  const set = await openCheckpointTensors(input);
  const change = matchVocabulary(before, after, same);
  const changed: { readonly name: string; readonly from: readonly number[]; readonly to: readonly number[] }[] = [];
  try {
    refuseQuantised(set.entries, input);
    const file = join(input, "config.json");
    const config = parseConfigText(await readText(file), file);
    const vocab = numberIn(config["vocab_size"]);
    const sources = [...set.entries].map(([name, { dtype, shape }]): TensorSource => {
      const rows = shape[0] ?? 0;
      const place = { file: input, name };
      const bytes = async (): Promise<Uint8Array> => finiteBytes(dtype, await set.read(name), place);
      if (!holdsVocabulary(name)) return { name, dtype, shape, data: bytes };
      if (rows !== vocab || rows < before.length || (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16"))
        throw new FormatError(
          input,
          `tensor "${name}"`,
          `expected f32, f16 or bf16 with a row for each of the ${vocab} tokens of config.json, of which the ` +
            `tokenizer names ${before.length}, got ${dtype} [${shape.join(", ")}]. Is the tokenizer this ` +
            "checkpoint's?",
        );
      const to = [after.length, ...shape.slice(1)];
      changed.push({ name, from: shape, to });
      return {
        name,
        dtype,
        shape: to,
        data: async () => resized(await bytes(), dtype, rows, change, seed, place),
      };
    });
    if (changed.length === 0)
      throw new FormatError(
        input,
        "",
        "expected word embeddings of a BERT or ESM-2, got none. Other models cannot be resized yet.",
      );
    const files: string[] = [];
    const special = Object.fromEntries(Object.entries(ids).filter(([key]) => numberIn(config[key]) !== undefined));
    await writeDirectoryAtomic(output, async (temporary) => {
      await writeFileAtomic(
        join(temporary, "config.json"),
        configText({ ...config, ...special, vocab_size: after.length }),
      );
      files.push("config.json", ...(await writeSharded(temporary, sources)));
      for (const [name, text] of Object.entries(tokenizerFiles)) await writeFileAtomic(join(temporary, name), text);
      files.push(...Object.keys(tokenizerFiles));
    });
    return { ...change, tensors: changed, files };
  } finally {
    await set.close();
  }
}

/** The bytes of a resized table. Old 16-bit rows keep their bits: the way to f32 and back is exact. */
function resized(
  bytes: Uint8Array,
  dtype: FloatDType,
  count: number,
  change: VocabularyChange,
  seed: number,
  where: { readonly file: string; readonly name: string },
): Uint8Array {
  const values = toFloat32(dtype, bytes);
  const out = resizeRows(values, values.length / count, change, seed);
  return castFloats("F32", dtype, fromFloat32("F32", out), where);
}
