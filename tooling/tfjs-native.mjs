// The maker of the native addon of @tensorflow/tfjs-node with a real libtensorflow, for tests:
// `node tooling/tfjs-native.mjs [--check]`.
//
// The package's own install script fetches libtensorflow 2.9.1 from a host that is not always reachable. Here the
// library and its headers come from the PyPI wheel tensorflow-cpu (the addon links its C API), and the N-API headers
// come from npm's node-api-headers. The C++ compiler makes the addon in seconds. Needs pip, g++ and 1 GB of disk.
//
// `--check` makes no addon, and only tells whether the addon is there. Exit code 0: the addon is there and loads. Exit
// code 3: the addon is missing or does not load, with the reason on stderr. The tests of the addon are then skipped.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./workspace.mjs";

const WHEEL = "tensorflow-cpu==2.15.1";
const PYTHONS = ["3.11", "3.10", "3.9"];
const LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];

const require = createRequire(join(root, "packages/backend-tfjs/package.json"));
const home = dirname(require.resolve("@tensorflow/tfjs-node/package.json"));
const addon = join(home, "lib/napi-v8/tfjs_binding.node");
const libraries = join(home, "deps/lib");

/** Prints the reason, and ends the process with exit code 3. */
function cannot(why) {
  console.error(`tfjs-native: ${why}`);
  process.exit(3);
}

function run(what, program, args, options = {}) {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });
  } catch (error) {
    const said = [error.stderr, error.message].filter(Boolean).join("\n").trim().split("\n").slice(-3).join(" | ");
    return cannot(`${what}: ${error.code === "ENOENT" ? `${program} is not installed` : said}`);
  }
}

const loads = () => {
  try {
    const line =
      'const u = require("util"); u.isNullOrUndefined ??= (v) => v == null; const tf = require(process.argv[1]); ' +
      "console.log(tf.backend().binding.TF_Version)";
    return execFileSync(process.execPath, ["-e", line, home], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "2" },
    })
      .trim()
      .split("\n")
      .at(-1);
  } catch (error) {
    return new Error(String(error.stderr).trim().split("\n").at(-1));
  }
};

if (!existsSync(addon)) {
  if (process.argv.includes("--check")) cannot("the addon is not made");
  if (process.platform !== "linux" || process.arch !== "x64")
    cannot(
      `made for Linux on x64 only; this is ${process.platform} on ${process.arch}. Run: npm rebuild ` +
        "@tensorflow/tfjs-node",
    );
  const temp = mkdtempSync(join(tmpdir(), "tfjs-native-"));
  try {
    // The C API is the same in the wheel of every Python version: the first wheel in the index is enough.
    const fetched = PYTHONS.some((python) => {
      try {
        execFileSync(
          "python3",
          [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            python,
            "--platform",
            "manylinux2014_x86_64",
            "--dest",
            temp,
            WHEEL,
          ],
          { stdio: ["ignore", "pipe", "pipe"] },
        );
        return true;
      } catch {
        return false;
      }
    });
    if (!fetched) cannot(`pip could not download ${WHEEL}: is python3 with pip here, and PyPI reachable?`);
    const wheel = join(
      temp,
      readdirSync(temp).find((name) => name.endsWith(".whl")),
    );
    const unpack =
      "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nfor n in z.namelist():\n    if " +
      "n.startswith('tensorflow/libtensorflow') or n.startswith('tensorflow/include/t'): z.extract(n, " +
      "sys.argv[2])";
    run("unpacking", "python3", ["-c", unpack, wheel, temp]);
    rmSync(wheel);
    run("fetching the N-API headers", "npm", [
      "install",
      "--no-save",
      "--silent",
      "--prefix",
      temp,
      "node-api-headers@1.9.0",
    ]);
    mkdirSync(libraries, { recursive: true });
    mkdirSync(dirname(addon), { recursive: true });
    for (const name of LIBRARIES) copyFileSync(join(temp, "tensorflow", name), join(libraries, name));
    run("compiling", "g++", [
      "-shared",
      "-fPIC",
      "-O2",
      "-std=c++17",
      "-DNAPI_VERSION=8",
      `-I${dirname(home)}`,
      `-I${join(temp, "tensorflow/include")}`,
      `-I${join(temp, "node_modules/node-api-headers/include")}`,
      join(home, "binding/tfjs_backend.cc"),
      join(home, "binding/tfjs_binding.cc"),
      `-L${libraries}`,
      ...LIBRARIES.map((name) => `-l:${name}`),
      "-Wl,-rpath,$ORIGIN/../../deps/lib",
      "-o",
      addon,
    ]);
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

const version = loads();
if (version instanceof Error) cannot(`the addon is there and does not load: ${version.message}`);
console.log(`tfjs-native: @tensorflow/tfjs-node with libtensorflow ${version}`);
