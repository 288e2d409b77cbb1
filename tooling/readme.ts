// README examples as tests. Every ```ts block of a README, or of another page that a test names, is a separate program,
// which runs from top to bottom:
//
//   expression  // => value      the expression deeply equals the value, which is an expression too (typed arrays count
//                                as arrays)
//   const x = …  // => value     the same for x
//   console.log(a, b)  // => text      prints exactly that line
//   expression  // => throws text      throws an Error whose message holds the text
//
// The comment may also stand alone on the next line. Where the text after => is not an expression, it is compared with
// the output of console.log. A block that only shows a shape is fenced as ```typescript, and does not run.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { Plugin } from "vite";

export const root: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** The code of a block, and the line of the page on which the code begins. */
export interface Example {
  readonly line: number;
  readonly code: string;
}

/** The runnable blocks of a markdown text, in order. */
export function examplesOf(markdown: string): Example[] {
  return [...markdown.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split("\n").length + 1,
    code: match[1] ?? "",
  }));
}

/**
 * The module id of one example in vitest. No such file exists: `readmeExamples` makes the module from the page.
 */
export function exampleId(page: string, index: number): string {
  return `${root}/${page}.${index}.ts`;
}

/**
 * The plugin for Vite: makes the modules of examples. An example may import any package of the workspace, also one that
 * is not a dependency of the example's package.
 */
export function readmeExamples(): Plugin {
  const example = /^(.*\.md)\.(\d+)\.ts$/;
  return {
    name: "readme-examples",
    enforce: "pre",
    async resolveId(source, importer) {
      if (example.test(source)) return source;
      if (importer === undefined || !example.test(importer)) return undefined;
      const own = await this.resolve(source, importer, { skipSelf: true });
      const name = source.match(/^@cloze\/([^/]+)/)?.[1];
      return (
        own ??
        (name === undefined
          ? undefined
          : this.resolve(source, `${root}/packages/${name}/README.md`, { skipSelf: true }))
      );
    },
    load(id) {
      const [, page, index] = example.exec(id) ?? [];
      if (page === undefined) return undefined;
      return instrument(examplesOf(readFileSync(page, "utf8"))[Number(index)]?.code ?? "");
    },
  };
}

/** Turns each `// => value` into a call of a check in tooling/readme-checks.ts. Lines keep their numbers. */
export function instrument(code: string): string {
  const source = ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest, true);
  const edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  const claimed = new Set<number>();
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit); // inner statements first: a comment after a loop's last line is not for the loop
    const expected = ts.isStatement(node) ? expectation(code, node.end, claimed) : undefined;
    if (expected === undefined) return;
    const said = JSON.stringify(expected);
    const value = isExpression(expected) ? `() => (${expected})` : "undefined";
    if (ts.isExpressionStatement(node)) {
      const { expression } = node;
      const text = expression.getText(source);
      const printed = text.startsWith("console.log(") && ts.isCallExpression(expression);
      const check = expected.startsWith("throws ")
        ? `await README.throws(async () => (${text}), ${JSON.stringify(expected.slice("throws ".length))});`
        : printed
          ? `README.prints([${expression.arguments.map((each) => each.getText(source)).join(", ")}], ${said}, ` +
            `${value});`
          : `README.equals(${text}, ${said}, ${value});`;
      edits.push({ start: node.getStart(source), end: node.end, text: check });
    } else {
      const declared = ts.isVariableStatement(node) ? node.declarationList.declarations : [];
      const name = declared.length === 1 ? declared[0]?.name : undefined;
      if (name === undefined || !ts.isIdentifier(name))
        throw new Error(`"// => ${expected}" must follow an expression or the declaration of one name`);
      edits.push({ start: node.end, end: node.end, text: ` README.equals(${name.text}, ${said}, ${value});` });
    }
  };
  visit(source);
  const unclaimed = [...code.matchAll(/\/\/ => /g)].filter((match) => !claimed.has(match.index));
  if (unclaimed.length > 0)
    throw new Error(`"// =>" belongs to no statement: ${code.slice(unclaimed[0]?.index).split("\n")[0]}`);
  edits.sort((a, b) => b.start - a.start);
  const checked = edits.reduce((text, { start, end, text: by }) => text.slice(0, start) + by + text.slice(end), code);
  return `import { README } from ${JSON.stringify(`${root}/tooling/readme-checks.ts`)}; ${checked}`;
}

/** The text after `// =>` behind a statement's end: on the same line, or alone on the next line. */
function expectation(code: string, end: number, claimed: Set<number>): string | undefined {
  const match = /^[ \t]*(?:\n[ \t]*)?(\/\/ => (.*))/.exec(code.slice(end));
  const at = end + (match === null ? 0 : match[0].length - (match[1] ?? "").length);
  if (match === null || claimed.has(at)) return undefined;
  claimed.add(at);
  return (match[2] ?? "").trim();
}

function isExpression(text: string): boolean {
  const { diagnostics } = ts.transpileModule(`(${text}\n);`, { reportDiagnostics: true });
  return (diagnostics ?? []).length === 0;
}
