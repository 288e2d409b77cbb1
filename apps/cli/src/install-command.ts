/**
 * The install command of this copy of cloze: the package manager that installed it, and remedies in the words of that
 * package manager. The advice in an error should work on the machine that shows the error.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Installed {
  readonly manager: "npm" | "pnpm" | "yarn";
  readonly global: boolean;
  /** A checkout of the repository. */
  readonly checkout: boolean;
}

/** Finds the package manager from the path of this code and from the lock files above it. */
export function installedAs(
  file: string = fileURLToPath(import.meta.url),
  exists: (file: string) => boolean = existsSync,
): Installed {
  const path = file.replaceAll("\\", "/");
  const end = path.indexOf("/node_modules/");
  if (end < 0) return { manager: "npm", global: false, checkout: true };
  const owner = path.slice(0, end);
  if (/\/pnpm\/(.*\/)?(global|dlx)/.test(owner)) return { manager: "pnpm", global: true, checkout: false };
  if (/\/yarn\/(.*\/)?global$/i.test(owner)) return { manager: "yarn", global: true, checkout: false };
  if (/\/_npx\//.test(owner) || !exists(join(owner, "package.json")))
    return { manager: "npm", global: true, checkout: false };
  for (let folder = owner; ; folder = dirname(folder)) {
    if (exists(join(folder, "pnpm-lock.yaml"))) return { manager: "pnpm", global: false, checkout: false };
    if (exists(join(folder, "yarn.lock"))) return { manager: "yarn", global: false, checkout: false };
    if (exists(join(folder, "package-lock.json")) || dirname(folder) === folder)
      return { manager: "npm", global: false, checkout: false };
  }
}

const ADD = {
  npm: { local: "npm install", global: "npm install -g" },
  pnpm: { local: "pnpm add", global: "pnpm add -g" },
  yarn: { local: "yarn add", global: "yarn global add" },
} as const;

/** Rewrites `npm install` and `npm install NAMES` in a remedy for the package manager that installed cloze here. */
export function inItsWords(remedy: string, { manager, global, checkout }: Installed = installedAs()): string {
  const again = checkout ? "npm run setup" : global ? `${ADD[manager].global} cloze` : `${manager} install`;
  const add = ADD[manager][global ? "global" : "local"];
  return remedy.replace(/\bnpm install(?= [@a-z])/g, add).replace(/\bnpm install(?=[.;,)]|\s*$)/g, again);
}
