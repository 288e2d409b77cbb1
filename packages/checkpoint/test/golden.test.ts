// Reads files that Python wrote, and writes them again to the same bytes.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { encodeSafetensors, type SafetensorsDType, type TensorBytes } from "../src/index.ts";
import {
  openCheckpointTensors,
  openSafetensors,
  readJson,
  readSafetensors,
  writeSafetensors,
  writeSharded,
} from "../src/node.ts";
import { scratch } from "./scratch.ts";

const golden = fileURLToPath(new URL("golden", import.meta.url));
interface Row {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly hex: string;
}
const rows = JSON.parse(readFileSync(join(golden, "all-dtypes.json"), "utf8")) as readonly Row[];
const tensors: readonly TensorBytes[] = rows.map(({ name, dtype, shape, hex }) => ({
  name,
  dtype,
  shape,
  data: Uint8Array.from(Buffer.from(hex, "hex")),
}));
const file = join(golden, "all-dtypes.safetensors");

describe("all dtypes, a scalar, empty tensors, hard names", () => {
  it("read as Python wrote them", async () => {
    const opened = await openSafetensors(file);
    expect({ ...opened.metadata }).toEqual({ format: "pt" });
    expect(opened.entries.size).toBe(rows.length);
    for (const { name, dtype, shape, data } of tensors) {
      expect(opened.entries.get(name)).toMatchObject({ dtype, shape });
      expect(await opened.read(name)).toEqual(data);
    }
    await opened.close();
    await expect(opened.read("scalar")).rejects.toThrow("It was closed before");
    const { tensors: all } = await readSafetensors(file);
    expect(new Set(all.values())).toEqual(new Set(tensors));
  });

  it("written in another order, give Python's bytes", async () => {
    expect(encodeSafetensors(tensors)).toEqual(new Uint8Array(readFileSync(file)));
    const path = join(scratch(), "a.safetensors");
    await writeSafetensors(
      path,
      (async function* () {
        for (const tensor of tensors) yield { ...tensor, data: async () => tensor.data };
      })(),
    );
    expect(readFileSync(path)).toEqual(readFileSync(file));
  });
});

it("shards of huggingface_hub are read as one and written again to the same bytes", async () => {
  const dir = join(golden, "sharded");
  const copy = scratch();
  const order = (await readJson(join(dir, "order.json"))) as readonly string[];
  const opened = await openCheckpointTensors(dir);
  expect([...opened.entries.keys()].sort()).toEqual([...order].sort());
  const files = await writeSharded(
    copy,
    order.map((name) => {
      const { dtype, shape } = opened.entries.get(name) ?? { dtype: "U8" as const, shape: [] };
      return { name, dtype, shape, data: () => opened.read(name) };
    }),
    { maxShardBytes: 128, metadata: opened.metadata },
  );
  await opened.close();
  expect(readdirSync(copy).sort()).toEqual([...files].sort());
  for (const name of opened.files) expect(readFileSync(join(copy, name))).toEqual(readFileSync(join(dir, name)));
  const index = "model.safetensors.index.json";
  expect(await readJson(join(copy, index))).toEqual(await readJson(join(dir, index)));
});
