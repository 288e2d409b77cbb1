// The checks of a change. Prints one line per check, and goes on after a failure. Needs an install (`npm run setup`).
//
//   node tooling/check.mjs             all checks for a user's machine: `npm test`
//   node tooling/check.mjs --quick     all checks without GPU, browser, packing or long training: `npm run test:quick`
//   node tooling/check.mjs NAME...     checks by name; the checks for CI run only by name
//
// The last line is `N passed, N failed, N skipped`. It counts the tests of the suites, and one failure more for each
// failed check without a failed test.
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

/** A check that runs parts of vitest.config.ts by name: all files of the parts, or only those that match `files`. */
const suite = (name, parts, { files = [], node = [process.execPath], ...rest } = {}) => {
  const results = `${name.replaceAll(" ", "-")}.json`;
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", `--maxWorkers=${workers}`];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${join(temp, results)}`];
  const projects = parts.map((part) => `--project=${part}`);
  return { name, command: [...node, ...vitest, ...reporters, ...projects, ...files], show: true, results, ...rest };
};

/**
 * Settings of a check that runs WebGPU on one software driver, as in CI. The check fails where the driver is missing.
 * The other checks use the machine's own driver.
 */
const on = (name) => {
  const file = drivers.find((driver) => driver.name === name)?.file;
  return file === undefined
    ? { needs: `${name} is not installed: run .ci/webgpu-drivers` }
    : { env: { CLOZE_EXPECT_DRIVERS: "1", VK_DRIVER_FILES: file } };
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
  suite("tests with the native addon", ["quick-alone", "long"], {
    part: "ci",
    files: ["packages/backend-tfjs", "apps/cli/test/tfjs"],
  }),
  suite("machine tests on lavapipe", ["machine"], { part: "ci", ...on("lavapipe") }),
  // SwiftShader has other limits than lavapipe, no f16, and subgroups of another size.
  suite("WebGPU on SwiftShader", ["machine"], {
    part: "ci",
    files: ["packages/backend-webgpu/src", "packages/backend-webgpu/test/exit"],
    ...on("SwiftShader"),
  }),
  suite("tests on Node 24", ["quick", "quick-alone"], { part: "ci", node: npx("node@24", "node") }),
];

/** The exit code of an `optional` check that this machine cannot run. The check prints a reason and is no failure. */
const CANNOT = 3;

/** Runs one command. With `show`, prints the command's output at once. Otherwise returns the output for a failure. */
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
  // A check without tests, or a suite that did not load.
  if (!ok && !skipped && (tests?.failed ?? 0) === 0) count.failed += 1;
}

// The `beside` checks are short and have one thread each: they run two at a time. A suite has its own workers.
const beside = chosen.filter((check) => check.beside);
await Promise.all(
  [1, 2].map(async () => {
    for (let check = beside.shift(); check !== undefined; check = beside.shift()) await perform(check);
  }),
);
for (const check of chosen.filter((check) => !check.beside)) await perform(check);
rmSync(temp, { recursive: true, force: true });

/** Adds the tests of one run to the count. Undefined where the run wrote no results: the check is then a failure. */
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
