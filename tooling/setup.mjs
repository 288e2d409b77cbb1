// The README's commands on a machine that has only Node, npm and git: `node tooling/setup.mjs <task>...`.
// npx runs pnpm at the version that package.json pins, so a user installs nothing beforehand.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
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

// npm, pnpm and the caches of drivers want a home folder that can be written. Some accounts have none.
if (!windows && !isWritable(homedir())) {
  const substitute = join(tmpdir(), `cloze-home-${process.getuid()}`);
  mkdirSync(substitute, { recursive: true, mode: 0o700 });
  console.error(`The home folder ${homedir()} cannot be written: ${substitute} takes its place.`);
  // `npm run` hands on what it read from the home folder's place.
  for (const [name, value] of Object.entries(process.env))
    if (/^npm_config_/i.test(name) && value.startsWith(homedir())) delete process.env[name];
  process.env.HOME = substitute;
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

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
