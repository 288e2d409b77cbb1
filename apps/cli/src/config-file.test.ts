import { describe, expect, test } from "vitest";
import { parseConfig } from "./config-file.ts";
import type { OptionTable } from "./options.ts";

const table: OptionTable = {
  data: { kind: "list", help: "" },
  batchTokens: { kind: "count", min: 1, help: "" },
  budget: { kind: "duration", help: "" },
  resume: { kind: "string", bare: "auto", help: "" },
  fast: { kind: "boolean", help: "" },
  config: { kind: "string", inFile: false, help: "" },
};
const read = async (text: string): Promise<Record<string, unknown>> =>
  Object.fromEntries(await parseConfig(text, "a.yaml", table));

test("both spellings, every kind, comments", async () => {
  expect(
    await read("data: [a.fasta, b.fasta] # two\nbatch-tokens: 64k\nbudget: 1h30m\nfast: true\nresume: true\n"),
  ).toEqual({ data: ["a.fasta", "b.fasta"], batchTokens: 64_000, budget: 5400, fast: true, resume: "auto" });
  expect(await read("batchTokens: 5\ndata: a.fasta\n")).toEqual({ batchTokens: 5, data: ["a.fasta"] });
  expect(await read("")).toEqual({});
  expect(await read("# nothing yet\n")).toEqual({});
});

describe("what is refused says where", () => {
  test.each([
    ["fast: true\nbatch-token: 5\n", 'a.yaml, line 2: unknown key "batch-token". Did you mean batch-tokens?'],
    ["quux: 5\n", 'a.yaml, line 1: unknown key "quux". Known: data, batch-tokens, budget, resume, fast.'],
    ["config: b.yaml\n", 'a.yaml, line 1: unknown key "config". It is an option of the command line only: --config.'],
    [
      "batch-tokens: many\n",
      'a.yaml, line 1: batch-tokens: expected a whole number such as 512 or 64k, at least 1, got "many".',
    ],
    ["batch-tokens: -5\n", "batch-tokens: expected a whole number such as 512 or 64k, at least 1, got -5."],
    ["\n\nbudget: 600\n", "a.yaml, line 3: budget: expected a time such as 90s, 10m or 2h, got 600."],
    ["fast:\n", "a.yaml, line 1: fast: expected true or false, got nothing."],
    ["fast: { a: 1 }\n", 'fast: expected true or false, got {"a":1}.'],
    ["batch-tokens: 5\nbatchTokens: 6\n", "a.yaml, line 2: batch-tokens is given twice."],
    ["fast: true\nfast: false\n", "a.yaml, line 2: expected YAML, got an error: Map keys must be unique"],
    ["fast: true\n  budget: 5\n", "a.yaml, line 1: expected YAML, got an error: Nested mappings"],
    ["- fast\n", "a.yaml, line 1: expected `key: value` lines"],
    ["data: [a.fasta\n", "expected YAML, got an error:"],
    ["data: *nowhere\n", "a.yaml, line 1: expected YAML, got an error: Unresolved alias"],
  ])("%j", async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });
});
