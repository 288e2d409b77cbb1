import { UnsupportedError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import { toFloat32 } from "./float32.ts";

describe("toFloat32", () => {
  const bytes = (array: ArrayBufferView): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  it.each([
    ["F64", new Float64Array([0.1, -Infinity, NaN]), [Math.fround(0.1), -Infinity, NaN]],
    ["I64", new BigInt64Array([-5n, 2n ** 40n]), [-5, 2 ** 40]],
    ["U64", new BigUint64Array([2n ** 63n]), [2 ** 63]],
    ["I32", new Int32Array([-(2 ** 24), 2 ** 31 - 128]), [-(2 ** 24), 2 ** 31 - 128]],
    ["U32", new Uint32Array([2 ** 31]), [2 ** 31]],
    ["I16", new Int16Array([-3]), [-3]],
    ["U16", new Uint16Array([65535]), [65535]],
    ["I8", new Int8Array([-128]), [-128]],
    ["U8", new Uint8Array([255]), [255]],
    ["BOOL", new Uint8Array([0, 1]), [0, 1]],
  ] as const)("%s", (dtype, data, expected) => {
    expect([...toFloat32(dtype, bytes(data))]).toEqual(expected);
  });

  it.each([
    ["F64", new Float64Array([1e300])],
    ["I64", new BigInt64Array([2n ** 53n + 1n])],
    ["I32", new Int32Array([1, 2 ** 24 + 1])],
    ["U32", new Uint32Array([2 ** 32 - 1])],
  ] as const)("%s: refuses what f32 does not hold", (dtype, data) => {
    expect(() => toFloat32(dtype, bytes(data))).toThrow(UnsupportedError);
  });

  it("copies, from any alignment, and wants the whole tensor", () => {
    const odd = new Uint8Array(9).subarray(1);
    odd.set([0x80, 0x3f], 2);
    const result = toFloat32("F32", odd);
    expect([...result]).toEqual([1, 0]);
    odd.fill(0);
    expect(result[0]).toBe(1);
    expect(() => toFloat32("F32", odd.subarray(1))).toThrow("expected a multiple of 4 bytes for F32, got 7");
    expect([...toFloat32("BF16", new Uint8Array([0x80, 0x3f, 0x00, 0xc0]))]).toEqual([1, -2]);
  });
});
