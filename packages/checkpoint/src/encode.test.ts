import { ConfigError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import { compareUtf8, encodeSafetensors, layoutSafetensors, type TensorBytes } from "./encode.ts";
import { parseSafetensors } from "./header.ts";

const u8 = (name: string, ...data: number[]): TensorBytes => ({
  name,
  dtype: "U8",
  shape: [data.length],
  data: new Uint8Array(data),
});

describe("encodeSafetensors", () => {
  it("gives the same bytes for any order, 8-byte aligned data, and what was put in", () => {
    const tensors: readonly TensorBytes[] = [
      u8("b", 1, 2, 3),
      u8("a"),
      { name: "w", dtype: "F32", shape: [], data: new Uint8Array(4) },
      { name: "n", dtype: "I64", shape: [1], data: new Uint8Array(8) },
    ];
    const bytes = encodeSafetensors(tensors, { metadata: { z: "1", a: "2", "10": "x", "9": "y" } });
    expect(encodeSafetensors([...tensors].reverse(), { metadata: { "9": "y", "10": "x", a: "2", z: "1" } })).toEqual(
      bytes,
    );
    const file = parseSafetensors(bytes);
    expect(file.dataOffset % 8).toBe(0);
    expect([...file.entries.keys()]).toEqual(["n", "w", "a", "b"]);
    expect({ ...file.metadata }).toEqual({ z: "1", a: "2", "10": "x", "9": "y" });
    for (const tensor of tensors) expect(file.read(tensor.name)).toEqual(tensor.data);
  });

  it("says format pt, unless told otherwise", () => {
    expect({ ...parseSafetensors(encodeSafetensors([u8("a", 1)])).metadata }).toEqual({ format: "pt" });
    expect({ ...parseSafetensors(encodeSafetensors([u8("a", 1)], { metadata: {} })).metadata }).toEqual({});
  });

  it.each([
    ["each name once", [u8("a"), u8("a")]],
    ["the format's own", [u8("__metadata__")]],
    ["half of a surrogate", [u8("\ud83d")]],
    [
      "expected 8 bytes for F32 [2] (4 each), got 7",
      [{ name: "a", dtype: "F32", shape: [2], data: new Uint8Array(7) }],
    ],
    ["got [-1]", [{ name: "a", dtype: "F32", shape: [-1], data: new Uint8Array() }]],
    ["got [1.5]", [{ name: "a", dtype: "F32", shape: [1.5], data: new Uint8Array() }]],
    ["got [4294967296, 4294967296]", [{ name: "a", dtype: "U8", shape: [2 ** 32, 2 ** 32], data: new Uint8Array() }]],
  ] as readonly (readonly [string, readonly TensorBytes[]])[])("refuses: %s", (message, tensors) => {
    expect(() => encodeSafetensors(tensors)).toThrow(ConfigError);
    expect(() => encodeSafetensors(tensors)).toThrow(message);
  });

  it("lays out tensors whose bytes are not here", () => {
    const { fileSize, tensors } = layoutSafetensors([{ name: "large", dtype: "F32", shape: [2 ** 40] }]);
    expect(fileSize).toBe((tensors[0]?.entry.byteOffset ?? 0) + 2 ** 42);
  });
});

it("compareUtf8 is the order of the bytes", () => {
  const names = ["", "a", "ab", "b", "é", "\uffff", "\ue000", "\u{1f600}", "\u{10ffff}", "\u{1f600}a", "Z"];
  const bytes = (text: string): string => Buffer.from(text, "utf8").toString("hex");
  expect([...names].sort(compareUtf8)).toEqual([...names].sort((a, b) => (bytes(a) < bytes(b) ? -1 : 1)));
});
