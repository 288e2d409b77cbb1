import { describe, expect, test } from "vitest";
import type { ArgumentsSpec } from "./command.ts";
import type { OptionTable } from "./options.ts";
import { parseArguments } from "./parse-arguments.ts";

const table: OptionTable = {
  data: { kind: "list", help: "" },
  steps: { kind: "integer", min: 1, help: "" },
  layer: { kind: "integer", help: "" },
  lr: { kind: "number", help: "" },
  resume: { kind: "string", bare: "auto", help: "" },
  backend: { kind: "choice", choices: ["auto", "reference"], help: "" },
  maxLength: { kind: "integer", help: "" },
  fast: { kind: "boolean", help: "" },
};
const texts: ArgumentsSpec = { name: "[TEXT…]", help: "", min: 0, max: Infinity };
const values = (...words: string[]): Record<string, unknown> =>
  Object.fromEntries(parseArguments(words, table, undefined, "go").values);

describe("what is understood", () => {
  test.each([
    [["--steps", "5"], { steps: 5 }],
    [["--steps=5"], { steps: 5 }],
    [["--layer", "-1"], { layer: -1 }],
    [["--lr", "-.5"], { lr: -0.5 }],
    [["--max-length", "9"], { maxLength: 9 }],
    [["--data", "a", "b", "--steps", "1", "--data", "c"], { data: ["a", "b", "c"], steps: 1 }],
    [["--data=a=b.fasta"], { data: ["a=b.fasta"] }],
    [["--resume"], { resume: "auto" }],
    [["--resume", "--fast"], { resume: "auto", fast: true }],
    [["--resume", "runs/a"], { resume: "runs/a" }],
    [["--no-fast"], { fast: false }],
    [["--fast=false"], { fast: false }],
  ])("%j", (words, expected) => {
    expect(values(...words)).toEqual(expected);
  });

  test("words beside options, and after --", () => {
    expect(parseArguments(["a", "--fast", "b", "-", "--", "--fast"], table, texts, "go").args).toEqual([
      "a",
      "b",
      "-",
      "--fast",
    ]);
    // If the command itself takes words, a list option takes one word at a time.
    expect(parseArguments(["--data", "x", "y"], table, texts, "go")).toEqual({
      values: new Map([["data", ["x"]]]),
      args: ["y"],
    });
  });
});

describe("words that are values of an option", () => {
  const files: ArgumentsSpec = { name: "[FILE…]", min: 0, max: Infinity, option: "data" };
  const file: ArgumentsSpec = { name: "[FILE]", min: 0, max: 1, option: "resume" };

  test("among the option's own, in the order that was typed", () => {
    for (const words of [
      ["a", "--data", "b", "--fast", "c", "--", "--d"],
      ["--data", "a", "b", "--fast", "c", "--", "--d"],
      ["a", "b", "c", "--fast", "--", "--d"],
    ])
      expect(parseArguments(words, table, files, "go")).toEqual({
        values: new Map<string, unknown>([
          ["data", ["a", "b", "c", "--d"]],
          ["fast", true],
        ]),
        args: [],
      });
    expect(parseArguments(["-", "--steps", "1"], table, files, "go").values.get("data")).toEqual(["-"]);
    expect(parseArguments([], table, files, "go").values.has("data")).toBe(false);
  });

  test("one, where the option is one", () => {
    expect(parseArguments(["a"], table, file, "go")).toEqual({ values: new Map([["resume", "a"]]), args: [] });
    expect(() => parseArguments(["a", "--resume", "b"], table, file, "go")).toThrow(
      "go: expected --resume or one [FILE], got a and b. Leave one out.",
    );
    expect(() => parseArguments(["--resume", "b", "a"], table, file, "go")).toThrow("got b and a");
    expect(() => parseArguments(["a", "b"], table, file, "go")).toThrow('go: expected one [FILE], got "b".');
    expect(() => parseArguments(["--resume", "a", "--resume", "b"], table, undefined, "go")).toThrow(
      "--resume: given twice. Leave one out.",
    );
  });

  test("a list of one word a flag leaves the next word alone", () => {
    const layers: OptionTable = { ...table, layers: { kind: "list", single: true, help: "" } };
    expect(parseArguments(["--layers", "-1,2", "a", "--layers", "3", "b"], layers, files, "go").values).toEqual(
      new Map<string, unknown>([
        ["layers", ["-1,2", "3"]],
        ["data", ["a", "b"]],
      ]),
    );
  });
});

describe("what is refused", () => {
  test.each([
    [["--stepz", "5"], "go: unknown option --stepz. Did you mean --steps?"],
    [["--quux"], "go: unknown option --quux. See: cloze go --help"],
    [["-x"], "go: unknown option -x. See: cloze go --help"],
    [["--maxLength", "5"], "go: unknown option --maxLength. Did you mean --max-length?"],
    [["--steps"], "--steps: expected a whole number, at least 1, got nothing."],
    [["--steps", "--fast"], "--steps: expected a whole number, at least 1, got nothing."],
    [["--steps", "-5"], '--steps: expected a whole number, at least 1, got "-5".'],
    [["--steps", "many"], '--steps: expected a whole number, at least 1, got "many".'],
    [["--steps", "1", "--steps", "2"], "--steps: given twice. Leave one out."],
    [["--backend", "gpu"], '--backend: expected one of auto, reference, got "gpu".'],
    [["--backend="], '--backend: expected one of auto, reference, got "".'],
    [["--no-fast=true"], '--no-fast: expected no value, got "true".'],
    [["--no-steps"], "go: unknown option --no-steps. Did you mean --steps?"],
    [["--fast", "yes"], 'go: expected no words but options, got "yes". See: cloze go --help'],
  ])("%j", (words, message) => {
    expect(() => values(...words)).toThrow(message);
  });

  test("too few and too many words", () => {
    const one: ArgumentsSpec = { name: "PATH", help: "", min: 1, max: 1 };
    expect(() => parseArguments([], table, one, "go")).toThrow("go: expected PATH, got nothing.");
    expect(() => parseArguments(["a", "b"], table, one, "go")).toThrow('go: expected one PATH, got "b".');
  });
});
