/**
 * The mean of several checkpoints of one model, tensor by tensor. The checkpoints come from one run, or from several
 * runs with the same start.
 *
 *   out[name] = (a[name] + b[name] + …) / n, summed in f64
 *
 * One tensor of each checkpoint is read at a time, so a few tensors are in memory. Integer tensors must be equal in all
 * checkpoints. Sources: Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482 (uniform
 * averages).
 */
import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, FormatError } from "@cloze/errors";
import { castFloats, isFloat, type FloatDType } from "../convert/cast.ts";
import { expectFiniteNumbers, refuseQuantised } from "../convert/sound.ts";
import type { TensorEntry } from "../dtype.ts";
import { fromFloat32, toFloat32 } from "../float32.ts";
import { writeDirectoryAtomic } from "./atomic.ts";
import {
  openCheckpointTensors,
  writeSharded,
  type CheckpointTensors,
  type ShardOptions,
} from "./checkpoint-tensors.ts";
import { tokenizerFiles } from "../hub-files.ts";
import type { TensorSource } from "./safetensors-file.ts";

export interface Averaged {
  readonly tensors: number;
  /** Files of the new folder. */
  readonly files: readonly string[];
}

/** Files that describe the tensors: the model's config, the task, the tokenizer. They are copied to the output. */
const BESIDE: ReadonlySet<string> = /* @__PURE__ */ new Set(["config.json", "task.json", ...tokenizerFiles]);

interface Input {
  readonly dir: string;
  readonly set: CheckpointTensors;
}

/**
 * Writes `output`, with the config.json, the task and the tokenizer of the first input. Each tensor has the dtype of
 * the first input's tensor, or f32 instead of f64.
 *
 * Throws: ConfigError for fewer than two inputs; FormatError with the name of a tensor that is missing, extra, of
 * another shape or kind of dtype, of different integers, or not finite; UnsupportedError for quantised weights;
 * StorageError.
 */
export async function averageCheckpoints(
  inputs: readonly string[],
  output: string,
  options: ShardOptions = {},
): Promise<Averaged> {
  if (inputs.length < 2)
    throw new ConfigError(
      `averageCheckpoints: expected two checkpoints or more, got ${inputs.length}. The mean of one is itself.`,
    );
  const opened: Input[] = [];
  try {
    for (const dir of inputs) opened.push({ dir, set: await openCheckpointTensors(dir) });
    for (const { dir, set } of opened) refuseQuantised(set.entries, dir);
    const [first, ...others] = opened as [Input, ...Input[]];
    for (const other of others) checkAlike(first, other);
    const sources = [...first.set.entries].map(([name, entry]) => meanOf(name, entry, opened));
    const files: string[] = [];
    await writeDirectoryAtomic(output, async (temporary) => {
      files.push(...(await writeSharded(temporary, sources, options)));
      const beside = (await readdir(first.dir)).filter((name) => BESIDE.has(name));
      for (const name of beside) await copyFile(join(first.dir, name), join(temporary, name));
      files.push(...beside);
    });
    return { tensors: sources.length, files: files.sort() };
  } finally {
    for (const { set } of opened) await set.close();
  }
}

function checkAlike(first: Input, other: Input): void {
  const fail = (name: string, expected: string, got: string): never => {
    throw new FormatError(
      other.dir,
      `tensor ${JSON.stringify(name)}`,
      `expected ${expected}, as in ${first.dir}, got ${got}. Only checkpoints of one model have a mean.`,
    );
  };
  for (const [name, { dtype, shape }] of first.set.entries) {
    const found = other.set.entries.get(name);
    if (found === undefined) return fail(name, `[${shape.join(", ")}]`, "no such tensor");
    if (found.shape.join() !== shape.join()) fail(name, `[${shape.join(", ")}]`, `[${found.shape.join(", ")}]`);
    if (isFloat(found.dtype) !== isFloat(dtype) || (!isFloat(dtype) && found.dtype !== dtype))
      fail(name, dtype, found.dtype);
  }
  const more = [...other.set.entries.keys()].find((name) => !first.set.entries.has(name));
  if (more !== undefined) fail(more, "no such tensor", "one");
}

function meanOf(name: string, { dtype, shape }: TensorEntry, inputs: readonly Input[]): TensorSource {
  if (!isFloat(dtype)) return { name, dtype, shape, data: () => equalIn(name, inputs) };
  const wanted: FloatDType = dtype === "F64" ? "F32" : (dtype as FloatDType);
  return {
    name,
    dtype: wanted,
    shape,
    async data() {
      const sum = new Float64Array(shape.reduce((n, d) => n * d, 1));
      for (const { dir, set } of inputs) {
        const values = toFloat32((set.entries.get(name) as TensorEntry).dtype, await set.read(name));
        expectFiniteNumbers(values, { file: dir, name });
        for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (values[i] as number);
      }
      const mean = Float32Array.from(sum, (x) => x / inputs.length);
      return castFloats("F32", wanted, fromFloat32("F32", mean), { file: (inputs[0] as Input).dir, name });
    },
  };
}

async function equalIn(name: string, [first, ...others]: readonly Input[]): Promise<Uint8Array> {
  const { dir, set } = first as Input;
  const bytes = await set.read(name);
  for (const other of others) {
    const found = await other.set.read(name);
    const at = bytes.findIndex((byte, i) => byte !== found[i]);
    if (at >= 0)
      throw new FormatError(
        other.dir,
        `tensor ${JSON.stringify(name)}`,
        `expected the integers of ${dir}, which have no mean, got others from byte ${at}. Only checkpoints of ` +
          "one model have a mean.",
      );
  }
  return bytes;
}
