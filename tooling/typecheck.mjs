// The type check of the whole workspace: tsc in one program, with two additions. The ```ts examples of READMEs and of
// the pages in docs compile as if they were files. A promise that nobody awaits is an error (`void promise` marks one
// that is meant). The page of apps/demo is a separate program: it has a browser's globals, which the packages must not
// have.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { files, root } from "./workspace.mjs";

const configured = (folder) =>
  ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, folder, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    join(root, folder),
  );
const { options, fileNames, errors } = configured(".");
const page = configured("apps/demo");

const examples = new Map();
for (const readme of files().filter((file) => /^(README|(packages|apps)\/[^/]+\/README|docs\/.*)\.md$/.test(file))) {
  const markdown = readFileSync(join(root, readme), "utf8");
  for (const match of markdown.matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
    // blank lines before the example, so that errors name the page's line
    const line = markdown.slice(0, match.index).split("\n").length;
    examples.set(
      join(root, `${readme}.${line + 1}.ts`).replaceAll("\\", "/"),
      `${"\n".repeat(line)}${match[1]}export {};\n`,
    );
  }
}

const host = ts.createCompilerHost(options);
const { fileExists, readFile, getSourceFile } = host;
host.fileExists = (file) => examples.has(file) || fileExists.call(host, file);
host.readFile = (file) => examples.get(file) ?? readFile.call(host, file);
host.getSourceFile = (file, version, ...rest) =>
  examples.has(file)
    ? ts.createSourceFile(file, examples.get(file), version, true)
    : getSourceFile.call(host, file, version, ...rest);
const cache = ts.createModuleResolutionCache(root, (file) => file, options);
host.resolveModuleNameLiterals = (literals, file) =>
  literals.map(({ text }) => {
    const own = ts.resolveModuleName(text, file, options, host, cache);
    const name = examples.has(file) ? text.match(/^@cloze\/([^/]+)/)?.[1] : undefined;
    // An example may import any package of the workspace, here and when readme.test.ts runs the example.
    return own.resolvedModule !== undefined || name === undefined
      ? own
      : ts.resolveModuleName(text, resolve(root, "packages", name, "README.ts"), options, host, cache);
  });

const program = ts.createProgram({ rootNames: [...fileNames, ...examples.keys()], options, host });
const pageProgram = ts.createProgram({ rootNames: page.fileNames, options: page.options });
const diagnostics = [
  ...errors,
  ...page.errors,
  ...ts.getPreEmitDiagnostics(program),
  ...ts.getPreEmitDiagnostics(pageProgram),
];

const isPromise = (type, checker) =>
  type.isUnion()
    ? type.types.some((each) => isPromise(each, checker))
    : checker.getPropertyOfType(type, "then") !== undefined && checker.getPropertyOfType(type, "catch") !== undefined;
/** `.catch(handler)` and `.then(next, handler)` handle a failure. `.finally(…)` does if the call before it does. */
const isHandled = (call) => {
  if (!ts.isCallExpression(call) || !ts.isPropertyAccessExpression(call.expression)) return false;
  const { name, expression } = call.expression;
  return (
    (name.text === "catch" && call.arguments.length > 0) ||
    (name.text === "then" && call.arguments.length > 1) ||
    (name.text === "finally" && isHandled(expression))
  );
};
const isKept = (expression) =>
  ts.isAwaitExpression(expression) ||
  ts.isVoidExpression(expression) ||
  (ts.isBinaryExpression(expression) && ts.isAssignmentOperator(expression.operatorToken.kind));
const visit = (node, source, checker) => {
  if (
    ts.isExpressionStatement(node) &&
    !isKept(node.expression) &&
    !isHandled(node.expression) &&
    isPromise(checker.getTypeAtLocation(node.expression), checker)
  ) {
    diagnostics.push({
      file: source,
      start: node.getStart(source),
      length: node.getWidth(source),
      category: ts.DiagnosticCategory.Error,
      code: 0,
      messageText: "nobody awaits this promise: await it, catch it, or say `void` where that is meant",
    });
  }
  ts.forEachChild(node, (child) => visit(child, source, checker));
};
for (const each of [program, pageProgram]) {
  const checker = each.getTypeChecker();
  const roots = new Set(each === program ? each.getSourceFiles().map(({ fileName }) => fileName) : page.fileNames);
  for (const source of each.getSourceFiles())
    if (roots.has(source.fileName) && !source.isDeclarationFile && !source.fileName.includes("/node_modules/"))
      visit(source, source, checker);
}

if (diagnostics.length > 0) {
  console.error(
    ts
      .formatDiagnostics(diagnostics, {
        getCurrentDirectory: () => root,
        getCanonicalFileName: (file) => file,
        getNewLine: () => "\n",
      })
      .replace(/(\.md)\.\d+\.ts/g, "$1"),
  );
  console.log(`${diagnostics.length} wrong`);
  process.exitCode = 1;
} else {
  console.log(`${fileNames.length + page.fileNames.length} files and ${examples.size} README examples are well typed`);
}
