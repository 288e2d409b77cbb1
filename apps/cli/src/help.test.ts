import { describe, expect, test } from "vitest";
import { COMMANDS } from "./commands.ts";
import { commandHelp, overview, wrap } from "./help.ts";
import { optionsOf } from "./main.ts";
import { parseWord, showValue } from "./options.ts";
import { parseArguments } from "./parse-arguments.ts";

test("the overview fits 80 columns and lists every command", () => {
  const lines = overview(COMMANDS);
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  for (const { name, summary } of COMMANDS) {
    expect(lines.join("\n")).toContain(`  ${name} `);
    expect(summary).not.toMatch(/\.$/);
  }
});

describe.each(COMMANDS.map((entry) => [entry.name, entry] as const))("%s", (name, entry) => {
  test("help fits 80 columns and has an example", async () => {
    const command = await entry.load();
    const lines = commandHelp(entry, command, command.options);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(command.examples.length).toBeGreaterThan(0);
  });

  test("its examples are understood", async () => {
    const command = await entry.load();
    const table = optionsOf(command);
    for (const { line } of command.examples) {
      const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
      expect(words.slice(0, 1 + name.split(" ").length).join(" ")).toBe(`cloze ${name}`);
      const { values } = parseArguments(words.slice(1 + name.split(" ").length), table, command.arguments, name);
      if (!values.has("config") && !values.has("recipe"))
        for (const [key, spec] of Object.entries(command.options))
          if (spec.required) expect([...values.keys()], line).toContain(key);
    }
  });

  test("its defaults are values it would take", async () => {
    for (const [key, spec] of Object.entries((await entry.load()).options)) {
      if (spec.default === undefined || spec.kind === "list") continue;
      expect(parseWord(spec, showValue(spec, spec.default), key)).toBe(spec.default);
    }
  });
});

test("wrap keeps every word", () => {
  expect(wrap("aa bb cc", 5)).toEqual(["aa bb", "cc"]);
  expect(wrap("abcdefgh i", 4)).toEqual(["abcdefgh", "i"]);
});
