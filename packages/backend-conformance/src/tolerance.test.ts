import { expect, test } from "vitest";
import { fromNumbers, type HostTensor } from "@cloze/graph";
import { difference } from "./tolerance.ts";

const f32 = (...numbers: number[]): HostTensor => fromNumbers("f32", [numbers.length], numbers);

test.each([
  ["a finite number for an infinity", [1, 5], [1, Infinity]],
  ["the other infinity", [1, -Infinity], [1, Infinity]],
  ["an infinity for a finite number", [1, Infinity], [1, 5]],
  ["a number for NaN", [1, 0], [1, NaN]],
  ["NaN for a number", [1, NaN], [1, 0]],
] as const)("%s differs, however wide the tolerance", (_, got, want) => {
  expect(difference("y", f32(...got), f32(...want), "training")).toContain("1 of 2 elements differ; element 1");
});

test("an infinity equals itself, NaN equals NaN, and near numbers are within the tolerance", () => {
  const want = f32(Infinity, -Infinity, NaN, 1);
  expect(difference("y", f32(Infinity, -Infinity, NaN, 1.0001), want, "training")).toBeUndefined();
});
