import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Objective, TokenSet } from "@cloze/objective";
import { kitTokens } from "@cloze/objective/kit";
import { maskedDiffusion } from "@cloze/objective-masked-diffusion";
import { mlm } from "@cloze/objective-mlm";
import { nsp } from "@cloze/objective-nsp";
import { sop } from "@cloze/objective-sop";
import { findObjective } from "./objectives.ts";

const cwd = mkdtempSync(join(tmpdir(), "cloze-objectives-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function install(name: string, exports: unknown, files: Readonly<Record<string, string>>): void {
  const dir = join(cwd, "node_modules", name);
  mkdirSync(join(dir, "lib"), { recursive: true });
  writeFileSync(
    join(dir, "package.json"),
    JSON.stringify({ name, type: "module", ...(exports === undefined ? {} : { exports }) }),
  );
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text);
}
const source = (tag: string): string => `export const objective = () => ({ name: "${tag}" });\n`;
const tokens: TokenSet = { special: { pad: 0, unknown: 1 }, specialIds: new Set(), regularIds: [], vocabulary: [] };
const nameOf = async (name: string, from: string = cwd): Promise<string> =>
  (await findObjective(name, from)).objective(tokens).name;

test("ours, by short and by full name", async () => {
  for (const name of ["mlm", "@cloze/objective-mlm"])
    expect(await findObjective(name, cwd)).toEqual({ from: "@cloze/objective-mlm", objective: mlm });
  expect((await findObjective("masked-diffusion", cwd)).objective).toBe(maskedDiffusion);
  expect((await findObjective("nsp", cwd)).objective).toBe(nsp);
  expect((await findObjective("sop", cwd)).objective).toBe(sop);
});

describe("several at once", () => {
  const made = async (name: string, options?: Readonly<Record<string, unknown>>): Promise<Objective> =>
    (await findObjective(name, cwd)).objective(kitTokens, options);

  test("each found by its name, with options under it", async () => {
    const found = await findObjective("mlm+nsp", cwd);
    expect(found.from).toBe("@cloze/objective-mlm+@cloze/objective-nsp");
    expect(found.objective(kitTokens, { mlm: { rate: 0.3 }, factors: { nsp: 2 } })).toMatchObject({
      name: "mlm+nsp",
      requires: "masked-lm+sentence-pair",
      rows: { kind: "sentence-pairs", second: "random" },
      options: { mlm: { rate: 0.3 }, nsp: {}, factors: { nsp: 2 } },
    });
    expect(await made("@cloze/objective-mlm+sop")).toMatchObject({ name: "mlm+sop", rows: { second: "swapped" } });
  });

  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["mlm+", {}, /^--objective mlm\+: expected names with a \+ between, such as mlm\+nsp, got an empty one\.$/],
    ["mlm+nps", {}, /^--objective nps: no @cloze\/objective-nps .+ Did you mean nsp\?$/],
    ["mlm+mlm", {}, /expected each part once, got mlm twice/],
    ["nsp+sop", {}, /got nsp with random and sop with swapped second texts/],
    [
      "mlm+nsp",
      { rate: 0.2 },
      /^--objective-options: expected the options of mlm\+nsp under their names, mlm, nsp, factors, got "rate"\. Write '\{"mlm":\{…\},"factors":\{"nsp":0\.5\}\}'\.$/,
    ],
    ["mlm+nsp", { mlm: 0.2 }, /^--objective-options: expected an object under "mlm", got 0\.2\./],
    ["mlm+nsp", { factors: { nsp: "2" } }, /factors: expected a number above 0 for nsp, got 2/],
  ])("refuses %s with %j", async (name, options, message) => {
    await expect(made(name, options)).rejects.toThrow(message);
  });
});

describe("a stranger's", () => {
  test("package, by whatever its exports look like", async () => {
    install("@cloze/objective-alien", "./lib/a.js", { "lib/a.js": source("short name") });
    install("plain", undefined, { "index.js": source("plain") });
    install(
      "@them/conditions",
      {
        ".": { types: "./lib/a.d.ts", require: "./no.cjs", node: { import: "./lib/b.js" }, default: "./no.js" },
        "./x": "./no.js",
      },
      { "lib/b.js": source("conditions") },
    );
    install("import-only", { import: "./lib/c.js" }, { "lib/c.js": source("import only") });
    expect(await nameOf("alien")).toBe("short name");
    expect(await nameOf("plain")).toBe("plain");
    expect(await nameOf("@them/conditions")).toBe("conditions");
    expect(await nameOf("import-only")).toBe("import only");
  });

  test("package of a folder above", async () => {
    install("plain", undefined, { "index.js": source("plain") });
    expect(await nameOf("plain", join(cwd, "runs", "deep"))).toBe("plain");
  });

  test("file", async () => {
    writeFileSync(join(cwd, "mine.mjs"), source("a file"));
    expect(await nameOf("./mine.mjs")).toBe("a file");
    expect(await nameOf(join(cwd, "mine.mjs"))).toBe("a file");
  });
});

describe("what is refused", () => {
  test.each([
    ["mml", /^--objective mml: no @cloze\/objective-mml and no mml installed in .+ or above\. Did you mean mlm\?$/],
    ["../evil", /^--objective \.\.\/evil: expected a JavaScript file there, found nothing\./],
    ["./missing.js", /^--objective \.\/missing\.js: expected a JavaScript file there/],
    [
      "a b",
      /^--objective a b: no such name of a package\. Ours: mlm, nsp, sop, masked-diffusion; install another with npm install\.$/,
    ],
    ["constructor", /^--objective constructor: no @cloze\/objective-constructor/],
  ])("%j", async (name, message) => {
    await expect(findObjective(name, cwd)).rejects.toThrow(message);
  });

  test("a package without an objective, one that does not load", async () => {
    install("empty", undefined, { "index.js": "export const nothing = 1;\n" });
    install("throws", undefined, { "index.js": 'throw new Error("boom");\n' });
    await expect(findObjective("empty", cwd)).rejects.toThrow(
      'expected it to export a function "objective", got nothing.',
    );
    await expect(findObjective("throws", cwd)).rejects.toThrow("which does not load: boom");
  });
});
