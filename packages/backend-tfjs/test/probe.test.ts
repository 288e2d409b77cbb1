// What can be wrong with an install, and what is said of it.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import type { Probe } from "@cloze/backend";
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

type Unfit = Extract<Probe, { readonly available: false }>;

/**
 * The answer of `probeKind` in a folder of its own: a copy of the source beside a `node_modules` that holds `files` and
 * our two packages. No TensorFlow.js of this workspace is in reach, built or not.
 */
function probeIn(name: string, kind: Kind, files: Readonly<Record<string, string>>, setup = ""): Unfit {
  const home = join(dir, name);
  for (const ours of ["backend", "errors"]) {
    mkdirSync(join(home, "node_modules/@cloze"), { recursive: true });
    symlinkSync(
      fileURLToPath(new URL(`../../${ours}`, import.meta.url)),
      join(home, "node_modules/@cloze", ours),
      "junction",
    );
  }
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(home, "node_modules", file, ".."), { recursive: true });
    writeFileSync(join(home, "node_modules", file), text);
  }
  cpSync(fileURLToPath(new URL("../src", import.meta.url)), join(home, "src"), { recursive: true });
  writeFileSync(join(home, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(home, "main.ts"),
    `${setup}
    const { probeKind } = await import("./src/load.ts");
    console.log(JSON.stringify(await probeKind(${JSON.stringify(kind)})));`,
  );
  const flags = ["--import", import.meta.resolve("tsx"), "--conditions=@cloze/source"];
  const out = execFileSync(process.execPath, [...flags, "main.ts"], {
    encoding: "utf8",
    cwd: home,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_PATH: "" },
  });
  return JSON.parse(out.trim().split("\n").at(-1) as string) as Unfit;
}

test("not installed", () => {
  expect(probeIn("absent", "node", {})).toEqual({
    available: false,
    reason: "@tensorflow/tfjs-node is not installed.",
    remedy: "Run: npm install @tensorflow/tfjs-node",
  });
});

/** An installed package with its addon, whose import throws. */
const throwing = (message: string): Readonly<Record<string, string>> => ({
  "@tensorflow/tfjs-node/package.json": '{"name":"@tensorflow/tfjs-node","main":"index.js"}',
  "@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node": "",
  "@tensorflow/tfjs-node/index.js": `throw new Error(${JSON.stringify(message)});`,
});

test("an addon that does not load, and one whose CUDA libraries are not there", () => {
  const broken = probeIn(
    "broken",
    "node",
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
    "node",
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
  expect(
    probeIn("node23", "node", needs, 'delete process.getBuiltinModule("node:util").isNullOrUndefined;').reason,
  ).toContain("does not load: reached");
});

test("installed without its addon", () => {
  const files = { "@tensorflow/tfjs-node-gpu/package.json": '{"name":"@tensorflow/tfjs-node-gpu"}' };
  expect(probeIn("bare", "node-gpu", files)).toEqual({
    available: false,
    reason: expect.stringContaining("@tensorflow/tfjs-node-gpu is installed without its native addon"),
    remedy: expect.stringContaining("npm rebuild @tensorflow/tfjs-node-gpu"),
  });
});
