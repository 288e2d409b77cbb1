import { describe, expect, expectTypeOf, test } from "vitest";
import { fromFile, kebab, parseWord, readNumber, showValue, type OptionSpec, type Values } from "./options.ts";

describe("numbers", () => {
  test.each([
    ["integer", "12", 12],
    ["integer", "-1", -1],
    ["integer", "1e3", 1000],
    ["integer", "1_000", 1000],
    ["integer", "1.5", undefined],
    ["integer", "64k", undefined],
    ["integer", "", undefined],
    ["integer", "0x10", undefined],
    ["integer", "1e99", undefined],
    ["integer", "Infinity", undefined],
    ["count", "64k", 64_000],
    ["count", "1.5M", 1_500_000],
    ["count", "1.1k", 1100],
    ["count", "2B", 2e9],
    ["count", "1.0001k", undefined],
    ["number", "1e-4", 1e-4],
    ["number", ".5", 0.5],
    ["number", "1e999", undefined],
    ["number", "NaN", undefined],
    ["number", "1,5", undefined],
    ["duration", "90s", 90],
    ["duration", "10m", 600],
    ["duration", "1h30m", 5400],
    ["duration", "1.5h", 5400],
    ["duration", "1d 2h", 93_600],
    ["duration", "10", undefined],
    ["duration", "10m5", undefined],
    ["duration", "-1m", undefined],
    ["duration", "m", undefined],
  ] as const)("%s %j is %j", (kind, text, value) => {
    expect(readNumber(kind, text)).toBe(value);
  });

  test("a duration is shown as it is typed", () => {
    const spec: OptionSpec = { kind: "duration", help: "" };
    for (const text of ["90s", "10m", "1h30m", "1d2h", "1m30s"])
      expect(readNumber("duration", showValue(spec, readNumber("duration", text) ?? 0))).toBe(
        readNumber("duration", text),
      );
    expect(showValue(spec, 5400)).toBe("1h30m");
    expect(showValue(spec, 0)).toBe("0s");
  });

  test("bounds", () => {
    const spec: OptionSpec = { kind: "number", help: "", above: 0, max: 1 };
    expect(parseWord(spec, "1", "--x")).toBe(1);
    expect(() => parseWord(spec, "0", "--x")).toThrow('--x: expected a number, above 0, at most 1, got "0".');
    expect(fromFile(spec, 2)).toBeUndefined();
  });
});

test("values of a file keep their types", () => {
  expect(fromFile({ kind: "string", help: "" }, 5)).toBeUndefined();
  expect(fromFile({ kind: "string", help: "", bare: "auto" }, true)).toBe("auto");
  expect(fromFile({ kind: "list", help: "" }, "a")).toEqual(["a"]);
  expect(fromFile({ kind: "list", help: "" }, ["a", 1])).toBeUndefined();
  expect(fromFile({ kind: "list", help: "" }, [])).toBeUndefined();
  expect(fromFile({ kind: "boolean", help: "" }, "true")).toBeUndefined();
  expect(fromFile({ kind: "integer", help: "" }, 1.5)).toBeUndefined();
  expect(fromFile({ kind: "count", help: "" }, "64k")).toBe(64_000);
  expect(fromFile({ kind: "duration", help: "" }, 600)).toBeUndefined();
  expect(fromFile({ kind: "choice", help: "", choices: ["a"] }, "b")).toBeUndefined();
});

test("types come from the table", () => {
  type V = Values<{
    readonly a: { readonly kind: "integer"; readonly help: "" };
    readonly b: {
      readonly kind: "choice";
      readonly choices: readonly ["x", "y"];
      readonly default: "x";
      readonly help: "";
    };
    readonly c: { readonly kind: "list"; readonly help: "" };
    readonly d: { readonly kind: "string"; readonly required: true; readonly help: "" };
    readonly e: { readonly kind: "boolean"; readonly help: "" };
    readonly f: { readonly kind: "duration"; readonly default: 60; readonly help: "" };
  }>;
  expectTypeOf<V>().toEqualTypeOf<{
    readonly a: number | undefined;
    readonly b: "x" | "y";
    readonly c: readonly string[];
    readonly d: string;
    readonly e: boolean;
    readonly f: number;
  }>();
});

test("camelCase and kebab-case", () => {
  expect(kebab("batchTokens")).toBe("batch-tokens");
});
