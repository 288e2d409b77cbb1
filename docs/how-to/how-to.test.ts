// Runs the worked example of every how-to page. Each example is written as a test file.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exampleId, examplesOf, root } from "../../tooling/readme.ts";

for (const page of readdirSync(`${root}/docs/how-to`)
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/how-to/${name}`)) {
  const text = readFileSync(`${root}/${page}`, "utf8");
  const examples = examplesOf(text);
  describe(page, async () => {
    test("has an example, and asks to be told of what it missed", () => {
      expect(examples.length).toBeGreaterThan(0);
      expect(text.trimEnd().split("\n\n").at(-1)).toMatch(/^If you touched another file, tell us/);
    });
    for (const index of examples.keys()) await import(/* @vite-ignore */ exampleId(page, index));
  });
}
