// The check of the documentation against the repository. Wrong are relative links to missing files or headings,
// `npm run` of missing scripts, and `@cloze/...` names that are not packages of this workspace.
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { files, lineOf, packages, read, report, root, rootManifest } from "./workspace.mjs";

const names = new Set(packages().map(({ name }) => name));
const pages = files().filter((file) => file.endsWith(".md"));
const problems = [];

/** GitHub's anchor of a heading. */
const anchor = (heading) =>
  heading
    .replace(/[`*_]|\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
const anchorsOf = (page) =>
  new Set(
    [
      ...read(page)
        .replace(/^```[\s\S]*?^```/gm, "")
        .matchAll(/^#+ (.*)$/gm),
    ].map((match) => anchor(match[1])),
  );

for (const page of pages) {
  const text = read(page);
  const blank = (match) => match.replace(/[^\n]/g, " ");
  const prose = text.replace(/^```[\s\S]*?^```/gm, blank).replace(/`[^`\n]*`/g, blank);
  for (const match of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    const [path, heading] = match[1].split("#");
    const where = `${page}:${lineOf(text, match.index)}`;
    if (/^[a-z]+:/i.test(match[1])) continue; // no request to other hosts: a check must not depend on them
    const target = path === "" ? page : path.startsWith("/") ? path.slice(1) : posix.join(posix.dirname(page), path);
    if (!existsSync(join(root, target))) problems.push(`${where}: ${match[1]} leads nowhere`);
    else if (heading && target.endsWith(".md") && !anchorsOf(target).has(heading))
      problems.push(`${where}: ${target} has no heading #${heading}`);
  }
  for (const match of text.matchAll(/\bnpm run ([\w:-]+)/g)) {
    if (!(match[1] in rootManifest.scripts))
      problems.push(`${page}:${lineOf(text, match.index)}: \`npm run ${match[1]}\` is not a script of package.json`);
  }
  if (page.startsWith(".changeset/")) continue; // a release note may name a removed package
  for (const match of text.matchAll(/@cloze\/([a-z][a-z0-9-]*[a-z0-9])/g)) {
    const before = text.slice(0, match.index).split("\n").at(-1);
    if (
      !names.has(match[0]) &&
      !match[0].endsWith("-") &&
      text[match.index + match[0].length] !== "-" &&
      match[0] !== "@cloze/source" &&
      !before.includes("planned")
    ) {
      problems.push(
        `${page}:${lineOf(text, match.index)}: ${match[0]} is not a package of this workspace (if it is to come, ` +
          `say "planned" before it on the line)`,
      );
    }
  }
}
report(problems, `${pages.length} pages: links, scripts and package names are there`);
