// The check of the arrows between packages, which ARCHITECTURE.md section 2 draws. The table of arrows is arrows.json.
//
// An import is allowed where the table leads from the importer to the target (the transitive closure): a package that
// may import @cloze/nn may also import @cloze/graph, because nn's types name graph's types. A row "@cloze/objective-*"
// holds for every package whose name matches. A row with the exact name comes before a pattern.
//
// Checked in package.json and in every import of src/, bin/ and test/:
//   - the arrow itself
//   - the target is declared, and its subpath is exported
//   - every declared dependency is used
//   - no relative path leads into another package
//   - packages form no cycle
//   - an entry that a browser loads imports no node: builtin (all entries but "./node")
//
// oxlint's import/no-cycle checks cycles between the files of one package. That rule allows type-only imports, because
// types may name each other. A test may import every declared dependency, devDependencies included, without an arrow:
// the tests of a trainer need a backend.
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { cycles, files, importsOf, isTest, packages, read, readJson, report, rootManifest } from "./workspace.mjs";

const { allowed, browser, nodeEntries, unusedIsRight } = readJson("tooling/arrows.json");
const all = packages();
const byName = new Map(all.map((each) => [each.name, each]));
const problems = [];

const matches = (pattern, name) => pattern === name || (pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1)));
const rowOf = (name) =>
  allowed[name] ??
  allowed[
    Object.keys(allowed)
      .filter((key) => key !== "*" && matches(key, name))
      .sort((a, b) => b.length - a.length)[0]
  ];
const reachable = (name, seen = new Set()) => {
  for (const next of rowOf(name) ?? []) if (!seen.has(next)) reachable(next, seen.add(next));
  return seen;
};
const mayImport = (from, to) => from === to || [...reachable(from)].some((pattern) => matches(pattern, to));

/** "@cloze/models/esm2" -> ["@cloze/models", "./esm2"]. The specifier is not a relative path. */
const split = (specifier) => {
  const parts = specifier.split("/");
  const count = specifier.startsWith("@") ? 2 : 1;
  return [parts.slice(0, count).join("/"), ["."].concat(parts.slice(count)).join("/")];
};
const isBuiltin = (specifier) => specifier.startsWith("node:") || builtinModules.includes(split(specifier)[0]);

// A folder with a package.json outside the workspace is foreign: an example of an outside package, or a template.
const foreign = files()
  .filter(
    (file) => /\/package(\.template)?\.json$/.test(file) && !all.some(({ dir }) => file === `${dir}/package.json`),
  )
  .map((file) => `${posix.dirname(file)}/`);
const sources = files().filter(
  (file) => /\.(ts|mts|js|mjs)$/.test(file) && !foreign.some((dir) => file.startsWith(dir)),
);
const fileGraph = new Map();
for (const pack of all) {
  const { dir, name, manifest } = pack;
  const own = sources.filter((file) => file.startsWith(`${dir}/`));
  const shipped = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  const forTests = { ...shipped, ...manifest.devDependencies, ...rootManifest.devDependencies };
  const used = new Set();
  if (rowOf(name) === undefined)
    problems.push(`${dir}/package.json: ${name} has no row in tooling/arrows.json. Add one beside its likes.`);

  for (const target of Object.keys(shipped)) {
    if (byName.has(target) && !mayImport(name, target))
      problems.push(`${dir}/package.json: ${name} -> ${target} is not an arrow of tooling/arrows.json`);
  }
  for (const file of own) {
    const test = isTest(file) || file.endsWith(".config.ts");
    const declared = test || manifest.private ? forTests : shipped;
    const targets = new Set();
    for (const { specifier, line } of importsOf(read(file))) {
      const wrong = (what) => problems.push(`${file}:${line}: ${what}`);
      if (specifier.startsWith(".")) {
        const target = posix.normalize(posix.join(posix.dirname(file), specifier));
        targets.add(target);
        const other = all.find((each) => target.startsWith(`${each.dir}/`));
        if (other !== undefined && other !== pack)
          wrong(`"${specifier}" reaches into ${other.name}; import it by its name`);
        else if (!target.startsWith(`${dir}/`) && !test) wrong(`"${specifier}" leaves the package`);
        continue;
      }
      if (isBuiltin(specifier)) continue; // the browser check below looks at builtins
      if (specifier.startsWith("#")) continue; // a name inside the package, which the package's build resolves
      const [target, subpath] = split(specifier);
      used.add(target);
      if (target === name ? !test : !(target in declared)) {
        wrong(
          target === name
            ? `${name} imports itself by name; use a relative path`
            : `${name} -> ${target} is imported but not declared in ` +
                `${dir}/package.json${test ? "" : " as a dependency"}`,
        );
      }
      const ours = byName.get(target);
      if (ours === undefined) continue;
      if (!test && !mayImport(name, target)) wrong(`${name} -> ${target} is not an arrow of tooling/arrows.json`);
      if (!(subpath in (ours.manifest.exports ?? {}))) wrong(`"${specifier}" is not among the exports of ${target}`);
    }
    fileGraph.set(file, targets);
  }

  if (!pack.empty) {
    for (const [field, target] of [...fieldOf(manifest, "dependencies"), ...fieldOf(manifest, "devDependencies")]) {
      if (!used.has(target) && unusedIsRight[name]?.[target] === undefined)
        problems.push(`${dir}/package.json: ${target} is in ${field} but nothing imports it`);
    }
  }
  // `browser` names packages, or single entries such as "@cloze/trainer/step". All entries of a named package but
  // "./node" run in browsers.
  const entries = Object.entries(manifest.exports ?? {}).filter(
    ([key, value]) =>
      typeof value === "object" &&
      (browser.some((pattern) => matches(pattern, name))
        ? !nodeEntries.includes(key)
        : browser.includes(name + key.slice(1))),
  );
  if (entries.length > 0) {
    const reached = new Set();
    const todo = entries.map(([, value]) => posix.join(dir, value["@cloze/source"]));
    while (todo.length > 0) {
      const file = todo.pop();
      if (reached.has(file) || !fileGraph.has(file)) continue;
      reached.add(file);
      todo.push(...fileGraph.get(file));
    }
    for (const file of reached) {
      for (const { specifier, line } of importsOf(read(file))) {
        if (isBuiltin(specifier))
          problems.push(
            `${file}:${line}: ${name} runs in a browser: no "${specifier}" here. What needs Node goes behind the ` +
              `subpath ${nodeEntries.join(", ")}.`,
          );
      }
    }
  }
}

function fieldOf(manifest, field) {
  return Object.keys(manifest[field] ?? {}).map((target) => [field, target]);
}

// Turbo also follows devDependencies: it cannot order "^build" in a cycle.
const packageGraph = new Map(
  all.map(({ name, manifest }) => [
    name,
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies }).filter((to) =>
      byName.has(to),
    ),
  ]),
);
for (const cycle of cycles(packageGraph)) problems.push(`packages in a circle: ${cycle.join(" <-> ")}`);

report(problems, `${all.length} packages, ${fileGraph.size} files: every arrow points the right way`);
