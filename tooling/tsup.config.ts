// The one build of every package. Entries are read from the package's own `exports`: each subpath names its source
// under the "@cloze/source" condition, so there is no second list to keep. `cloze.programs` names what is started and
// never imported: a worker thread's program.
import { readFileSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly "@cloze/source"?: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly cloze?: { readonly programs?: readonly string[] };
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const sources = Object.values(manifest.exports).flatMap((e) =>
  typeof e === "object" && e["@cloze/source"] ? [e["@cloze/source"]] : [],
);
const entry = Object.fromEntries(
  [...sources, ...(manifest.cloze?.programs ?? [])].map((file) => [
    file.replace(/^\.\/src\//, "").replace(/\.ts$/, ""),
    file,
  ]),
);

// Types that are global are named by a reference line, which bundling the declarations drops.
const globals = ["@webgpu/types"]
  .filter((name) => name in (manifest.dependencies ?? {}))
  .map((name) => `/// <reference types="${name}" />`);

const config: Options = {
  entry,
  format: "esm",
  target: "node20",
  platform: "neutral",
  external: [/^node:/],
  dts: globals.length === 0 ? true : { banner: globals.join("\n") },
  sourcemap: true,
  clean: true,
  treeshake: true,
  tsconfig: "../../tsconfig.json",
};
export default defineConfig(config) as Options;
