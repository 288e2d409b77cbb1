import { expect, expectTypeOf, it } from "vitest";
import { dims, Graph } from "./index.ts";

const g = new Graph();
const x = g.input("x", "f32", [8, 128, 768]);

it("gives the sizes by name", () => {
  expect(dims("encode(x)", x, "batch seq hidden", { hidden: 768 })).toEqual({ batch: 8, seq: 128, hidden: 768 });
  expectTypeOf(dims("encode(x)", x, "batch seq hidden")).toEqualTypeOf<Record<"batch" | "seq" | "hidden", number>>();
  expect(dims("loss", { shape: [] }, "")).toEqual({});
});

it("a wrong size or rank is an error that shows both", () => {
  expect(() => dims("attention(x)", x, "batch seq hidden", { hidden: 512 })).toThrow(
    "attention(x): expected shape [batch, seq, hidden=512], got [8, 128, 768].",
  );
  expect(() => dims("linear(x)", x, "rows hidden")).toThrow(
    "linear(x): expected shape [rows, hidden], got [8, 128, 768].",
  );
  expect(() => g.within("encoder", () => dims("x", x, "a b"))).toThrow("encoder: x: expected");
});

it("a name used twice must agree with itself", () => {
  expect(dims("gram", { shape: [3, 3] }, "n n")).toEqual({ n: 3 });
  expect(() => dims("gram", { shape: [3, 4] }, "n n")).toThrow("gram: expected shape [n, n], got [3, 4].");
});

it("a misspelt axis does not compile", () => {
  // @ts-expect-error heads is not in the spec
  expect(dims("encode(x)", x, "batch seq hidden").heads).toBeUndefined();
  // @ts-expect-error width is not in the spec
  expect(dims("encode(x)", x, "batch seq hidden", { width: 1 })).toEqual({ batch: 8, seq: 128, hidden: 768 });
});
