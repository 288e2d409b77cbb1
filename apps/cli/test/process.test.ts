// Behaviour that only a process shows: exit codes, a reader that closes stdout, and help that loads no command.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "cloze-process-"));
const start = join(dir, "start.mjs");
const argv = ["--import", "tsx", "--conditions=@cloze/source", start];

beforeAll(() => {
  const entry = pathToFileURL(join(root, "apps/cli/src/index.ts")).href;
  writeFileSync(
    start,
    `const { main } = await import(${JSON.stringify(entry)});\nprocess.exitCode = await main(process.argv.slice(2));\n`,
  );
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function run(
  words: readonly string[],
): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [...argv, ...words], { cwd: root }, (error, out, err) =>
      done({ code: error === null ? 0 : error.code, out, err }),
    );
    child.stdin?.end();
  });
}

test("exit codes and streams", async () => {
  expect(await run(["tokenize", "MKT"])).toMatchObject({
    code: 0,
    out: expect.stringContaining("<cls> M K T <eos>"),
    err: "",
  });
  expect(await run(["tokenize", "--flie", "a"])).toEqual({
    code: 2,
    out: "",
    err: "cloze: tokenize: unknown option --flie. Did you mean --file?\n",
  });
});

test("a reader that leaves: no stack, and an end", async () => {
  const file = join(dir, "many.fasta");
  writeFileSync(file, ">a\nMKTAYIAKQRQISFVKSHFSRQ\n".repeat(200_000));
  const child = spawn(process.execPath, [...argv, "tokenize", "--file", file], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const code = await new Promise((done) => child.on("close", done));
  expect(err).toBe("");
  expect(code).toBe(141);
});
