// The check of the packed packages, as an outside user gets them: `node tooling/packed.mjs [name...]`. Needs a build.
//
// The script packs every publishable package, lints it (publint, are-the-types-wrong), installs it ALONE in an empty
// folder with plain npm, and imports each of its exports in plain Node.
//
// Our own packages resolve to the other tarballs through `overrides`. All other packages come from the registry of
// npm's configuration. Optional peers are not installed, as for a user who does not ask for them: every import but a
// test kit (`./kit`) must work without them. The script imports a kit after it installs the optional peers.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { packages, report, root, rootManifest } from "./workspace.mjs";

const parallel = 2;
const maxLeftover = 1000; // bytes of `import "@cloze/x"` that a bundle may keep: room for one computed constant

const asked = process.argv.slice(2);
const all = packages().filter(({ manifest }) => !manifest.private);
const chosen = all.filter(({ name, empty }) => (asked.length === 0 && !empty) || asked.includes(name));
const temp = mkdtempSync(join(tmpdir(), "packed-"));
const problems = [];

const sh = promisify(execFile);
/**
 * Runs a program. Where the program fails, its output is the error's message. Windows finds npm and npx only through a
 * shell.
 */
async function run(command, args, cwd, env = {}) {
  try {
    return await sh(command, args, {
      cwd,
      env: { ...process.env, ...env },
      maxBuffer: 1 << 26,
      shell: process.platform === "win32" && command !== process.execPath,
    });
  } catch (error) {
    throw new Error(
      `${command} ${args.join(" ")}\n${[error.stdout, error.stderr].join("\n").trim() || error.message}`,
      { cause: error },
    );
  }
}

const tarballOf = new Map();
async function packAll() {
  const filters = all.map(({ dir }) => `--filter ./${dir}`).join(" ");
  await run(
    "npx",
    ["--yes", "--package", rootManifest.packageManager, "-c", `pnpm -r ${filters} pack --pack-destination "${temp}"`],
    root,
    // Only the native libraries of this machine's platform: all libraries take minutes to compress and to install.
    { CLOZE_PLATFORMS: `${process.platform}/${process.arch}` },
  );
  const made = readdirSync(temp);
  for (const { name, manifest } of all) {
    const file = `${name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
    if (!made.includes(file)) throw new Error(`pnpm pack did not make ${file}`);
    tarballOf.set(name, join(temp, file));
  }
}

async function lint({ name }) {
  const file = tarballOf.get(name);
  const bytes = readFileSync(file);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
    strict: true,
  });
  // The source condition is for this workspace only. Its name holds our scope, so nobody else sets it by chance.
  const wrong = messages.filter((message) => !message.path.includes("@cloze/source"));
  if (wrong.length > 0)
    throw new Error(`publint: ${wrong.map((message) => formatMessage(message, pkg, { color: false })).join("\n")}`);
  await run(
    process.execPath,
    [
      join(root, "node_modules/@arethetypeswrong/cli/dist/index.js"),
      file,
      "--profile",
      "esm-only",
      "--no-definitely-typed",
      "--format",
      "ascii",
      "--no-color",
      "--no-emoji",
    ],
    temp,
  );
}

/** Installs the package alone and returns the folder. A required peer gets the version that this workspace tests. */
async function install({ name, manifest }) {
  const folder = join(temp, name.replace("/", "-"));
  const ours = Object.fromEntries([...tarballOf].map(([each, file]) => [each, `file:${file}`]));
  const peers = Object.keys(manifest.peerDependencies ?? {}).filter(
    (peer) => !manifest.peerDependenciesMeta?.[peer]?.optional && !(peer in ours),
  );
  const pins = Object.fromEntries(
    peers.map((peer) => [peer, rootManifest.devDependencies[peer] ?? manifest.peerDependencies[peer]]),
  );
  mkdirSync(folder);
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, dependencies: { [name]: ours[name], ...pins }, overrides: ours }),
  );
  await run(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
    folder,
  );
  return folder;
}

// A program that runs inside the folder. An import that listens to the process's events, prints, starts something or
// adds a global has side effects.
const probe = `
  // Requests end by themselves, handles do not.
  const held = () => process.getActiveResourcesInfo().filter((name) => !/Req/.test(name));
  const peers = process.argv[2].split(",").filter((name) => name !== "");
  for (const peer of peers) await import(peer); // what they do to globalThis is theirs
  const before = new Set(Reflect.ownKeys(globalThis));
  const resources = held().length;
  const listeners = process.eventNames().length;
  for (const specifier of process.argv.slice(3)) await import(specifier);
  const added = Reflect.ownKeys(globalThis).filter((key) => !before.has(key)).map(String);
  if (added.length > 0) throw new Error("importing added to globalThis: " + added.join(", "));
  if (held().length > resources) throw new Error("importing started " + held().join(", "));
  if (process.eventNames().length > listeners) throw new Error("importing listens to the process's events");
`;

async function tryOut({ name, manifest }) {
  const folder = await install({ name, manifest });
  const entries = Object.keys(manifest.exports).filter((key) => key !== "./package.json");
  const kits = entries.filter((entry) => entry === "./kit");
  writeFileSync(join(folder, "probe.mjs"), probe);
  const imports = async (list, peers) => {
    const { stdout, stderr } = await run(
      process.execPath,
      ["probe.mjs", peers.join(), ...list.map((entry) => name + entry.slice(1))],
      folder,
    );
    if ((stdout + stderr).trim() !== "") throw new Error(`importing ${name} printed: ${(stdout + stderr).trim()}`);
  };
  const [required, optional] = [false, true].map((wanted) =>
    Object.keys(manifest.peerDependencies ?? {}).filter(
      (peer) => !peer.startsWith("@cloze/") && Boolean(manifest.peerDependenciesMeta?.[peer]?.optional) === wanted,
    ),
  );
  await imports(
    entries.filter((entry) => !kits.includes(entry)),
    required,
  );
  if (kits.length > 0) {
    await run(
      "npm",
      [
        "install",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
        ...optional.map((peer) => `${peer}@${rootManifest.devDependencies[peer]}`),
      ],
      folder,
    );
    await imports(kits, [...required, ...optional]);
  }
  if (manifest.sideEffects === false) for (const entry of entries) await leavesNothing(name, entry, folder);
  for (const [command] of Object.entries(manifest.bin ?? {})) {
    const help = await run(
      process.execPath,
      [join(folder, "node_modules", name, manifest.bin[command]), "--help"],
      folder,
    );
    if (!help.stdout.includes(command))
      throw new Error(`${command} --help does not say how to use ${command}:\n${help.stdout}`);
  }
}

// A manifest claims sideEffects: false. Here rollup ignores the claim and checks the code: a bundle may keep almost
// nothing of `import "@cloze/x"`. Rollup reads only the package's own code; each imported package has its own check.
const { rollup } = createRequire(createRequire(import.meta.url).resolve("tsup"))("rollup");
async function leavesNothing(name, entry, folder) {
  const own = createRequire(join(folder, "package.json")).resolve(`${name}/package.json`);
  const file = join(own, "..", JSON.parse(readFileSync(own, "utf8")).exports[entry].default);
  const resolveId = (specifier, importer) => {
    if (specifier === "entry" || specifier === file) return specifier;
    return specifier.startsWith(".")
      ? join(importer, "..", specifier)
      : { id: specifier, external: true, moduleSideEffects: false };
  };
  const bundle = await rollup({
    input: "entry",
    plugins: [
      { name: "packed", resolveId, load: (id) => (id === "entry" ? `import ${JSON.stringify(file)};` : undefined) },
    ],
    onwarn: () => {},
  });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  const left = output[0].code.replace(/^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm, "").trim();
  if (left.length > maxLeftover)
    throw new Error(
      `sideEffects is false, but of \`import "${name}${entry.slice(1)}"\` ${left.length} bytes remain (mark pure ` +
        `calls /* @__PURE__ */, or make them lazy):\n${left.slice(0, 800)}`,
    );
}

try {
  await packAll();
  const queue = [...chosen].sort(
    (a, b) => Object.keys(b.manifest.dependencies ?? {}).length - Object.keys(a.manifest.dependencies ?? {}).length,
  );
  const worker = async () => {
    for (let pack = queue.shift(); pack !== undefined; pack = queue.shift()) {
      const started = Date.now();
      const failures = [];
      for (const step of [lint, tryOut]) await step(pack).catch((error) => failures.push(error.message));
      console.log(
        `${failures.length === 0 ? "ok    " : "FAILED"} ${pack.name} (${((Date.now() - started) / 1000).toFixed(1)} s)`,
      );
      problems.push(...failures.map((failure) => `${pack.name}: ${failure}`));
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
} finally {
  rmSync(temp, { recursive: true, force: true });
}
report(problems, `${chosen.length} packages: packed, linted, installed alone and imported`);
