// The README's commands on a machine that has only Node, npm and git: `node tooling/setup.mjs <task>...`.
// npx runs pnpm at the version that package.json pins, so a user installs nothing beforehand.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { packageManager, engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `cloze needs Node ${engines.node}; this is ${process.versions.node}. Install a newer Node and run the ` +
      "command again.",
  );
  process.exit(2);
}

const windows = process.platform === "win32";
const run = (command, args) => {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: windows,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
};
// npx puts pnpm on PATH for all child processes: turbo starts the packages' scripts with pnpm.
const pnpm = (line) => run("npx", ["--yes", "--package", packageManager, "-c", line]);

const node = (...args) => run(process.execPath, args);

const tasks = {
  install: () => pnpm("pnpm install --frozen-lockfile --prefer-offline"),
  command: () => pnpm("turbo run build --filter=cloze... --output-logs=errors-only"),
  build: () => pnpm("turbo run build --output-logs=errors-only"),
  quickstart: () => {
    tasks.install();
    node("apps/cli/bin/source.js", "quickstart");
  },
  demo: () => {
    tasks.install();
    const vite = ["node_modules/vite/bin/vite.js", "--config", "apps/demo/vite.config.ts"];
    process.env.CLOZE_SOURCE = "1";
    node(vite[0], "build", "apps/demo", ...vite.slice(1));
    node(vite[0], "preview", "apps/demo", ...vite.slice(1), "--open");
  },
  test: () => {
    tasks.install();
    node("tooling/check.mjs");
  },
  "test:quick": () => {
    tasks.install();
    node("tooling/check.mjs", "--quick");
  },
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in tasks));
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: node tooling/setup.mjs <${Object.keys(tasks).join("|")}>...`);
  process.exit(2);
}
if (!existsSync(new URL("../pnpm-lock.yaml", import.meta.url)))
  throw new Error("pnpm-lock.yaml is missing: this is not a whole checkout");
for (const name of names) tasks[name]();
