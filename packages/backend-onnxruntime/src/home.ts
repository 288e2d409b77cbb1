/**
 * Home: the folder of this package, which holds the worker's program and the native library of ONNX Runtime.
 *
 * A bundler copies this package's code into another file, but not the worker's program and the native library. So the
 * code looks for the folder when it needs one: first above this file, then by the package's name, from the bundle
 * upwards.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MissingRuntime } from "./missing-runtime.ts";

const NAME = "@cloze/backend-onnxruntime";

/** Throws MissingRuntime where the code runs in a bundle and the package is not installed there. */
export function homeFolder(here: string = fileOfCode()): string {
  const above = join(dirname(fileURLToPath(here)), "..");
  if (nameIn(above) === NAME) return above;
  try {
    return dirname(createRequire(here).resolve(`${NAME}/package.json`));
  } catch (cause) {
    throw new MissingRuntime(
      `expected the package ${NAME} in a node_modules folder above ${fileURLToPath(here)}, got none`,
      "A bundle cannot hold its worker and its native library. Leave the package out of the bundle (esbuild: " +
        `--external:${NAME}; Vite: ssr: { external: ["${NAME}"] }) and install it where the bundle runs: ` +
        `npm install ${NAME}`,
      { cause },
    );
  }
}

/** The URL of the file that holds this code. A CommonJS bundle has no `import.meta.url`: there, the program's file. */
function fileOfCode(): string {
  const url: string | undefined = import.meta.url;
  return url ?? pathToFileURL(process.argv[1] ?? join(process.cwd(), "program.js")).href;
}

function nameIn(folder: string): unknown {
  const file = join(folder, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { readonly name?: unknown }).name : undefined;
}
