/** Runs the README's example: each `expression; // => value` line must give that value. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { IssueCounter } from "@cloze/tokenizer";
import * as protein from "../src/index.ts";

it("README example", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, snippet = ""] = /```ts\n([^]*?)```/.exec(readme) ?? [];
  let checks = 0;
  const code = snippet
    .replace(/^import .*$/gm, "")
    .replace(/^(.+?);\s*\/\/ => (.+)$/gm, (_, expression: string, value: string) => `check(${expression}, ${value});`);
  const check = (got: unknown, expected: unknown): void => {
    expect(got).toEqual(expected);
    checks++;
  };
  const names: Readonly<Record<string, unknown>> = { IssueCounter, ...protein };
  new Function("check", ...Object.keys(names), code)(check, ...Object.values(names));
  expect(checks).toBe(snippet.split("// =>").length - 1);
  expect(checks).toBeGreaterThan(3);
});
