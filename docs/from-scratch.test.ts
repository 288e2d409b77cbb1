// docs/from-scratch.md is one program. The test joins its blocks (fenced as typescript, because no block runs alone),
// type-checks them in strict mode and runs them. The program must print the output that the page shows.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it, vi } from "vitest";

const page: string = readFileSync(fileURLToPath(new URL("from-scratch.md", import.meta.url)), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map((m) => m[1] ?? "");
const code: string = blocks("typescript").join("\n");

it("compiles in strict mode", () => {
  const options: ts.CompilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts"],
    noEmit: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === "page.ts" || fileExists.call(host, name);
  host.getSourceFile = (name, ...rest) =>
    name === "page.ts"
      ? ts.createSourceFile(
          name,
          `${code}declare const console: { log(line: string): void };\nexport {};\n`,
          ts.ScriptTarget.ES2022,
          true,
        )
      : getSourceFile.call(host, name, ...rest);
  const problems = ts.getPreEmitDiagnostics(ts.createProgram(["page.ts"], options, host)).map((d) => {
    const { line } = ts.getLineAndCharacterOfPosition(d.file ?? ts.createSourceFile("", "", 99), d.start ?? 0);
    return `${line + 1}: ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}\n${code.split("\n")[line]}`;
  });
  expect(problems).toEqual([]);
});

it("prints what the page shows", () => {
  const printed: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
  try {
    const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
    new Function(outputText)();
  } finally {
    log.mockRestore();
  }
  expect(blocks("text").length).toBe(1);
  expect(`${printed.join("\n")}\n`).toBe(blocks("text")[0]);
});

it("is under two hundred lines, without the proof", () => {
  const core = blocks("typescript")
    .slice(0, -1)
    .join("")
    .split("\n")
    .filter((line) => line.trim() !== "").length;
  expect(core).toBeLessThan(200);
});

it("names files that exist", () => {
  for (const [, file] of page.matchAll(/`([a-z-]+\.ts)`/g))
    expect(
      () => readFileSync(fileURLToPath(new URL(`../packages/graph/src/${file}`, import.meta.url))),
      file,
    ).not.toThrow();
});
