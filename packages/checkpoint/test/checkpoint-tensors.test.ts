import { mkdirSync, readFileSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import {
  openCheckpointTensors,
  openSafetensors,
  writeDirectoryAtomic,
  writeSafetensors,
  writeSharded,
  type TensorSource,
} from "../src/node.ts";
import { scratch } from "./scratch.ts";

const index = "model.safetensors.index.json";
const u8 = (name: string, n: number, value: number): TensorSource => ({
  name,
  dtype: "U8",
  shape: [n],
  data: new Uint8Array(n).fill(value),
});
const six = Array.from({ length: 6 }, (_, i) => u8(`layer.${i}.weight`, 10, i));

async function sharded(): Promise<string> {
  const dir = scratch();
  await writeSharded(dir, six, { maxShardBytes: 25 });
  return dir;
}

describe("openCheckpointTensors", () => {
  it("reads one file or several alike", async () => {
    const one = scratch();
    const several = await sharded();
    expect(await writeSharded(one, six)).toEqual(["model.safetensors"]);
    expect(readdirSync(several).sort()).toEqual(
      [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`).concat(index),
    );
    for (const dir of [one, several]) {
      const opened = await openCheckpointTensors(dir);
      expect([...opened.entries.keys()].sort()).toEqual(six.map((t) => t.name));
      expect({ ...opened.metadata }).toEqual({ format: "pt" });
      for (const { name, data } of six) expect(await opened.read(name)).toEqual(data);
      await expect(opened.read("layer.9.weight")).rejects.toThrow(
        'tensor "layer.9.weight": expected a tensor of this name',
      );
      await opened.close();
    }
  });

  it("follows links, as the Hub's cache lays files out", async () => {
    const blobs = scratch();
    const dir = scratch();
    await writeSafetensors(join(blobs, "0a1b2c"), six);
    symlinkSync(join(blobs, "0a1b2c"), join(dir, "model.safetensors"));
    const opened = await openCheckpointTensors(dir);
    expect(await opened.read("layer.3.weight")).toEqual(new Uint8Array(10).fill(3));
    await opened.close();
  });

  it.each([
    [
      "a shard is missing",
      (dir: string) => renameSync(join(dir, "model-00002-of-00003.safetensors"), join(dir, "gone")),
      'expected the file "model-00002-of-00003.safetensors" beside the index, got none',
    ],
    [
      "two shards were exchanged",
      (dir: string) => {
        renameSync(join(dir, "model-00001-of-00003.safetensors"), join(dir, "x"));
        renameSync(join(dir, "model-00002-of-00003.safetensors"), join(dir, "model-00001-of-00003.safetensors"));
        renameSync(join(dir, "x"), join(dir, "model-00002-of-00003.safetensors"));
      },
      "Index and files are not of one checkpoint",
    ],
    [
      "the index names a tensor that is nowhere",
      (dir: string) =>
        edit(dir, '"layer.0.weight"', '"layer.7.weight": "model-00001-of-00003.safetensors", "layer.0.weight"'),
      'tensor "layer.7.weight": expected this tensor',
    ],
    [
      "the index forgot a tensor",
      (dir: string) => edit(dir, '    "layer.0.weight": "model-00001-of-00003.safetensors",\n', ""),
      "got null",
    ],
    [
      "the index leaves the folder",
      (dir: string) => edit(dir, "model-00003-of-00003.safetensors", "../model-00003-of-00003.safetensors"),
      "expected the plain name of a .safetensors file",
    ],
    ["a whole model beside the index", (dir: string) => writeFileSync(join(dir, "model.safetensors"), ""), "got both"],
    ["no model", (dir: string) => renameSync(join(dir, index), join(dir, "x")), "got neither"],
  ])("refuses: %s", async (_, damage, message) => {
    const dir = await sharded();
    damage(dir);
    const error: unknown = await openCheckpointTensors(dir).catch((e: unknown) => e);
    expect(FormatError.isInstance(error), String(error)).toBe(true);
    expect(String(error)).toContain(message);
  });

  it("checks the manifest, unless told that it was checked", async () => {
    const dir = join(scratch(), "step-1");
    await writeDirectoryAtomic(dir, async (temporary) => void (await writeSharded(temporary, six)));
    const bytes = readFileSync(join(dir, "model.safetensors"));
    bytes[bytes.length - 1] = 99;
    writeFileSync(join(dir, "model.safetensors"), bytes);
    await expect(openCheckpointTensors(dir)).rejects.toThrow("model.safetensors: expected the SHA-256");
    await (await openCheckpointTensors(dir, { verify: false })).close();
  });
});

function edit(dir: string, from: string, to: string): void {
  writeFileSync(join(dir, index), readFileSync(join(dir, index), "utf8").replace(from, to));
}

describe("writing", () => {
  it("does not mix a model into a folder that holds one", async () => {
    const dir = await sharded();
    await expect(writeSharded(dir, six)).rejects.toThrow("expected a folder without a model");
  });

  it("writes nothing for tensors that cannot be written", async () => {
    const dir = scratch();
    await expect(writeSharded(dir, [...six, u8("layer.0.weight", 10, 9)], { maxShardBytes: 25 })).rejects.toThrow(
      "each name once",
    );
    await expect(
      writeSafetensors(join(dir, "a"), [{ ...u8("a", 2, 0), data: async () => new Uint8Array(3) }]),
    ).rejects.toThrow("expected 2 bytes for U8 [2] (1 each), got 3");
    expect(readdirSync(dir)).toEqual([]);
    mkdirSync(join(dir, "folder"));
    await expect(writeSafetensors(join(dir, "folder"), six)).rejects.toThrow(
      "expected a file or nothing, got a folder",
    );
  });

  it("holds one tensor at a time, and reads none that is not asked for", async () => {
    const path = join(scratch(), "large.safetensors");
    const size = 16 << 20;
    const count = 24;
    const before = process.memoryUsage().rss;
    let peak = 0;
    await writeSafetensors(
      path,
      Array.from({ length: count }, (_, i) => ({
        name: `t${i}`,
        dtype: "F32" as const,
        shape: [size / 4],
        data: () => {
          peak = Math.max(peak, process.memoryUsage().rss);
          return new Uint8Array(size).fill(i);
        },
      })),
    );
    const file = await openSafetensors(path);
    for (const name of file.entries.keys()) {
      expect((await file.read(name))[5]).toBe(Number(name.slice(1)));
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    await file.close();
    console.log(
      `${(size * count) >> 20} MiB written and read, memory grew by ${((peak - before) / 2 ** 20).toFixed(0)} MiB`,
    );
    expect(peak - before).toBeLessThan((size * count) / 2); // the garbage collector may lag behind by some tensors
  });
});
