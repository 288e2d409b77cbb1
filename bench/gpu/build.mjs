// The build of the bench: one bundled file, dist/bench.mjs, for a machine with a GPU. That machine needs only the
// package `webgpu` beside the file.
//
//   node bench/gpu/build.mjs
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const git = (...args) => execFileSync("git", args, { encoding: "utf8", cwd: here(".") }).trim();
const commit = git("rev-parse", "HEAD");
const dirty = git("status", "--porcelain", "--untracked-files=no") !== "";
const { metafile } = await build({
  entryPoints: [here("bench.mjs")],
  outfile: here("dist/bench.mjs"),
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  conditions: ["@cloze/source"],
  external: ["webgpu"],
  define: { COMMIT: JSON.stringify(dirty ? `${commit} and uncommitted changes` : commit) },
  metafile: true,
  legalComments: "none",
  // The index of the conformance suite also exports code that needs vitest. The bench does not use it.
  plugins: [
    {
      name: "without-vitest",
      setup: (b) => b.onResolve({ filter: /^vitest$/ }, () => ({ path: "vitest", external: true, sideEffects: false })),
    },
  ],
});
const [[file, { bytes }]] = Object.entries(metafile.outputs);
console.log(`${file}: ${(bytes / 1024).toFixed(0)} KiB, commit ${commit}${dirty ? " and uncommitted changes" : ""}`);
