import { describe, expect, test } from "vitest";
import { COMMANDS } from "./commands.ts";
import { commandHelp, overview, wrap } from "./help.ts";
import { optionsOf } from "./main.ts";
import { flag, OPTION_GROUPS, parseWord, showValue } from "./options.ts";
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

describe("a long list of options stands under headings", () => {
  const helpOf = async (name: string): Promise<readonly string[]> => {
    const entry = COMMANDS.find((each) => each.name === name);
    if (entry === undefined) throw new Error(`there is no command ${name}`);
    const command = await entry.load();
    return commandHelp(entry, command, optionsOf(command));
  };
  const headings = (lines: readonly string[]): readonly string[] =>
    lines.filter((line) => /^[A-Z][a-z ]+:$/.test(line)).map((line) => line.slice(0, -1));

  test.each(COMMANDS.map(({ name, load }) => [name, load] as const))("%s: every option once", async (name, load) => {
    const table = optionsOf(await load());
    const lines = await helpOf(name);
    const listed = lines.flatMap((line) => /^ {2}(--[a-z0-9-]+)/.exec(line)?.[1] ?? []);
    const flags = Object.entries(table).map(([key, spec]) =>
      spec.kind === "boolean" && spec.default === true ? flag(key).replace("--", "--no-") : flag(key),
    );
    expect(listed.toSorted()).toEqual([...flags, "--help"].toSorted());
    const groups = headings(lines).filter((each) => !/^(Arguments|Examples?)$/.test(each));
    if (flags.length < 20) expect(groups).toEqual(["Options"]);
    else {
      expect(groups).toEqual(OPTION_GROUPS.filter((group) => groups.includes(group)));
      expect(groups.length).toBeGreaterThan(3);
      // What has no heading of its own is little: the seed, the files of options, --json and --help.
      expect(Object.values(table).filter(({ group = "Other" }) => group === "Other").length).toBeLessThan(6);
    }
  });

  test("the headings of a training", async () => {
    expect(headings(await helpOf("pretrain"))).toEqual([
      "Arguments",
      "Model",
      "Data",
      "Objective",
      "Length and batches",
      "Optimizer",
      "Learning rate",
      "Evaluation and saving",
      "Compute",
      "Cost",
      "Other",
      "Examples",
    ]);
    expect(headings(await helpOf("finetune")).slice(0, 4)).toEqual(["Arguments", "Task", "Model", "Data"]);
  });
});

test("wrap keeps every word", () => {
  expect(wrap("aa bb cc", 5)).toEqual(["aa bb", "cc"]);
  expect(wrap("abcdefgh i", 4)).toEqual(["abcdefgh", "i"]);
});
