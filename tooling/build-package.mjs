// The build of one package, which every package's build script runs in its folder:
// `node ../../tooling/build-package.mjs`.
//
// tsup makes the JavaScript. TypeScript makes the declarations from one source file at a time, without a type checker:
// every export has an explicit type (isolatedDeclarations). rollup bundles the declarations of an entry.
// tooling/typecheck.mjs checks the types separately.
//
// The entries come from the package's own `exports`: each subpath names its source file under the "@cloze/source"
// condition, so there is no second list of entries. `cloze.programs` names the programs of worker threads, which code
// starts and never imports.
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

/** A rollup plugin that reads `./x.ts` as the declarations `x.d.ts`. Every other package stays an import. */
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

// A reference line names global types. The bundler drops that line, so the banner adds it again.
const globals = ["@webgpu/types"].filter((name) => name in (manifest.dependencies ?? {}));

const bundle = await rollup({
  input: entries(imported.map(declared)),
  plugins: [declarations, dts()],
  onwarn({ code, message }) {
    // An entry may have no types, and may use types that only a neighbouring entry exports.
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
