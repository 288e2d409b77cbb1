// The commands in the documentation pages are right: `cloze` accepts their names, options, and values of options.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COMMANDS } from "../apps/cli/src/commands.ts";
import { optionsOf } from "../apps/cli/src/main.ts";
import type { OptionTable } from "../apps/cli/src/options.ts";
import { parseArguments } from "../apps/cli/src/parse-arguments.ts";
import { root } from "../tooling/readme.ts";

/** The option `--help`, which every command accepts. */
const HELP: OptionTable = { help: { kind: "boolean", help: "" } };

const within = (dir: string): string[] => readdirSync(`${root}/${dir}`).map((name) => `${dir}/${name}`);
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...within("docs"),
  ...within("docs/how-to"),
  ...[...within("packages"), ...within("apps")].map((dir) => `${dir}/README.md`),
].filter((page) => page.endsWith(".md") && existsSync(`${root}/${page}`));

/** Each `npx cloze …` in a code block or in backticks, up to the end of the line, a backtick or a comment. */
const linesOf = (page: string): string[] =>
  [...readFileSync(`${root}/${page}`, "utf8").matchAll(/npx cloze (.+?)(?= +#|`|$)/gm)].map(([, line = ""]) =>
    line.trim(),
  );

/** Cuts a line into words as a shell does: text in quotes is one word. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? "");

const shown = pages.flatMap((page) => linesOf(page).map((line) => [page, line] as const));

test.each(shown)("%s: cloze %s", async (_, line) => {
  const words = wordsOf(line);
  const count = [2, 1].find((n) => COMMANDS.some(({ name }) => name === words.slice(0, n).join(" ")));
  const entry = COMMANDS.find(({ name }) => name === words.slice(0, count ?? 0).join(" "));
  if (entry === undefined)
    throw new Error(`there is no command ${words[0]}. There are: ${COMMANDS.map(({ name }) => name).join(", ")}`);
  const command = await entry.load();
  const table = { ...optionsOf(command), ...HELP };
  const { values } = parseArguments(words.slice(count), table, command.arguments, entry.name);
  const missing = Object.entries(command.options).filter(
    ([key, { required }]) => required === true && !values.has(key) && !values.has("recipe"),
  );
  expect(missing.map(([key]) => key)).toEqual([]);
});

test("the README shows the commands most people want", () => {
  const first = linesOf("README.md").join("\n");
  for (const name of ["pretrain", "evaluate", "embed", "fill-mask", "doctor"]) expect(first).toContain(name);
});

test("the table of the README lists every package and app", () => {
  const readme = readFileSync(`${root}/README.md`, "utf8");
  const missing = [...within("packages"), ...within("apps")].filter(
    (dir) =>
      existsSync(`${root}/${dir}/package.json`) && !new RegExp(`^\\| \\[[^\\]]+\\]\\(${dir}\\)`, "m").test(readme),
  );
  expect(missing).toEqual([]);
});
