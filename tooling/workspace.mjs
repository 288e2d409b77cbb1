// The repository as the checks see it: packages, files, and the characters of a source file that are code.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
export const read = (file) => readFileSync(join(root, file), "utf8");
export const readJson = (file) => JSON.parse(read(file));
export const rootManifest = readJson("package.json");

/** The workspace's packages, in the order of their folders: `{ dir, name, manifest, empty }`. */
export function packages() {
  const globs = [...read("pnpm-workspace.yaml").matchAll(/^ {2}- (\S+)$/gm)].map((match) => match[1]);
  const dirs = globs.flatMap((glob) =>
    glob.endsWith("/*")
      ? readdirSync(join(root, glob.slice(0, -2)))
          .sort()
          .map((name) => `${glob.slice(0, -2)}/${name}`)
      : [glob],
  );
  return dirs
    .filter((dir) => existsSync(join(root, dir, "package.json")))
    .map((dir) => {
      const manifest = readJson(`${dir}/package.json`);
      return { dir, name: manifest.name, manifest, empty: isEmpty(dir) };
    });
}

/** A package that is reserved but not written yet: its index says `export {}` or is missing. */
function isEmpty(dir) {
  const index = join(root, dir, "src/index.ts");
  return (
    !existsSync(index) ||
    readFileSync(index, "utf8")
      .replace(/\/\/.*$/gm, "")
      .trim()
      .replace(/;$/, "") === "export {}"
  );
}

/** Paths of all files that git tracks or could add (not ignored), relative to the root. */
export function files() {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return [...new Set(listed.split("\0"))].filter((file) => file !== "" && existsSync(join(root, file))).sort();
}

export const isTest = (file) => /(^|\/)test\/|\.(test|test-d|bench)\.ts$/.test(file);
export const lineOf = (text, position) => text.slice(0, position).split("\n").length;

/**
 * The source with spaces in place of everything that is not code: comments, and the insides of strings unless `strings`
 * is true. Lines and columns stay.
 */
export function codeOnly(file, text, { strings = false } = {}) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  const out = text.replace(/[^\n]/g, " ").split("");
  const visit = (node) => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(source);
    if (children.length > 0) return children.forEach(visit);
    const literal =
      !strings &&
      (ts.isStringLiteralLike(node) ||
        ts.isTemplateHead(node) ||
        ts.isTemplateMiddleOrTemplateTail(node) ||
        ts.isRegularExpressionLiteral(node));
    const start = node.getStart(source);
    for (let i = start; i < node.end; i++)
      if (out[i] !== "\n" && (!literal || i === start || i === node.end - 1)) out[i] = text[i];
  };
  visit(source);
  return out.join("");
}

/** The imports of a source file, type imports and `import("...")` included: `{ specifier, line }`. */
export function importsOf(text) {
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName, pos }) => ({ specifier: fileName, line: lineOf(text, pos) }));
}

/**
 * The members of every cycle in a graph `Map<node, Iterable<node>>`: each strongly connected component of more than one
 * node, and each node with a self loop. The algorithm is Tarjan's.
 */
export function cycles(graph) {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const found = [];
  const visit = (node) => {
    index.set(node, index.size);
    low.set(node, index.get(node));
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)));
    }
    if (low.get(node) !== index.get(node)) return;
    const component = stack.splice(stack.indexOf(node));
    if (component.length > 1 || [...(graph.get(node) ?? [])].includes(node)) found.push(component);
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}

/** Prints the problems, one per line, or the line of success. Sets the process's exit code: 1 with problems, else 0. */
export function report(problems, success) {
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? success : `${problems.length} wrong`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
