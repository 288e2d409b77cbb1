import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import { decodeUtf8, parseJson, type JsonValue } from "./json.ts";

const parse = (text: string, integers = false): JsonValue => parseJson(text, { file: "a.json", integers });
const plain = (value: JsonValue): unknown =>
  value instanceof Map
    ? Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
    : Array.isArray(value)
      ? value.map(plain)
      : value;

describe("parseJson", () => {
  it.each([
    '{"a":[1,-2.5e3,true,false,null,"x\\n\\u00e9\\ud83d\\ude00"],"b":{}}',
    " [ ] ",
    '"\\\\"',
    "0",
    "-0.5",
    '{"__proto__":1,"constructor":{"x":[]}}',
    "[1e300]",
  ])("reads %s as JSON.parse does", (text) => {
    expect(plain(parse(text))).toEqual(JSON.parse(text));
  });

  it.each([
    "",
    " ",
    "{",
    "[1,]",
    '{"a":1,}',
    '{"a"}',
    "{a:1}",
    "01",
    "1.",
    ".5",
    "+1",
    "1e",
    "nul",
    "NaN",
    "'a'",
    '"\t"',
    '"\\x"',
    '"\\u12"',
    '"a',
    '"\\',
    "[1 2]",
    "1 1",
    "\ufeff1",
    "1e999",
    "[1]//",
  ])("refuses %j", (text) => {
    expect(() => parse(text)).toThrow(FormatError);
  });

  it("refuses a key that comes twice, also where the spelling differs", () => {
    expect(() => parse('{"a":1,\n "\\u0061":2}')).toThrow(
      'a.json, line 2, column 2: expected each key once, "a" comes a second time',
    );
  });

  it("refuses half a surrogate pair and deep nesting", () => {
    expect(() => parse('"\\ud83d"')).toThrow("lone surrogates");
    expect(() => parse("[".repeat(100_000))).toThrow("levels of nesting");
  });

  it("takes only plain integers where asked to", () => {
    expect(parse("[0,7,9007199254740991]", true)).toEqual([0, 7, 9007199254740991]);
    for (const text of ["7.0", "7e0", "-0", "-1", "9007199254740992"])
      expect(() => parse(text, true)).toThrow("non-negative integer");
  });
});

it("decodeUtf8 refuses what is no UTF-8", () => {
  expect(decodeUtf8(new TextEncoder().encode("é"), "a", "")).toBe("é");
  expect(() => decodeUtf8(new Uint8Array([0xc3, 0x28]), "a", "header")).toThrow("a, header: expected UTF-8");
});
