import { readFileSync } from "node:fs";
import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import { encodeSafetensors } from "./encode.ts";
import { parseHeader, parseSafetensors, readHeaderLength } from "./header.ts";

interface HeaderCase {
  readonly name: string;
  readonly header: string;
  readonly dataBytes: number;
  readonly accepted: boolean;
}
const cases = JSON.parse(
  readFileSync(new URL("../test/golden/headers.json", import.meta.url), "utf8"),
) as readonly HeaderCase[];

/** Headers that the reference library opens and cloze refuses: the format forbids them, or a tensor is ambiguous. */
const stricter = new Set([
  "leading space",
  "metadata null",
  "tensor twice",
  "metadata key twice",
  "unknown field",
  "tensor a list",
]);

function fileOf(header: string, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

describe("headers, against the verdicts of safetensors 0.8", () => {
  it.each(cases)("$name", ({ name, header, dataBytes, accepted }) => {
    const bytes = fileOf(header, dataBytes);
    if (accepted && !stricter.has(name))
      expect(parseSafetensors(bytes, "a.safetensors").dataOffset).toBe(bytes.length - dataBytes);
    else expect(() => parseSafetensors(bytes, "a.safetensors")).toThrow(FormatError);
  });

  it("is stricter only where it says so", () => {
    expect(new Set(cases.filter((c) => stricter.has(c.name) && c.accepted).map((c) => c.name))).toEqual(stricter);
  });
});

describe("errors name the file, the place, both values and the next step", () => {
  const entry = (dtype: string, shape: string, offsets: string): string =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
  const messageOf = (bytes: Uint8Array): string => {
    try {
      parseSafetensors(bytes, "a.safetensors");
    } catch (error) {
      if (FormatError.isInstance(error)) return error.message;
    }
    return "";
  };

  it.each([
    [
      new Uint8Array(3),
      "a.safetensors, byte 0: expected a safetensors file, at least 8 bytes long, got 3. The file is cut off or " +
        "of another kind: fetch it again.",
    ],
    [
      new Uint8Array(16).fill(0xff),
      "a.safetensors, byte 0: expected a header length between 2 and 8, got 18446744073709551615. The file is " +
        "cut off or no safetensors file: compare its size with the source's and fetch it again.",
    ],
    [
      fileOf(`{"w":${entry("F32", "[2,3]", "[0,20]")}}`, 20),
      'a.safetensors, tensor "w": expected 24 bytes for F32 [2, 3], got data_offsets [0, 20], 20 bytes. The ' +
        "header is damaged: fetch or write the file again.",
    ],
    [
      fileOf(`{"w":${entry("F8_E4M3", "[1]", "[0,1]")}}`, 1),
      'a.safetensors, tensor "w": expected a dtype of U64, I64, F64, F32, U32, I32, BF16, F16, U16, I16, I8, U8, ' +
        'BOOL, got "F8_E4M3". Convert the checkpoint to one of these.',
    ],
    [
      fileOf(`{"v":${entry("U8", "[4]", "[0,4]")},"w":${entry("U8", "[4]", "[2,6]")}}`, 6),
      'a.safetensors, tensor "w": expected data_offsets to begin at 4, got 2: it overlaps the tensor before it. ' +
        "The header is damaged: fetch or write the file again.",
    ],
    [
      fileOf(`{"é":1,"é":2}`, 0),
      'a.safetensors, byte 16: expected each key once, "é" comes a second time, got "\\"é\\":2}". The JSON is ' +
        "damaged: fetch or write the file again.",
    ],
    [
      fileOf(`{"w":${entry("U8", "[4]", "[0,4]")}}`, 3),
      "a.safetensors, byte 64: expected a file of 65 bytes by its header, got 64. It is cut off: fetch or write " +
        "it again.",
    ],
  ])("%#", (bytes, message) => {
    expect(messageOf(bytes)).toBe(message);
  });
});

it("a name or key that objects inherit is a name like any other", () => {
  const metadata = Object.fromEntries([
    ["__proto__", "p"],
    ["constructor", "c"],
  ]);
  const bytes = encodeSafetensors([{ name: "__proto__", dtype: "U8", shape: [1], data: new Uint8Array([9]) }], {
    metadata,
  });
  const file = parseSafetensors(bytes);
  expect([...file.entries.keys()]).toEqual(["__proto__"]);
  expect(file.read("__proto__")).toEqual(new Uint8Array([9]));
  expect(Object.entries(file.metadata)).toEqual([
    ["__proto__", "p"],
    ["constructor", "c"],
  ]);
  expect(file.metadata["toString"]).toBeUndefined();
  expect(Object.hasOwn(Object.prototype, "p")).toBe(false);
});

it("needs only the header's bytes, as a range request gives them", () => {
  const bytes = encodeSafetensors([{ name: "w", dtype: "F32", shape: [1000], data: new Uint8Array(4000) }]);
  const source = { file: "https://example.org/model.safetensors", fileSize: bytes.length };
  const length = readHeaderLength(bytes.subarray(0, 8), source);
  const header = parseHeader(bytes.subarray(0, 8 + length), source);
  expect(header.entries.get("w")).toEqual({ dtype: "F32", shape: [1000], byteOffset: 8 + length, byteLength: 4000 });
  expect(() => parseHeader(bytes.subarray(0, 8 + length - 1), source)).toThrow("bytes of header");
});

it("asking for a tensor that is not there names its like", () => {
  const file = parseSafetensors(
    encodeSafetensors([{ name: "bert.pooler.bias", dtype: "U8", shape: [0], data: new Uint8Array() }]),
    "a.safetensors",
  );
  expect(() => file.read("pooler.bias")).toThrow(
    'a.safetensors, tensor "pooler.bias": expected a tensor of this name, got 1 others ("bert.pooler.bias", …)',
  );
});
