/** The mean of checkpoints: values, dtypes, files, and refusals that name the tensor. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { averageCheckpoints, openCheckpointTensors, writeSharded, type TensorSource } from "@cloze/checkpoint/node";
import { fromFloat32, toFloat32 } from "@cloze/checkpoint";
import { describe, expect, it } from "vitest";
import { scratch } from "./scratch.ts";

const f32 = (name: string, ...values: number[]): TensorSource => ({
  name,
  dtype: "F32",
  shape: [values.length],
  data: fromFloat32("F32", Float32Array.from(values)),
});
const half = (name: string, ...values: number[]): TensorSource => ({
  name,
  dtype: "BF16",
  shape: [1, values.length],
  data: fromFloat32("BF16", Float32Array.from(values)),
});
const ints = (name: string, ...values: number[]): TensorSource => ({
  name,
  dtype: "I32",
  shape: [values.length],
  data: new Uint8Array(Int32Array.from(values).buffer),
});

async function checkpoint(
  root: string,
  name: string,
  tensors: readonly TensorSource[],
  maxShardBytes?: number,
): Promise<string> {
  const dir = join(root, name);
  await mkdir(dir, { recursive: true });
  await writeSharded(dir, tensors, maxShardBytes === undefined ? {} : { maxShardBytes });
  await writeFile(join(dir, "config.json"), `{"from":"${name}"}`);
  await writeFile(join(dir, "vocab.txt"), "a\nb\n");
  await writeFile(join(dir, "optimizer.safetensors"), "not of the model");
  return dir;
}

async function valuesOf(dir: string): Promise<Record<string, number[]>> {
  const set = await openCheckpointTensors(dir);
  const all: Record<string, number[]> = {};
  for (const [name, { dtype }] of set.entries) all[name] = Array.from(toFloat32(dtype, await set.read(name)));
  await set.close();
  return all;
}

describe("averageCheckpoints", () => {
  it("is the mean of each tensor, in the dtype of the first, from one file or shards", async () => {
    const root = scratch();
    const out = join(root, "mean");
    const a = await checkpoint(root, "a", [f32("w", 1, 2, 1e8), half("h", 1, 3), ints("ids", 5, 6)]);
    const b = await checkpoint(root, "b", [f32("w", 4, 2, 1), half("h", 2, 5), ints("ids", 5, 6)], 8);
    const c = await checkpoint(
      root,
      "c",
      [f32("w", 1, -1, 1), f32("h", 0, 1), ints("ids", 5, 6)].map((t) =>
        t.name === "h" ? { ...t, shape: [1, 2] } : t,
      ),
    );
    expect(await averageCheckpoints([a, b, c], out)).toEqual({
      tensors: 3,
      files: ["config.json", "model.safetensors", "vocab.txt"],
    });
    expect(await valuesOf(out)).toEqual({ w: [2, 1, Math.fround((1e8 + 2) / 3)], h: [1, 3], ids: [5, 6] });
    expect((await readdir(out)).sort()).toEqual([
      "cloze-manifest.json",
      "config.json",
      "model.safetensors",
      "vocab.txt",
    ]);
    expect(await readFile(join(out, "config.json"), "utf8")).toBe('{"from":"a"}');
    const set = await openCheckpointTensors(out);
    expect([...set.entries].map(([name, { dtype }]) => `${name} ${dtype}`).sort()).toEqual([
      "h BF16",
      "ids I32",
      "w F32",
    ]);
    await set.close();
  });

  it("names what does not fit, and writes nothing", async () => {
    const root = scratch();
    const out = join(root, "mean");
    const a = await checkpoint(root, "a", [f32("w", 1, 2), ints("ids", 1)]);
    const against = async (name: string, ...tensors: TensorSource[]): Promise<unknown> =>
      averageCheckpoints([a, await checkpoint(root, name, tensors)], out).catch(
        (error: unknown) => (error as Error).message,
      );
    expect(await against("missing", ints("ids", 1))).toMatch(
      /missing.*tensor "w": expected \[2\], as in .*\/a, got no such tensor/,
    );
    expect(await against("longer", f32("w", 1, 2, 3), ints("ids", 1))).toMatch(
      /tensor "w": expected \[2\].* got \[3\]/,
    );
    expect(await against("more", f32("w", 1, 2), ints("ids", 1), f32("extra", 1))).toMatch(
      /tensor "extra": expected no such tensor.* got one/,
    );
    expect(await against("floats", f32("w", 1, 2), f32("ids", 1))).toMatch(/tensor "ids": expected I32.* got F32/);
    expect(await against("other", f32("w", 1, 2), ints("ids", 2))).toMatch(
      /tensor "ids": expected the integers of .*\/a.* from byte 0/,
    );
    expect(await averageCheckpoints([a], out).catch((error: unknown) => (error as Error).message)).toMatch(
      /two checkpoints or more, got 1/,
    );
    expect((await readdir(root)).includes("mean")).toBe(false);
  });
});
