// Everything CI holds a change to, one line per check, all of them even when one fails. `node tooling/check.mjs
// [name...]` runs some. Needs an install (`npm run setup`). CLOZE_NODE24=1 adds the suite under Node 24.
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
const vitest = (results, ...folders) => [
  join(root, "node_modules/vitest/vitest.mjs"),
  "run",
  `--maxWorkers=${workers}`,
  "--reporter=default",
  "--reporter=json",
  `--outputFile=${join(temp, results)}`,
  ...folders,
];
const tool = (name) => [process.execPath, join(root, "tooling", `${name}.mjs`)];

// WebGPU is tested on whatever adapter a machine has, or skipped with the reason. In CI it must be there: the whole
// suite runs on lavapipe, and the backend's own once more on SwiftShader, which has other limits, no f16 and subgroups
// of another size.
const ci = process.env.CI !== undefined && process.env.CI !== "";
const on = (name) => {
  const file = drivers.find((driver) => driver.name === name)?.file;
  return ci && file === undefined
    ? { needs: `${name} is not installed: run .ci/webgpu-drivers` }
    : ci
      ? { env: { VK_DRIVER_FILES: file } }
      : {};
};

/** What takes minutes on a software adapter and asks nothing of Node. */
const suites = [
  "**/backend-webgpu/src/conformance.test.ts",
  "**/backend-webgpu/src/compile/training.test.ts",
  "**/backend-webgpu/test/browser/**",
  "**/demo/test/page.test.ts",
];

const checks = [
  {
    name: "build",
    command: [
      "npx",
      "--yes",
      "--package",
      rootManifest.packageManager,
      "-c",
      "turbo run build --output-logs=errors-only",
    ],
  },
  { name: "typecheck", command: tool("typecheck") },
  {
    name: "format",
    command: [
      process.execPath,
      join(root, "node_modules/prettier/bin/prettier.cjs"),
      "--check",
      "--cache",
      "--log-level",
      "warn",
      ".",
    ],
  },
  { name: "lint", command: [process.execPath, join(root, "node_modules/oxlint/bin/oxlint"), "--deny-warnings"] },
  { name: "arrows", command: tool("arrows") },
  { name: "smells", command: tool("smells") },
  { name: "docs", command: tool("docs") },
  { name: "size", command: tool("size"), show: true },
  { name: "bundle", command: [process.execPath, join(root, "node_modules/size-limit/bin.js")], show: true },
  { name: "native addon of tfjs", command: tool("tfjs-native"), when: ci, optional: true },
  {
    name: "tests",
    command: [process.execPath, ...vitest("tests.json")],
    show: true,
    results: "tests.json",
    ...on("lavapipe"),
  },
  {
    name: "WebGPU on SwiftShader",
    command: [
      process.execPath,
      ...vitest("swiftshader.json", "packages/backend-webgpu/src", "packages/backend-webgpu/test/exit"),
    ],
    show: true,
    results: "swiftshader.json",
    when: ci,
    ...on("SwiftShader"),
  },
  {
    name: "tests on Node 24",
    command: [
      "npx",
      "--yes",
      "--package",
      "node@24",
      "node",
      ...vitest("node24.json"),
      ...suites.flatMap((file) => ["--exclude", file]),
    ],
    when: process.env.CLOZE_NODE24 === "1",
    ...on("lavapipe"),
  },
  { name: "packed", command: tool("packed") },
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

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`no check is called ${unknown.join(", ")}. There are: ${checks.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const count = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const check of checks.filter(({ name, when }) => (asked.length === 0 ? when !== false : asked.includes(name)))) {
  const started = Date.now();
  const { ok, skipped = false, output } = await run(check);
  const line =
    `${ok ? "ok    " : skipped ? "cannot" : "FAILED"} ${check.name} (${((Date.now() - started) / 1000).toFixed(1)} ` +
    "s)";
  if (!ok && output !== "") console.log(output);
  console.log(line);
  lines.push(line);
  const failed = check.results === undefined ? 0 : countTests(check.results);
  // a check that is no test, or a suite that could not even be loaded
  if (!ok && !skipped && failed === 0) count.failed += 1;
}
rmSync(temp, { recursive: true, force: true });

function countTests(file) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(join(temp, file), "utf8"),
    );
    count.passed += numPassedTests;
    count.failed += numFailedTests;
    count.skipped += numPendingTests + numTodoTests;
    return numFailedTests;
  } catch {
    return 0; // no results were written: the run itself counts as failed
  }
}

console.log(`\n${lines.join("\n")}\n`);
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed === 0 ? 0 : 1;
