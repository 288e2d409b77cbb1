// A check of the packed command line as users install it: by npm, pnpm, yarn 1 and yarn 4, in a folder and globally,
// with and without install scripts. The installs reach only a registry and no other host. After each install the script
// runs `cloze doctor` and `cloze quickstart`.
//
//   node tooling/install-check.mjs [--steps 20] [--only npm,pnpm] [--keep]
//
// Run it by hand after a build: it takes minutes and a gigabyte of disk. It prints a table, and fails where an install
// fails or ONNX Runtime does not run. The registry is a server in this script. It serves our packed packages, and
// tarballs that npm fetches beforehand. On Linux the installs run in a network namespace with only the loopback
// (`unshare`). Elsewhere the proxy settings point to a closed port; an install script that ignores proxies can still
// reach other hosts.
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { packages, rootManifest } from "./workspace.mjs";

const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "20" },
    only: { type: "string" },
    keep: { type: "boolean", default: false },
    inside: { type: "string" },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const [pnpmVersion] = rootManifest.packageManager.split("@").slice(-1);
const MANAGERS = { pnpm: pnpmVersion, yarn: "1.22.22", "@yarnpkg/cli-dist": "4.18.1" };

/** Runs a program to its end. Where the program fails, throws an error with the program's output. */
async function run(command, args, { cwd = root, env = process.env } = {}) {
  try {
    const settings = { cwd, env, maxBuffer: 1 << 26, shell: process.platform === "win32" && !existsSync(command) };
    return await promisify(execFile)(command, args, settings);
  } catch (error) {
    const said = [error.stdout, error.stderr].join("\n").trim();
    throw new Error(`${command} ${args.join(" ")}\n${said || error.message}`, { cause: error });
  }
}

// ---- outside: fetches packages and package managers

/** Fills `folder/tarballs` with our packages and their dependencies, and `folder/managers` with package managers. */
async function prepare(folder) {
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  const ours = packages().filter(({ manifest, empty }) => !manifest.private && !empty);
  const filters = ours.map(({ dir }) => `--filter ./${dir}`).join(" ");
  console.error("packing");
  const pack = `pnpm -r ${filters} pack --pack-destination "${tarballs}"`;
  await run("npx", ["--yes", "--package", rootManifest.packageManager, "-c", pack]);
  const fileOf = ({ name, manifest }) =>
    `file:${join(tarballs, `${name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`)}`;
  const overrides = Object.fromEntries(ours.map((each) => [each.name, fileOf(each)]));

  console.error("fetching what they need, and the package managers");
  const closure = join(folder, "closure");
  mkdirSync(closure);
  const manifest = { private: true, dependencies: { cloze: overrides.cloze }, overrides };
  writeFileSync(join(closure, "package.json"), JSON.stringify(manifest));
  await run("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], { cwd: closure });
  const lock = JSON.parse(readFileSync(join(closure, "package-lock.json"), "utf8"));
  const others = Object.entries(lock.packages)
    .filter(([path, { resolved }]) => path !== "" && !resolved?.startsWith("file:"))
    .map(([path, { version }]) => `${path.slice(path.lastIndexOf("node_modules/") + 13)}@${version}`);
  await run("npm", ["pack", "--pack-destination", tarballs, ...new Set(others)], { cwd: closure });

  const managers = join(folder, "managers");
  mkdirSync(managers);
  for (const [name, version] of Object.entries(MANAGERS))
    await run("npm", ["install", "--no-audit", "--no-fund", "--prefix", join(managers, name), `${name}@${version}`]);
}

/** Runs this script again, where it can reach no other machine. Returns the exit code. */
function continueInside(folder) {
  const args = [fileURLToPath(import.meta.url), "--inside", folder, "--steps", options.steps];
  if (options.only !== undefined) args.push("--only", options.only);
  const inNamespace = ["-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", process.execPath, ...args];
  const isolated = process.platform === "linux" && spawnSync("unshare", ["-rn", "true"]).status === 0;
  console.error(isolated ? "no other host can be reached" : "no namespace here: proxies point to a closed port");
  const { status } = isolated
    ? spawnSync("unshare", inNamespace, { stdio: "inherit" })
    : spawnSync(process.execPath, args, { stdio: "inherit" });
  return status ?? 1;
}

// ---- inside: a registry, and the installs

/** Serves the tarballs of a folder as npm's registry does. Returns the server's address, and a function to close it. */
async function serve(folder) {
  const versions = new Map();
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, file));
    const { stdout } = await run("tar", ["-xzOf", join(folder, file), "package/package.json"]).catch(() =>
      run("sh", ["-c", `tar -xzOf "${join(folder, file)}" --wildcards '*/package.json' --occurrence=1`]),
    );
    const manifest = JSON.parse(stdout);
    const { preinstall, install, postinstall } = manifest.scripts ?? {};
    const known = versions.get(manifest.name) ?? new Map();
    versions.set(manifest.name, known);
    known.set(manifest.version, {
      ...manifest,
      ...(preinstall || install || postinstall ? { hasInstallScript: true } : {}),
      dist: {
        file,
        shasum: createHash("sha1").update(bytes).digest("hex"),
        integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
      },
    });
  }
  const server = createServer(({ url, headers }, response) => {
    const path = decodeURIComponent(url.slice(1).split("?")[0]);
    if (path.startsWith("-/tarballs/")) return response.end(readFileSync(join(folder, path.slice(11))));
    const found = versions.get(path);
    if (found === undefined) return response.writeHead(404).end('{"error":"not found"}');
    const withAddress = ({ dist: { file, ...dist }, ...manifest }) => ({
      ...manifest,
      dist: { ...dist, tarball: `http://${headers.host}/-/tarballs/${file}` },
    });
    const body = {
      name: path,
      "dist-tags": { latest: [...found.keys()].at(-1) },
      versions: Object.fromEntries([...found].map(([version, manifest]) => [version, withAddress(manifest)])),
      // An old date, because some package managers refuse new versions.
      time: Object.fromEntries([...found.keys()].map((version) => [version, "2020-01-01T00:00:00.000Z"])),
    };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** The command of a package manager that `prepare` fetched: the program and the first arguments. */
function managerCommand(folder, name) {
  const home = join(folder, "managers", name, "node_modules", name);
  const { bin } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const file = join(home, typeof bin === "string" ? bin : (bin[name] ?? bin.yarn));
  return /\.[cm]?js$/.test(file) ? [process.execPath, file] : [file];
}

/** The installs to try: package manager, place, scripts on or off, the install command, and the path of cloze. */
function cases(folder) {
  const [pnpm, yarn, berry] = Object.keys(MANAGERS).map((name) => managerCommand(folder, name));
  const each = [];
  const add = (manager, global, scripts, command, binary) =>
    each.push({ manager, where: global ? "global" : "in a folder", scripts: scripts ? "on" : "off", command, binary });
  for (const scripts of [true, false]) {
    const off = scripts ? [] : ["--ignore-scripts"];
    const npm = ["npm", "install", "--no-audit", "--no-fund", ...off];
    add("npm", false, scripts, () => [...npm, "cloze"], "node_modules/.bin/cloze");
    add("npm", true, scripts, (cwd) => [...npm, "-g", "--prefix", join(cwd, "global"), "cloze"], "global/bin/cloze");
    const builds = scripts ? ["--config.dangerouslyAllowAllBuilds=true"] : ["--ignore-scripts"];
    add("pnpm", false, scripts, () => [...pnpm, "add", ...builds, "cloze"], "node_modules/.bin/cloze");
    add("pnpm", true, scripts, () => [...pnpm, "add", "-g", ...builds, "cloze"], "pnpm/bin/cloze");
    const quiet = ["--non-interactive", "--no-progress", ...off];
    add("yarn 1", false, scripts, () => [...yarn, "add", ...quiet, "cloze"], "node_modules/.bin/cloze");
    const prefix = (cwd) => ["--prefix", join(cwd, "global"), "--global-folder", join(cwd, "global/yarn")];
    add(
      "yarn 1",
      true,
      scripts,
      (cwd) => [...yarn, "global", "add", ...quiet, ...prefix(cwd), "cloze"],
      "global/bin/cloze",
    );
    add("yarn 4", false, scripts, () => [...berry, "add", "cloze"], "node_modules/.bin/cloze");
  }
  // Without an option for scripts, pnpm ends with an error where a package has an install script.
  add("pnpm, no option", false, false, () => [...pnpm, "add", "cloze"], "node_modules/.bin/cloze");
  add("pnpm, no option", true, false, () => [...pnpm, "add", "-g", "cloze"], "pnpm/bin/cloze");
  return each.filter(({ manager }) => options.only?.split(",").some((name) => manager.startsWith(name)) ?? true);
}

/** An environment in which package managers use this registry and read no configuration of the user. */
function environment(cwd, address, scripts) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|pnpm_|yarn_|node_)/i.test(name));
  const home = join(cwd, "home");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, ".npmrc"), `registry=${address}\n`);
  writeFileSync(join(home, ".yarnrc"), `registry "${address}"\n`);
  const closed = "http://127.0.0.1:9";
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    USERPROFILE: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    XDG_CACHE_HOME: join(home, "cache"),
    PNPM_HOME: join(cwd, "pnpm"),
    PATH: [join(cwd, "pnpm"), join(cwd, "pnpm/bin"), process.env.PATH].join(delimiter),
    HTTP_PROXY: closed,
    HTTPS_PROXY: closed,
    NO_PROXY: "127.0.0.1",
    npm_config_registry: address,
    npm_config_update_notifier: "false",
    YARN_NPM_REGISTRY_SERVER: address,
    YARN_UNSAFE_HTTP_WHITELIST: "127.0.0.1",
    YARN_NODE_LINKER: "node-modules",
    YARN_ENABLE_GLOBAL_CACHE: "false",
    YARN_ENABLE_TELEMETRY: "false",
    YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
    YARN_ENABLE_SCRIPTS: String(scripts === "on"),
  };
}

const seconds = (since) => ((performance.now() - since) / 1000).toFixed(1);
const lastLine = (text) => JSON.parse(text.trim().split("\n").at(-1));

/** Tries one install. Returns a row of the table, with `problem` where something failed. */
async function tryOne(folder, number, { manager, where, scripts, command, binary }, address) {
  const cwd = join(folder, `case-${number}`);
  mkdirSync(cwd);
  writeFileSync(join(cwd, "package.json"), '{ "name": "try", "version": "1.0.0", "private": true }\n');
  if (manager === "yarn 4") writeFileSync(join(cwd, "yarn.lock"), "");
  const env = environment(cwd, address, scripts);
  const row = { manager, where, scripts };
  try {
    const started = performance.now();
    const [program, ...args] = command(cwd);
    await run(program, args, { cwd, env });
    row.install = seconds(started);
    const cloze = [join(cwd, binary), `${join(cwd, binary)}.cmd`].find(existsSync);
    if (cloze === undefined) throw new Error(`expected the command ${binary}, got none`);
    const asked = performance.now();
    const doctor = lastLine((await run(cloze, ["doctor", "--json"], { cwd, env })).stdout);
    row.doctor = `${doctor.auto}, ${seconds(asked)} s`;
    const { available, reason } = doctor.backends.find(({ name }) => name === "onnxruntime");
    if (!available) throw new Error(`onnxruntime cannot run: ${reason}`);
    const begun = performance.now();
    const words = ["quickstart", "--steps", options.steps, "--out", "run", "--json"];
    const { stdout, stderr } = await run(cloze, words, { cwd, env });
    row.quickstart = `${/^on .*$/m.exec(stderr)?.[0] ?? "?"}, ${seconds(begun)} s`;
    row.loss = lastLine(stdout).evalLoss.toFixed(4);
  } catch (error) {
    row.problem = error.message;
  }
  rmSync(cwd, { recursive: true, force: true });
  return row;
}

async function inside(folder) {
  const { address, close } = await serve(join(folder, "tarballs"));
  const rows = [];
  for (const [number, each] of cases(folder).entries()) {
    const row = await tryOne(folder, number, each, address);
    rows.push(row);
    console.error(
      `${row.problem === undefined ? "ok    " : "FAILED"} ${row.manager}, ${row.where}, scripts ${row.scripts}`,
    );
    if (row.problem !== undefined) console.error(row.problem);
  }
  close();
  console.log("| package manager | where | scripts | install, s | auto takes | quickstart | loss |");
  console.log("|---|---|---|---|---|---|---|");
  for (const { manager, where, scripts, install = "", doctor = "", quickstart = "", loss = "", problem } of rows) {
    const cells = [manager, where, scripts, install, doctor, problem === undefined ? quickstart : "FAILED", loss];
    console.log(`| ${cells.join(" | ")} |`);
  }
  return rows.every(({ problem }) => problem === undefined) ? 0 : 1;
}

if (options.inside !== undefined) process.exitCode = await inside(options.inside);
else {
  const folder = mkdtempSync(join(tmpdir(), "cloze-install-"));
  try {
    await prepare(folder);
    process.exitCode = continueInside(folder);
  } finally {
    if (options.keep) console.error(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}
