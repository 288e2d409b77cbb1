import { describe, expect, test } from "vitest";
import { inItsWords, installedAs } from "./install-command.ts";

const cases: readonly (readonly [file: string, files: readonly string[], again: string, add: string])[] = [
  ["/srv/a/cloze/apps/cli/dist/index.js", [], "npm run setup", "npm install x"],
  ["/usr/lib/node_modules/cloze/dist/index.js", [], "npm install -g cloze", "npm install -g x"],
  [
    "C:\\Users\\a\\AppData\\Roaming\\npm\\node_modules\\cloze\\dist\\index.js",
    [],
    "npm install -g cloze",
    "npm install -g x",
  ],
  [
    "/srv/a/.npm/_npx/1f/node_modules/cloze/dist/index.js",
    ["/srv/a/.npm/_npx/1f/package.json"],
    "npm install -g cloze",
    "npm install -g x",
  ],
  [
    "/srv/a/.local/share/pnpm/global/5/.pnpm/cloze@1/node_modules/cloze/dist/index.js",
    [],
    "pnpm add -g cloze",
    "pnpm add -g x",
  ],
  ["/srv/a/.config/yarn/global/node_modules/cloze/dist/index.js", [], "yarn global add cloze", "yarn global add x"],
  ["/srv/a/app/node_modules/cloze/dist/index.js", ["/srv/a/app/package.json"], "npm install", "npm install x"],
  [
    "/srv/a/app/node_modules/.pnpm/cloze@1/node_modules/cloze/dist/index.js",
    ["/srv/a/app/package.json", "/srv/a/app/pnpm-lock.yaml"],
    "pnpm install",
    "pnpm add x",
  ],
  [
    "/srv/a/mono/app/node_modules/cloze/dist/index.js",
    ["/srv/a/mono/app/package.json", "/srv/a/mono/yarn.lock"],
    "yarn install",
    "yarn add x",
  ],
];

describe("commands of the package manager that installed this copy", () => {
  test.each(cases)("%s", (file, files, again, add) => {
    const installed = installedAs(file, (name) => files.includes(name));
    expect(inItsWords("Install the packages again: npm install", installed)).toBe(
      `Install the packages again: ${again}`,
    );
    expect(inItsWords("Run: npm install x.", installed)).toBe(`Run: ${add}.`);
  });

  test("both in one text, names with a scope", () => {
    const installed = installedAs("/usr/lib/node_modules/cloze/dist/index.js", () => false);
    expect(inItsWords("npm install @a/b c, for d; or npm install.", installed)).toBe(
      "npm install -g @a/b c, for d; or npm install -g cloze.",
    );
  });
});
