// Runs the examples in the READMEs of the repository and of its packages. readme.ts defines the form of an example.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { README } from "./readme-checks.ts";
import { exampleId, examplesOf, instrument, root } from "./readme.ts";

const read = (file: string): string => readFileSync(`${root}/${file}`, "utf8");
/** True for a package that is reserved but not written yet. An empty package needs no README. */
const isEmpty = (dir: string): boolean =>
  !existsSync(`${root}/${dir}/src/index.ts`) || /^\s*(\/\/.*\s*)*export \{\};?\s*$/.test(read(`${dir}/src/index.ts`));

const packages = ["packages", "apps"]
  .flatMap((dir) => readdirSync(`${root}/${dir}`).map((name) => `${dir}/${name}`))
  .filter((each) => !isEmpty(each));
for (const readme of ["README.md", ...packages.map((dir) => `${dir}/README.md`)]) {
  const examples = existsSync(`${root}/${readme}`) ? examplesOf(read(readme)) : [];
  test(`${readme} shows an example`, () => {
    expect(examples.length, "one ```ts block at least; it is run").toBeGreaterThan(0);
  });
  for (const [index, { line, code }] of examples.entries()) {
    test(`${readme}:${line} does what it says`, async () => {
      expect(code, "an example that claims nothing proves nothing: add a `// => value`").toContain("// => ");
      const log = vi.spyOn(console, "log").mockImplementation(() => {});
      try {
        await import(/* @vite-ignore */ exampleId(readme, index));
      } finally {
        log.mockRestore();
      }
    });
  }
}

describe("the convention itself", () => {
  const first = "# a\n\n```ts\nconst x = 1; // => 1\n```\n```typescript\nnot run\n```\n";

  test("finds ts blocks and where they begin", () => {
    expect(examplesOf(first)).toEqual([{ line: 4, code: "const x = 1; // => 1\n" }]);
  });

  test("turns what is claimed into checks", () => {
    const body = (code: string): string => instrument(code).split("; ").slice(1).join("; ");
    expect(body("f(2) // => [4]\n")).toBe('README.equals(f(2), "[4]", () => ([4])); // => [4]\n');
    expect(body("const x = f(2); // => 4")).toBe('const x = f(2); README.equals(x, "4", () => (4)); // => 4');
    expect(body("await f({\n  a: 1,\n});\n// => a b")).toBe(
      'README.equals(await f({\n  a: 1,\n}), "a b", undefined);\n// => a b',
    );
    expect(body("f() // => throws got 3")).toBe('await README.throws(async () => (f()), "got 3"); // => throws got 3');
  });

  test("a claim that is wrong fails", async () => {
    expect(() => README.equals(new Float32Array([1, 2]), "[1, 2]", () => [1, 2])).not.toThrow();
    expect(() => README.equals([1, 2], "[1, 3]", () => [1, 3])).toThrow("[1, 3]");
    expect(() => README.equals("a b", "a c", undefined)).toThrow("a c");
    expect(() => README.prints([1, 2], "1 3", undefined)).toThrow("1 3");
    await expect(README.throws(async () => 1, "got 3")).rejects.toThrow("promise resolved");
  });

  test("refuses a claim about nothing", () => {
    expect(() => instrument("// => 3\n")).toThrow("belongs to no statement");
    expect(() => instrument("const { a } = f(); // => 3\n")).toThrow("must follow an expression");
  });
});
