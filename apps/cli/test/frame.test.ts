// The frame: help, versions, mistakes and their exit codes, configuration files, --json.
import { ConfigError, UnsupportedError, invariant } from "@cloze/errors";
import { describe, expect, test } from "vitest";
import { command } from "../src/command.ts";
import type { CommandEntry } from "../src/commands.ts";
import { cli } from "./run-cli.ts";

const fail: Readonly<Record<string, () => void>> = {
  user: () => {
    throw new ConfigError("first line\n  second line");
  },
  unsupported: () => {
    throw new UnsupportedError("not here");
  },
  internal: () => invariant(false, "numbers add up"),
  bug: () => {
    throw new TypeError("x is not a function");
  },
  full: () => {
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  },
  absent: () => {
    throw Object.assign(new Error("ENOENT: no such file, open 'a'"), { code: "ENOENT", syscall: "open" });
  },
};
const echo: CommandEntry = {
  name: "echo",
  summary: "Say what was understood",
  load: async () =>
    command({
      configFile: true,
      options: {
        data: { kind: "list", required: true, help: "files" },
        batchTokens: { kind: "count", default: 4096, min: 1, help: "tokens of a step" },
        budget: { kind: "duration", help: "time" },
        fast: { kind: "boolean", help: "hurry" },
        fail: { kind: "choice", choices: Object.keys(fail), help: "how to fail" },
      },
      examples: [{ does: "", line: "cloze echo --data a" }],
      run: async ({ options, given, resolved, print }) => {
        fail[options.fail ?? ""]?.();
        print(`as it \u001b[31mcomes`);
        return {
          json: { options, given: [...given], resolved, nan: NaN, ids: new Uint8Array([1, 2]) },
          text: ["at the end"],
        };
      },
    }),
};
const { run, write } = cli([echo]);
const real = cli();

describe("without a command", () => {
  test("help is an answer; nothing at all is a mistake", async () => {
    for (const words of [["--help"], ["-h"], ["help"]])
      expect(await real.run(...words)).toMatchObject({ code: 0, err: "", out: expect.stringContaining("doctor") });
    expect(await real.run()).toMatchObject({ code: 2, out: "", err: expect.stringContaining("Usage: cloze COMMAND") });
    expect(await real.run("--verbose")).toMatchObject({
      code: 2,
      err: "cloze: expected a command, got --verbose. See: cloze --help\n",
    });
  });

  test("--version", async () => {
    expect((await real.run("--version")).out).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });
});

describe("commands of two words", () => {
  test("the group lists them", async () => {
    expect((await real.run("data", "--help")).out).toContain("data prepare");
    expect(await real.run("data")).toMatchObject({
      code: 2,
      err: "cloze: data: expected one of prepare, inspect, got nothing.\n",
    });
    expect(await real.run("data", "inspct")).toMatchObject({
      code: 2,
      err: "cloze: data: expected one of prepare, inspect, got inspct. Did you mean inspect?\n",
    });
  });

  test("help in every order", async () => {
    for (const words of [
      ["data", "inspect", "--help"],
      ["help", "data", "inspect"],
    ])
      expect((await real.run(...words)).out).toContain("Usage: cloze data inspect FILE…");
  });
});

test("an unknown command", async () => {
  expect(await real.run("dcotor")).toMatchObject({
    code: 2,
    out: "",
    err: "cloze: unknown command dcotor. Did you mean doctor?\n",
  });
  expect(await real.run("xyzzy")).toMatchObject({ code: 2, err: "cloze: unknown command xyzzy. See: cloze --help\n" });
});

describe("output", () => {
  test("for people", async () => {
    // Escape codes of a file's content never reach a terminal.
    expect(await run("echo", "--data", "a")).toEqual(
      expect.objectContaining({ code: 0, out: "as it \u{fffd}[31mcomes\nat the end\n", err: "" }),
    );
  });

  test("--json: one line, one object", async () => {
    const ran = await run("echo", "--data", "a", "--json");
    expect(ran.out.split("\n")).toHaveLength(2);
    expect(ran.json()).toEqual({
      options: { data: ["a"], batchTokens: 4096, fast: false },
      given: ["data"],
      resolved: { data: ["a"], "batch-tokens": 4096, fast: false },
      nan: "NaN",
      ids: [1, 2],
    });
  });
});

describe("errors", () => {
  test.each([
    ["user", 2, "cloze: first line second line\n", "user"],
    ["unsupported", 2, "cloze: not here\n", "unsupported"],
    ["absent", 2, "cloze: ENOENT: no such file, open 'a'\n", "user"],
    ["full", 1, "cloze: ENOSPC: no space left on device, write\n", "system"],
  ])("%s: exit code %i and one line", async (how, code, err, kind) => {
    expect(await run("echo", "--data", "a", "--fail", how)).toMatchObject({ code, err, out: "" });
    const ran = await run("echo", "--data", "a", "--fail", how, "--json");
    expect(ran).toMatchObject({ code, err });
    expect(ran.json()).toMatchObject({ error: { kind, message: err.slice("cloze: ".length, -1) } });
  });

  test.each(["internal", "bug"])("%s: exit code 1 and a stack", async (how) => {
    const ran = await run("echo", "--data", "a", "--fail", how, "--json");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("frame.test.ts");
    expect(ran.json()).toMatchObject({ error: { kind: "internal" } });
  });

  test("a mistake in the options is an object too", async () => {
    const ran = await run("echo", "--json", "--daat", "a");
    expect(ran).toMatchObject({ code: 2, err: "cloze: echo: unknown option --daat. Did you mean --data?\n" });
    expect(ran.json()).toEqual({
      error: { kind: "user", code: "ConfigError", message: "echo: unknown option --daat. Did you mean --data?" },
    });
  });

  test("a required option", async () => {
    expect(await run("echo")).toMatchObject({
      code: 2,
      err: "cloze: echo: --data is required: files. See: cloze echo --help\n",
    });
  });
});

describe("--config", () => {
  test("flags beat the file, the file beats defaults", async () => {
    write("a.yaml", "data: a.fasta\nbatchTokens: 64k\nbudget: 10m\nfast: true\n");
    const ran = await run("echo", "--config", "a.yaml", "--batch-tokens", "32k", "--no-fast", "--json");
    expect(ran.json()).toMatchObject({
      options: { data: ["a.fasta"], batchTokens: 32_000, budget: 600, fast: false },
      given: ["data", "batchTokens", "budget", "fast"],
    });
  });

  test("what was resolved reads back as it was", async () => {
    const first = (await run("echo", "--data", "a", "b", "--budget", "90m", "--fast", "--json")).json();
    expect(first["resolved"]).toMatchObject({ budget: "1h30m" });
    write("resolved.yaml", JSON.stringify(first["resolved"]));
    expect((await run("echo", "--config", "resolved.yaml", "--json")).json()).toMatchObject({
      options: first["options"],
    });
  });

  test("names file, line, key and the nearest", async () => {
    write("b.yaml", "data: a\nbatch-token: 5\n");
    expect(await run("echo", "--config", "b.yaml")).toMatchObject({
      code: 2,
      err: 'cloze: b.yaml, line 2: unknown key "batch-token". Did you mean batch-tokens?\n',
    });
    expect(await run("echo", "--config", "none.yaml")).toMatchObject({
      code: 2,
      err: "cloze: --config: expected a YAML file at none.yaml, got nothing there.\n",
    });
  });

  test("only where a command takes it", async () => {
    expect(await real.run("doctor", "--config", "a.yaml")).toMatchObject({
      code: 2,
      err: "cloze: doctor: unknown option --config. See: cloze doctor --help\n",
    });
  });
});
