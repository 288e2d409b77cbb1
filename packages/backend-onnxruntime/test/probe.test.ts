// The probe, and the errors where files of ONNX Runtime are missing or are not for this machine.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { UnsupportedError } from "@cloze/errors";
import { probe } from "../src/index.ts";
import type { MissingRuntime } from "../src/missing-runtime.ts";
import { loadRuntime } from "../src/runtime.ts";

const temp = mkdtempSync(join(tmpdir(), "cloze-onnxruntime-"));
afterAll(() => rmSync(temp, { recursive: true, force: true }));

/** Makes a folder with these files. Returns its path. */
function folder(name: string, files: Readonly<Record<string, string>>): string {
  const home = join(temp, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), text);
  }
  return home;
}

/**
 * Makes the folder of a published package, which holds an ONNX Runtime for one platform. `main` is the text of ONNX
 * Runtime's main file.
 */
const published = (name: string, main: string, platform = `${process.platform}/${process.arch}`): string =>
  folder(name, {
    "package.json": '{ "name": "@cloze/backend-onnxruntime", "type": "module" }',
    "onnxruntime/package.json": '{ "name": "onnxruntime-node", "main": "dist/index.js" }',
    "onnxruntime/dist/index.js": main,
    [`onnxruntime/bin/napi-v6/${platform}/onnxruntime_binding.node`]: "",
  });

async function failure(home: string): Promise<MissingRuntime> {
  const error = await loadRuntime(home).catch((caught: unknown) => caught);
  expect(UnsupportedError.isInstance(error)).toBe(true);
  return error as MissingRuntime;
}

test("where the engine is, its version is told", async () => {
  expect(await probe()).toMatchObject({
    available: true,
    device: expect.stringMatching(/^CPU, \d+ threads?$/),
    details: { onnxruntime: expect.stringMatching(/^1\.\d+/) },
  });
});

test("the published package takes its own files, as CommonJS", async () => {
  expect(await loadRuntime(published("own", 'exports.from = "own";'))).toMatchObject({ from: "own" });
});

test("a platform without a library", async () => {
  expect(await failure(published("elsewhere", "", "plan9/mips"))).toMatchObject({
    reason:
      `expected ONNX Runtime for ${process.platform}-${process.arch}, ` +
      "got Linux and Windows on x64 and arm64, macOS on arm64 only",
    remedy: expect.stringContaining("npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm"),
  });
});

test("a Linux without glibc", async () => {
  const alpine =
    'throw new Error("Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by x)");';
  expect(await failure(published("alpine", alpine))).toMatchObject({
    reason: expect.stringContaining("expected a Linux with glibc, got one without"),
    remedy: expect.stringContaining("TensorFlow.js in WebAssembly runs there"),
  });
});

test("files that do not load", async () => {
  expect(await failure(published("broken", 'throw new Error("file too short\\nRequire stack");'))).toMatchObject({
    message: "backend onnxruntime: ONNX Runtime did not load (file too short). Install the packages again: npm install",
  });
});

test("a bundle finds the package by name, from its own file upwards, or says what to do", () => {
  const bundle = join(folder("app", { "dist/server.mjs": "" }), "dist/server.mjs");
  // A new process without NODE_PATH: the environment of the tests may name further folders for modules.
  const found = (): string =>
    execFileSync(
      process.execPath,
      [
        "--conditions=@cloze/source",
        "--import",
        import.meta.resolve("tsx"),
        "--input-type=module",
        "-e",
        `import { homeFolder } from ${JSON.stringify(new URL("../src/home.ts", import.meta.url).href)};
        try {
          console.log(homeFolder(${JSON.stringify(pathToFileURL(bundle).href)}));
        } catch (error) {
          console.log(error.message);
        }`,
      ],
      { encoding: "utf8", env: { ...process.env, NODE_PATH: "" } },
    );
  const without = found();
  expect(without).toMatch(/expected the package @cloze\/backend-onnxruntime in .* above .*server\.mjs, got none\. /);
  expect(without).toContain("esbuild: --external:@cloze/backend-onnxruntime");
  folder("app", { "node_modules/@cloze/backend-onnxruntime/package.json": '{ "name": "@cloze/backend-onnxruntime" }' });
  expect(found()).toMatch(/app.node_modules.@cloze.backend-onnxruntime$/m);
});
