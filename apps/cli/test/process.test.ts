// Behaviour that only a process shows: exit codes, a reader that closes stdout, and help that loads no command.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

const training = [
  "pretrain",
  ...`--model ${join(root, "apps/cli/sample/esm2-quickstart.json")} --data cloze://sample --valid 0`.split(" "),
  ...`--max-length 64 --batch-tokens 256`.split(" "),
];

test("a start is quiet: the data and what its rows cut, the backend in one short line, the model", async () => {
  const { code, err } = await run([...training, "--steps", "1", "--out", join(dir, "quiet")]);
  expect(code).toBe(0);
  expect(err.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/sequences to train on/),
    expect.stringMatching(/longer than the 62 tokens of a row/),
    expect.stringMatching(/^on [^;]+ \([a-z:-]+\)$/),
    expect.stringMatching(/^esm2-quickstart: /),
  ]);
}, 60_000);

test("the interpreter answers a signal: the run stops and is saved", async () => {
  const out = join(dir, "stopped");
  const child = spawn(
    process.execPath,
    [...argv, ...training, "--steps", "100000", "--backend", "reference", "--out", out],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  const ended = new Promise((done) => child.on("close", done));
  await Promise.race([new Promise((begun) => child.stdout.once("data", begun)), ended]);
  const asked = performance.now();
  child.kill("SIGTERM");
  expect(await ended).toBe(143);
  expect(said).toContain("Stopping after the steps under way");
  expect(existsSync(join(out, "checkpoints"))).toBe(true);
  expect(performance.now() - asked).toBeLessThan(30_000);
}, 120_000);

test("a second signal ends at once and says what is lost; the run goes on from there", async () => {
  const out = join(dir, "twice");
  const child = spawn(
    process.execPath,
    [...argv, ...training, "--steps", "100000", "--save-every", "1", "--backend", "reference", "--out", out],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
    if (said.includes("Stopping") && !said.includes("Ended")) child.kill("SIGINT");
  });
  const ended = new Promise((done) => child.on("close", done));
  await Promise.race([new Promise((begun) => child.stdout.once("data", begun)), ended]);
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(said).toMatch(/Ended at once(, while .*)?: .*(step|steps) .* Go on with: cloze pretrain --resume .*twice/);
  expect(existsSync(join(out, ".lock"))).toBe(false);
}, 120_000);
