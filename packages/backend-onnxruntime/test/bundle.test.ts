// Bundles of a program that uses this package, in a folder where the package is installed and in one where it is not.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build, type BuildOptions } from "esbuild";
import { build as viteBuild } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

const temp = mkdtempSync(join(tmpdir(), "cloze-bundle-"));
const app = join(temp, "app");
const source = (file: string): string => fileURLToPath(new URL(`../src/${file}`, import.meta.url));
const entry = join(app, "main.ts");
afterAll(() => rmSync(temp, { recursive: true, force: true }));

const common: BuildOptions = { bundle: true, platform: "node", conditions: ["@cloze/source"], logLevel: "error" };

/**
 * Makes the app. Its node_modules hold this package, in the form in which npm installs it, and the workspace's
 * onnxruntime-node.
 */
beforeAll(async () => {
  const installed = join(app, "node_modules/@cloze/backend-onnxruntime");
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, "package.json"), '{ "name": "@cloze/backend-onnxruntime", "type": "module" }');
  symlinkSync(
    fileURLToPath(new URL("../node_modules/onnxruntime-node", import.meta.url)),
    join(app, "node_modules/onnxruntime-node"),
    "junction",
  );
  await build({
    ...common,
    entryPoints: [source("worker.ts")],
    outfile: join(installed, "dist/worker.js"),
    format: "esm",
  });
  writeFileSync(
    entry,
    `import { backend, probe } from ${JSON.stringify(source("index.ts"))};
    import { fromNumbers, Graph, program } from ${JSON.stringify(fileURLToPath(import.meta.resolve("@cloze/graph")))};
    async function main() {
      const found = await probe();
      if (!found.available) throw new Error(found.reason + ". " + found.remedy);
      const g = new Graph();
      const x = g.input("x", "f32", [2]);
      const cpu = backend({ threads: 1 });
      const executable = await cpu.compile(program(g, { state: [], outputs: { y: x.mul(2).sum() } }));
      const session = await cpu.start({});
      console.log((await session.run(executable, { x: fromNumbers("f32", [2], [1, 2]) })).y.data.join());
      await cpu.dispose();
    }
    main().catch((error) => { console.log(error.message); process.exitCode = 1; });`,
  );
});

async function outputOf(file: string): Promise<string> {
  const env = { ...process.env, NODE_PATH: "" };
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: temp, env }).catch(
    (error: { readonly stdout: string }) => error,
  );
  return stdout.trim();
}

test("esbuild, modules and CommonJS", async () => {
  for (const [format, file] of [
    ["esm", "dist/server.mjs"],
    ["cjs", "dist/server.cjs"],
  ] as const) {
    // A CommonJS bundle has no import.meta. esbuild warns about that.
    await build({ ...common, entryPoints: [entry], outfile: join(app, file), format });
    expect(await outputOf(join(app, file))).toBe("6");
  }
}, 60_000);

test("Vite, with every package inside the bundle", async () => {
  await viteBuild({
    root: app,
    configFile: false,
    logLevel: "error",
    build: {
      ssr: entry,
      outDir: "vite",
      emptyOutDir: true,
      rollupOptions: { output: { entryFileNames: "server.mjs" } },
    },
    ssr: { noExternal: true, resolve: { conditions: ["@cloze/source"] } },
  });
  expect(await outputOf(join(app, "vite/server.mjs"))).toBe("6");
}, 60_000);

test("a bundle without the package says what to do", async () => {
  const alone = join(temp, "alone/server.mjs");
  await build({ ...common, entryPoints: [entry], outfile: alone, format: "esm" });
  expect(await outputOf(alone)).toContain(
    "expected the package @cloze/backend-onnxruntime in a node_modules folder above",
  );
  expect(await outputOf(alone)).toContain(`${dirname(alone)}`);
}, 60_000);
