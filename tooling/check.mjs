// What a change is held to, one line per check, all of them even when one fails. Needs an install (`npm run setup`).
//
//   node tooling/check.mjs             all that a user's machine can do: `npm test`
//   node tooling/check.mjs --quick     all that needs no GPU, browser, packing or long training: `npm run test:quick`
//   node tooling/check.mjs NAME...     some checks by name; those of CI are run only so
//
// The last line is `N passed, N failed, N skipped`: the tests of the suite, plus one failed for each other check that
// failed.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { drivers } from "./webgpu-drivers.mjs";
import { root, rootManifest } from "./workspace.mjs";

const temp = mkdtempSync(join(tmpdir(), "check-"));
const workers = Math.max(2, Math.floor(availableParallelism() / 2));
const npx = (...args) => ["npx", "--yes", "--package", ...args];
const tool = (name) => [process.execPath, join(root, "tooling", `${name}.mjs`)];
const module = (file, ...args) => [process.execPath, join(root, "node_modules", file), ...args];

/** A run of the suite: of the parts of vitest.config.ts that are named, and of their files where some are named. */
const suite = (name, parts, { files = [], node = [process.execPath], ...rest } = {}) => {
  const results = `${name.replaceAll(" ", "-")}.json`;
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", `--maxWorkers=${workers}`];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${join(temp, results)}`];
  const projects = parts.map((part) => `--project=${part}`);
  return { name, command: [...node, ...vitest, ...reporters, ...projects, ...files], show: true, results, ...rest };
};

/** The driver that WebGPU runs on in CI, where it must be there. Elsewhere WebGPU takes what a machine has. */
const on = (name) => {
  const file = drivers.find((driver) => driver.name === name)?.file;
  return file === undefined
    ? { needs: `${name} is not installed: run .ci/webgpu-drivers` }
    : { env: { CI: "true", VK_DRIVER_FILES: file } };
};

const format = ["--check", "--cache", "--log-level", "warn", "."];
const checks = [
  { name: "typecheck", command: tool("typecheck"), part: "quick", beside: true },
  { name: "format", command: module("prettier/bin/prettier.cjs", ...format), part: "quick", beside: true },
  { name: "lint", command: module("oxlint/bin/oxlint", "--deny-warnings"), part: "quick", beside: true },
  { name: "arrows", command: tool("arrows"), part: "quick", beside: true },
  { name: "smells", command: tool("smells"), part: "quick", beside: true },
  { name: "docs", command: tool("docs"), part: "quick", beside: true },
  { name: "bundle", command: module("size-limit/bin.js"), part: "quick", beside: true },
  suite("quick tests", ["quick", "quick-alone"], { part: "quick" }),
  { name: "size", command: tool("size"), show: true, part: "rest" },
  suite("long tests", ["long"], { part: "rest" }),
  suite("machine tests", ["machine"], { part: "rest" }),
  {
    name: "build",
    command: npx(rootManifest.packageManager, "-c", "turbo run build --output-logs=errors-only"),
    part: "rest",
  },
  { name: "packed", command: tool("packed"), part: "rest" },
  { name: "native addon of tfjs", command: tool("tfjs-native"), part: "ci", optional: true },
  suite("tests with the native addon", ["quick-alone"], { part: "ci", files: ["packages/backend-tfjs"] }),
  suite("machine tests on lavapipe", ["machine"], { part: "ci", ...on("lavapipe") }),
  // SwiftShader has other limits than lavapipe, no f16, and subgroups of another size.
  suite("WebGPU on SwiftShader", ["machine"], {
    part: "ci",
    files: ["packages/backend-webgpu/src", "packages/backend-webgpu/test/exit"],
    ...on("SwiftShader"),
  }),
  suite("tests on Node 24", ["quick", "quick-alone"], { part: "ci", node: npx("node@24", "node") }),
];

/** Exit code of a check that is `optional`, where this machine cannot do it: a reason, and no failure. */
const CANNOT = 3;

/** Runs one command; its output is shown as it comes with `show`, and otherwise only when it failed. */
function run({ command: [program, ...args], show, env = {}, needs, optional = false }) {
  if (needs !== undefined) return { ok: false, output: needs };
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      stdio: show ? "inherit" : ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32" && program === "npx",
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", ...env },
    });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => output.push(chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({
        ok: code === 0,
        skipped: optional && code === CANNOT,
        output: Buffer.concat(output).toString().trim(),
      }),
    );
  });
}

const args = process.argv.slice(2);
const asked = args.filter((arg) => arg !== "--quick");
const unknown = asked.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(
    `no check is called ${unknown.join(", ")}. There are: ${checks.map(({ name }) => name).join(", ")}; and --quick`,
  );
  process.exit(2);
}
const parts = args.includes("--quick") ? ["quick"] : ["quick", "rest"];
const chosen = checks.filter(({ name, part }) => (asked.length === 0 ? parts.includes(part) : asked.includes(name)));

const count = { passed: 0, failed: 0, skipped: 0 };
const lines = [];

async function perform(check) {
  const started = Date.now();
  const { ok, skipped = false, output } = await run(check);
  const tests = check.results === undefined ? undefined : countTests(check.results);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const counted =
    tests === undefined ? "" : `: ${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`;
  const line = `${ok ? "ok    " : skipped ? "cannot" : "FAILED"} ${check.name} (${seconds} s)${counted}`;
  if (!ok && output !== "") console.log(output);
  console.log(line);
  lines.push(line);
  // A check that is no test, or a suite that could not even be loaded.
  if (!ok && !skipped && (tests?.failed ?? 0) === 0) count.failed += 1;
}

// The first checks are short and have one thread each: two at a time. A suite has workers of its own.
const beside = chosen.filter((check) => check.beside);
await Promise.all(
  [1, 2].map(async () => {
    for (let check = beside.shift(); check !== undefined; check = beside.shift()) await perform(check);
  }),
);
for (const check of chosen.filter((check) => !check.beside)) await perform(check);
rmSync(temp, { recursive: true, force: true });

/** Adds the tests of one run to the count. Undefined where the run wrote no results: it counts as failed itself. */
function countTests(file) {
  let results;
  try {
    results = JSON.parse(readFileSync(join(temp, file), "utf8"));
  } catch {
    return undefined;
  }
  const tests = {
    passed: results.numPassedTests,
    failed: results.numFailedTests,
    skipped: results.numPendingTests + results.numTodoTests,
  };
  for (const key of Object.keys(count)) count[key] += tests[key];
  return tests;
}

console.log(`\n${lines.join("\n")}\n`);
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed === 0 ? 0 : 1;
