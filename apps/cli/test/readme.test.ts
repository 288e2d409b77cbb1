// The README lists all commands, and the parser understands its command lines.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COMMANDS } from "../src/commands.ts";
import { exampleId } from "../../../tooling/readme.ts";
import { optionsOf } from "../src/main.ts";
import { parseArguments } from "../src/parse-arguments.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("one row of the table for each command, in the order of the help", () => {
  expect([...readme.matchAll(/^\| `([a-z -]+)` +\|/gm)].map(([, name]) => name)).toEqual(
    COMMANDS.map(({ name }) => name),
  );
});

test("every command line is understood", async () => {
  const lines = [...readme.matchAll(/^npx cloze (.+)$/gm)].map(([, line]) => line ?? "");
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) {
    const entry = COMMANDS.find(({ name }) => `${line} `.startsWith(`${name} `));
    const command = await entry?.load();
    expect(command, line).toBeDefined();
    if (entry === undefined || command === undefined) continue;
    const words = [...line.slice(entry.name.length).matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, plain]) => quoted ?? plain ?? "",
    );
    expect(() => parseArguments(words, optionsOf(command), command.arguments, entry.name)).not.toThrow();
  }
});

test("its example of a function does what it says", async () => {
  await expect(import(/* @vite-ignore */ exampleId("apps/cli/README.md", 0))).resolves.toBeDefined();
});
