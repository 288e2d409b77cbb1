import { expect, test } from "vitest";
import { editDistance, nearest } from "./suggest.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["ab", "ba", 1],
  ["steps", "stpes", 1],
  ["ca", "abc", 3],
])("%s to %s is %i edits", (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits);
  expect(editDistance(b, a)).toBe(edits);
});

test("the nearest name, or none where nothing is near", () => {
  const names = ["batch-tokens", "max-length", "seed", "steps"];
  expect(nearest("bach-tokens", names)).toBe("batch-tokens");
  expect(nearest("maxLength", names)).toBe("max-length");
  expect(nearest("batch", names)).toBe("batch-tokens");
  expect(nearest("quux", names)).toBeUndefined();
});
