// What can be wrong with an install, and what is said of it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { backend, probe, type Kind } from "../src/index.ts";

const dir = mkdtempSync(join(tmpdir(), "cloze-tfjs-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("what runs everywhere", async () => {
  for (const kind of ["cpu", "wasm"] as const)
    expect(await probe(kind)).toMatchObject({
      available: true,
      device: expect.stringContaining("TensorFlow.js"),
      details: { tfjs: expect.stringMatching(/^4\./) },
    });
});

test("what is for browsers says so", async () => {
  expect(await probe("webgl")).toEqual({
    available: false,
    reason: expect.stringContaining('could not start its backend "webgl"'),
    remedy: expect.stringContaining("in Node take tfjs:node or tfjs:wasm"),
  });
});

test("a kind that there is not", async () => {
  await expect(backend({ kind: "cuda" as Kind })).rejects.toThrow(
    'backend tfjs: expected kind node-gpu, node, webgpu, webgl, wasm, cpu, got "cuda".',
  );
});

/** Runs the source from a folder of its own whose node_modules hold what `files` says, and gives the probe's answer. */
function probeIn(
  name: string,
  files: Readonly<Record<string, string>>,
  setup = "",
): { readonly available: boolean; readonly reason?: string; readonly remedy?: string } {
  const home = join(dir, name);
  const source = fileURLToPath(new URL("../src/load.ts", import.meta.url));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(home, "node_modules", file, ".."), { recursive: true });
    writeFileSync(join(home, "node_modules", file), text);
  }
  // The packages are looked for from the module that names them, so a hook answers for that folder first.
  const program = `
    import { register } from "node:module";
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(`
      import { createRequire } from "node:module";
      import { pathToFileURL } from "node:url";
      const require = createRequire(${JSON.stringify(join(home, "main.js"))});
      export function resolve(name, context, next) {
        if (!name.startsWith("@tensorflow/")) return next(name, context);
        try { return { url: pathToFileURL(require.resolve(name)).href, shortCircuit: true }; } catch {
          const thrown = "throw Object.assign(new Error(" + JSON.stringify("Cannot find package '" + name + "' imported from load.ts") + "), { code: 'ERR_MODULE_NOT_FOUND' })";
          return { url: "data:text/javascript," + encodeURIComponent(thrown), shortCircuit: true };
        }
      }`)}));
    ${setup}
    const { probeKind } = await import(${JSON.stringify(source)});
    console.log(JSON.stringify(await probeKind("node")));`;
  const out = execFileSync(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), "--conditions=@cloze/source", "--input-type=module", "-e", program],
    {
      encoding: "utf8",
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_PATH: "" },
    },
  );
  return JSON.parse(out.trim().split("\n").at(-1) as string) as { readonly available: boolean };
}

test("not installed", () => {
  expect(probeIn("absent", {})).toEqual({
    available: false,
    reason: "@tensorflow/tfjs-node is not installed.",
    remedy: "Run: npm install @tensorflow/tfjs-node",
  });
});

const throwing = (message: string): Readonly<Record<string, string>> => ({
  "@tensorflow/tfjs-node/package.json": '{"name":"@tensorflow/tfjs-node","main":"index.js"}',
  "@tensorflow/tfjs-node/index.js": `throw new Error(${JSON.stringify(message)});`,
});

test("an addon that does not load, and one whose CUDA libraries are not there", () => {
  const broken = probeIn(
    "broken",
    throwing("libtensorflow.so.2: cannot open shared object file: No such file or directory"),
  );
  expect(broken).toEqual({
    available: false,
    reason:
      "the native addon of @tensorflow/tfjs-node does not load: libtensorflow.so.2: cannot open shared object " +
      "file: No such file or directory.",
    remedy: expect.stringMatching(/^Run: npm rebuild @tensorflow\/tfjs-node;/),
  });
  const cuda = probeIn(
    "cuda",
    throwing("libcudart.so.11.0: cannot open shared object file: No such file or directory"),
  );
  expect(cuda).toEqual({
    available: false,
    reason: expect.stringContaining("libcudart.so.11.0"),
    remedy: expect.stringMatching(/^The CUDA libraries it was built with are not here/),
  });
});

test("what Node 23 took away is there before the package is loaded", () => {
  const needs = {
    ...throwing(""),
    "@tensorflow/tfjs-node/index.js":
      'if (!require("util").isNullOrUndefined(null)) throw new Error("no"); throw new Error("reached");',
  };
  expect(probeIn("node23", needs, 'delete process.getBuiltinModule("node:util").isNullOrUndefined;').reason).toContain(
    "does not load: reached",
  );
});

test("installed without its addon", async () => {
  // The workspace has the package and never builds its addon.
  expect(await probe("node-gpu")).toEqual({
    available: false,
    reason: expect.stringContaining("@tensorflow/tfjs-node-gpu is installed without its native addon"),
    remedy: expect.stringContaining("npm rebuild @tensorflow/tfjs-node-gpu"),
  });
});
