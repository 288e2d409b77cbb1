import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromFloat32, toFloat32 } from "./float32.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half-floats.ts";
import { parseSafetensors } from "./header.ts";

const golden = (name: string): Uint8Array => readFileSync(new URL(`../test/golden/${name}`, import.meta.url));
const every = Uint16Array.from({ length: 65536 }, (_, i) => i);

function digest(values: Float32Array): string {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length).map((b) =>
    (b & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : b,
  );
  return createHash("sha256").update(new Uint8Array(bits.buffer)).digest("hex");
}

describe("widening, all 65,536 values against numpy and torch", () => {
  const expected = JSON.parse(new TextDecoder().decode(golden("half-floats.json"))) as {
    readonly f16: string;
    readonly bf16: string;
  };
  it("f16", () => expect(digest(float16ToFloat32(every))).toBe(expected.f16));
  it("bf16", () => expect(digest(bfloat16ToFloat32(every))).toBe(expected.bf16));
});

describe("narrowing", () => {
  const file = parseSafetensors(golden("half-floats.safetensors"));
  const values = toFloat32("F32", file.read("f32"));
  it("f16 as numpy", () => expect(fromFloat32("F16", values)).toEqual(new Uint8Array(file.read("f16"))));
  it("bf16 as torch", () => expect(fromFloat32("BF16", values)).toEqual(new Uint8Array(file.read("bf16"))));
  it("f32 is a copy", () => {
    const copy = fromFloat32("F32", values);
    expect(copy).toEqual(new Uint8Array(file.read("f32")));
    expect(copy.buffer).not.toBe(values.buffer);
  });

  it("undoes widening for every value that is no NaN, and keeps a NaN a NaN of its sign", () => {
    for (const [widen, narrow, infinity] of [
      [float16ToFloat32, float32ToFloat16, 0x7c00],
      [bfloat16ToFloat32, float32ToBfloat16, 0x7f80],
    ] as const) {
      const back = narrow(widen(every));
      const wrong = every.filter((h) => {
        const isNaN16 = (h & 0x7fff) > infinity;
        const b = back[h] ?? 0;
        return isNaN16 ? !((b & 0x7fff) > infinity && (b & 0x8000) === (h & 0x8000)) : b !== h;
      });
      expect([...wrong]).toEqual([]);
    }
  });

  it("keeps a NaN whose payload lies only in the dropped bits", () => {
    const nan = new Float32Array(new Uint32Array([0x7f800001, 0xff800001]).buffer);
    expect([...float32ToFloat16(nan)]).toEqual([0x7e00, 0xfe00]);
    expect([...float32ToBfloat16(nan)]).toEqual([0x7fc0, 0xffc0]);
  });
});
