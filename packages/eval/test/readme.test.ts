// The README's example is a file: it is compiled, run, and held against what the README shows and promises.
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";

test("the README shows readme-example.ts, and it prints what it says", async () => {
  const source = readFileSync(new URL("./readme-example.ts", import.meta.url), "utf8");
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain("```ts\n" + source + "```");

  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import("./readme-example.ts");
  const printed = log.mock.calls.map((call) => call.join(" "));
  log.mockRestore();
  expect(printed).toEqual([...source.matchAll(/\/\/ => (.*)/g)].map((match) => match[1]));
});
