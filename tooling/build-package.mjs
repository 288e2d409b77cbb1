// The build of one package, run in its folder: `node ../../tooling/build-package.mjs`. Every package's build script.
//
// JavaScript comes from tsup. Declarations come from the sources file by file, without a type checker: every export has
// its type written out (isolatedDeclarations), and rollup puts the files of an entry together. What the types mean is
// checked apart, by tooling/typecheck.mjs.
//
// Entries are read from the package's own `exports`: each subpath names its source under the "@cloze/source" condition,
// so there is no second list to keep. `cloze.programs` names the programs of worker threads, which are started and
// never imported.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { build } from "tsup";
import ts from "typescript";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const imported = Object.values(manifest.exports).flatMap((target) => target["@cloze/source"] ?? []);
const programs = manifest.cloze?.programs ?? [];
const nameOf = (file) => file.replace(/^\.\/src\//, "").replace(/(\.d)?\.ts$/, "");
const entries = (files) => Object.fromEntries(files.map((file) => [nameOf(file), file]));

await build({
  config: false,
  entry: entries([...imported, ...programs]),
  format: "esm",
  target: "node20",
  platform: "neutral",
  external: [/^node:/],
  dts: false,
  sourcemap: true,
  clean: true,
  treeshake: true,
  tsconfig: "../../tsconfig.json",
  silent: true,
});

const { config } = ts.readConfigFile("../../tsconfig.base.json", ts.sys.readFile);
const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(config.compilerOptions, "../..");

const declared = (file) => file.replace(/\.ts$/, ".d.ts");

/** Rollup's view of the sources: `./x.ts` is read as the declarations `x.d.ts`; every other package stays an import. */
const declarations = {
  name: "declarations",
  resolveId(specifier, importer) {
    if (importer === undefined) return resolve(specifier);
    if (!specifier.startsWith(".")) return { id: specifier, external: true };
    return declared(resolve(dirname(importer), specifier));
  },
  load(id) {
    const fileName = id.replace(/\.d\.ts$/, ".ts");
    const { outputText, diagnostics } = ts.transpileDeclaration(readFileSync(fileName, "utf8"), {
      fileName,
      compilerOptions,
      reportDiagnostics: true,
    });
    if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, formatting));
    return outputText;
  },
};
const formatting = {
  getCanonicalFileName: (file) => file,
  getCurrentDirectory: () => process.cwd(),
  getNewLine: () => "\n",
};

// Types that are global are named by a reference line, which bundling the declarations drops.
const globals = ["@webgpu/types"].filter((name) => name in (manifest.dependencies ?? {}));

const bundle = await rollup({
  input: entries(imported.map(declared)),
  plugins: [declarations, dts()],
  onwarn({ code, message }) {
    // An entry may hold no type at all, and may show types that only a neighbouring entry exports.
    if (code !== "EMPTY_BUNDLE" && code !== "PLUGIN_WARNING") throw new Error(`${code}: ${message}`);
  },
});
await bundle.write({
  dir: "dist",
  format: "esm",
  entryFileNames: "[name].d.ts",
  chunkFileNames: ({ name }) => `${name.replace(/\.d$/, "")}-[hash].d.ts`,
  banner: globals.map((name) => `/// <reference types="${name}" />`).join("\n"),
});
await bundle.close();
