import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import type { TensorSpec } from "./encode.ts";
import { encodeShardIndex, parseShardIndex, planShards } from "./shard-index.ts";

const f32 = (name: string, n: number): TensorSpec => ({ name, dtype: "F32", shape: [n] });
const deal = (sizes: readonly number[], max: number): readonly (readonly number[])[] =>
  planShards(
    sizes.map((n, i) => f32(`${i}`, n)),
    max,
  ).map((shard) => shard.tensors.map((t) => t.shape[0] ?? 0));

describe("planShards", () => {
  it("fills one file after the other, in order", () => {
    expect(deal([6, 6, 2, 6, 2, 2], 40)).toEqual([[6], [6, 2], [6, 2, 2]]);
    expect(deal([1, 50, 1], 40)).toEqual([[50], [1, 1]]);
    expect(deal([], 40)).toEqual([[]]);
  });

  it("names files as Hugging Face does", () => {
    expect(planShards([f32("a", 1)], 4).map((s) => s.file)).toEqual(["model.safetensors"]);
    expect(planShards([f32("a", 1), f32("b", 1)], 4).map((s) => s.file)).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
    ]);
    expect(() => planShards([], 0)).toThrow("maxShardBytes");
  });
});

describe("parseShardIndex", () => {
  it("reads what encodeShardIndex writes", () => {
    const text = encodeShardIndex(planShards([f32("b", 1), f32("a", 1)], 4));
    expect(JSON.parse(text)).toEqual({
      metadata: { total_size: 8 },
      weight_map: { a: "model-00002-of-00002.safetensors", b: "model-00001-of-00002.safetensors" },
    });
    expect([...parseShardIndex(text, "i")]).toEqual([
      ["a", "model-00002-of-00002.safetensors"],
      ["b", "model-00001-of-00002.safetensors"],
    ]);
  });

  it.each([
    "../x.safetensors",
    "/etc/x.safetensors",
    "a/b.safetensors",
    "a\\b.safetensors",
    "..\\x.safetensors",
    "C:x.safetensors",
    ".hidden.safetensors",
    "x.bin",
    "x.safetensors\0",
    "",
    7,
    null,
  ])("refuses the file %j", (file) => {
    expect(() => parseShardIndex(JSON.stringify({ weight_map: { a: file } }), "i")).toThrow(FormatError);
  });

  it.each([
    "{}",
    "[]",
    '{"weight_map":[]}',
    '{"weight_map":{}}',
    '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}',
  ])("refuses %s", (text) => {
    expect(() => parseShardIndex(text, "i")).toThrow(FormatError);
  });
});
