/**
 * The conversion of a checkpoint to a folder in the Hugging Face layout. The input is a checkpoint of another library,
 * or a Hugging Face checkpoint that should get other files or another dtype.
 *
 *     tensors of any format --naming--> Hugging Face's names --transpose, cast--> safetensors (shards for large models)
 *     config.json: the input's, or TensorFlow's bert_config.json, or one made from the shapes
 *
 * One tensor is in memory at a time. Every tensor of the input is in the output or in the result's list `left`.
 */
import { copyFile, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ConfigError, FormatError } from "@cloze/errors";
import type { SafetensorsDType } from "../../dtype.ts";
import { castFloats, isFloat, transposed, type FloatDType } from "../../convert/cast.ts";
import { finiteBytes, refuseQuantised } from "../../convert/sound.ts";
import { configText, numberIn, parseConfigText, type ConfigObject } from "../../convert/config-text.ts";
import { configFromShapes } from "../../convert/config-from-shapes.ts";
import { namingOf, renameTensors, type Naming, type Renamed } from "../../convert/naming.ts";
import { namings } from "../../convert/namings.ts";
import { writeDirectoryAtomic, writeFileAtomic } from "../atomic.ts";
import { writeSharded } from "../checkpoint-tensors.ts";
import { readText } from "../json-file.ts";
import type { TensorSource } from "../safetensors-file.ts";
import { tokenizerFiles } from "../../hub-files.ts";
import { openTensorSet, type TensorSet } from "./tensor-set.ts";

export interface ConvertOptions {
  /** The convention of the input's names. Default: found from the names. */
  readonly naming?: Naming;
  /** Dtype for all floating tensors. Default: unchanged, but F32 for F64: no model here computes in F64. */
  readonly dtype?: FloatDType;
  /** Limit for one file, in bytes. Default 5e9. */
  readonly maxShardBytes?: number;
  /** Number of attention heads, for an input whose config and shapes do not give it. */
  readonly heads?: number;
  /** Leave out tensors that the naming does not know, instead of refusing. */
  readonly leaveUnknown?: boolean;
  /** Makes tokenizer files from the new config and the naming. Called where the input's folder has none. */
  readonly tokenizerFiles?: (config: ConfigObject, naming: Naming) => Promise<Readonly<Record<string, string>>>;
}

export interface Conversion {
  readonly naming: string;
  readonly source: string;
  /** Files of the new folder. */
  readonly files: readonly string[];
  readonly tensors: readonly (Renamed & { readonly dtype: SafetensorsDType; readonly shape: readonly number[] })[];
  /** Entries of the input that are not in the output, each with the reason. */
  readonly left: readonly { readonly name: string; readonly why: string }[];
  /** Where config.json comes from. */
  readonly config: "copied" | "bert_config.json" | "made from shapes";
}

/**
 * Converts `input` and writes the folder `output` with `writeDirectoryAtomic`.
 * Throws: ConfigError for names that the naming does not know, and for two names with the same new name; FormatError,
 * also for numbers that are not finite; UnsupportedError, also for quantised weights; StorageError.
 */
export async function convertCheckpoint(
  input: string,
  output: string,
  options: ConvertOptions = {},
): Promise<Conversion> {
  const set = await openTensorSet(input);
  try {
    refuseQuantised(set.entries, set.source);
    const naming = options.naming ?? namingOf(namings, [...set.entries.keys()]);
    const { renamed, left, unknown } = renameTensors(naming, set.entries.keys());
    if (unknown.length > 0 && options.leaveUnknown !== true) {
      throw new ConfigError(
        `${set.source}: expected names of ${naming.name}, got ${unknown.length} others: ` +
          `${unknown.slice(0, 8).join(", ")}${unknown.length > 8 ? ", …" : ""}. Leave them out with ` +
          "--leave-unknown, or name another convention with --names.",
      );
    }
    if (renamed.length === 0)
      throw new ConfigError(`${set.source}: expected tensors of a model, got none. Name another file.`);
    const { tensors, copies } = await withoutCopies(
      set,
      naming,
      renamed.map((each) => specOf(set, each, options.dtype)),
    );
    const folder = await folderOf(input);
    const beside: readonly string[] = await readdir(folder);
    const { config, origin } = await configOf(folder, beside, tensors, set.source, options);
    const stored = dtypeName(tensors);
    const files: string[] = [];
    await writeDirectoryAtomic(output, async (temporary) => {
      await writeFileAtomic(
        join(temporary, "config.json"),
        configText({
          ...config,
          ...("torch_dtype" in config ? { torch_dtype: stored } : {}),
          ...("dtype" in config ? { dtype: stored } : {}),
        }),
      );
      files.push(
        "config.json",
        ...(await writeSharded(
          temporary,
          tensors.map((each) => sourceOf(set, each)),
          options.maxShardBytes === undefined ? {} : { maxShardBytes: options.maxShardBytes },
        )),
      );
      const own = tokenizerFiles.filter((name) => beside.includes(name));
      for (const name of own) await copyFile(join(folder, name), join(temporary, name));
      const made = own.length > 0 ? {} : ((await options.tokenizerFiles?.(config, naming)) ?? {});
      for (const [name, text] of Object.entries(made)) await writeFileAtomic(join(temporary, name), text);
      files.push(...own, ...Object.keys(made));
    });
    return {
      naming: naming.name,
      source: set.source,
      files,
      config: origin,
      tensors: tensors.map(({ from, to, transpose, dtype, shape }) => ({ from, to, transpose, dtype, shape })),
      left: [
        ...left,
        ...copies,
        ...unknown.map((name) => ({ name, why: "unknown" })),
        ...set.others.map((name) => ({ name, why: "no tensor of numbers" })),
      ],
    };
  } finally {
    await set.close();
  }
}

interface Placed extends Renamed {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly given: { readonly dtype: SafetensorsDType; readonly shape: readonly number[] };
}

function specOf(set: TensorSet, renamed: Renamed, wanted: FloatDType | undefined): Placed {
  const given = set.entries.get(renamed.from);
  if (given === undefined) throw new FormatError(set.source, renamed.from, "expected this tensor, got none.");
  if (renamed.transpose && given.shape.length !== 2)
    throw new FormatError(
      set.source,
      JSON.stringify(renamed.from),
      `expected a matrix, got [${given.shape.join(", ")}]. The file is of another kind of model.`,
    );
  return {
    ...renamed,
    given,
    dtype: isFloat(given.dtype) ? (wanted ?? (given.dtype === "F64" ? "F32" : given.dtype)) : given.dtype,
    shape: renamed.transpose ? [...given.shape].reverse() : given.shape,
  };
}

const sourceOf = (set: TensorSet, { from, to, transpose, dtype, shape, given }: Placed): TensorSource => ({
  name: to,
  dtype,
  shape,
  data: async () => {
    const bytes = finiteBytes(given.dtype, await set.read(from), { file: set.source, name: from });
    const turned = transpose ? transposed(given.dtype, given.shape, bytes, from) : bytes;
    return given.dtype === dtype
      ? turned
      : castFloats(given.dtype, dtype as FloatDType, turned, { file: set.source, name: from });
  },
});

/** Drops copies of tied weights, so that each is stored once. A tensor with other bytes is not a copy, and stays. */
async function withoutCopies(
  set: TensorSet,
  { copies }: Naming,
  tensors: readonly Placed[],
): Promise<{ readonly tensors: readonly Placed[]; readonly copies: Conversion["left"] }> {
  const kept: Placed[] = [];
  const dropped: { readonly name: string; readonly why: string }[] = [];
  for (const each of tensors) {
    const original = tensors.find(({ to }) => to === copies[each.to]);
    const same =
      original !== undefined &&
      original.transpose === each.transpose &&
      Buffer.compare(await set.read(original.from), await set.read(each.from)) === 0;
    if (same) dropped.push({ name: each.from, why: `a copy of ${original.from}` });
    else kept.push(each);
  }
  return { tensors: kept, copies: dropped };
}

const folderOf = async (input: string): Promise<string> =>
  (await stat(input).catch(() => undefined))?.isDirectory() === true ? input : dirname(input);

async function configOf(
  folder: string,
  beside: readonly string[],
  tensors: readonly Placed[],
  source: string,
  { heads }: ConvertOptions,
): Promise<{ readonly config: ConfigObject; readonly origin: Conversion["config"] }> {
  const shapes = new Map(tensors.map(({ to, shape }) => [to, shape]));
  const read = async (name: string): Promise<ConfigObject> =>
    parseConfigText(await readText(join(folder, name)), join(folder, name));
  if (beside.includes("config.json")) return { config: await read("config.json"), origin: "copied" };
  if (!beside.includes("bert_config.json"))
    return { config: configFromShapes(shapes, { heads, source }), origin: "made from shapes" };
  const theirs = await read("bert_config.json");
  const shaped = configFromShapes(shapes, { heads: heads ?? numberIn(theirs["num_attention_heads"]), source });
  for (const key of [
    "hidden_size",
    "num_hidden_layers",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
  ]) {
    const said = numberIn(theirs[key]);
    const found = numberIn(shaped[key]);
    if (said !== undefined && said !== found)
      throw new FormatError(
        join(folder, "bert_config.json"),
        key,
        `expected ${found}, as the tensors have it, got ${said}. Is it the config of this checkpoint?`,
      );
  }
  return { config: { ...shaped, ...theirs }, origin: "bert_config.json" };
}

/** The name of the tensors' dtype in config.json. */
function dtypeName(tensors: readonly Placed[]): string {
  const floats = tensors.filter(({ dtype }) => isFloat(dtype)).map(({ dtype }) => dtype);
  return floats.includes("F32") || floats.length === 0 ? "float32" : floats.includes("BF16") ? "bfloat16" : "float16";
}
