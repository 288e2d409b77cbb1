/**
 * How this copy of cloze was installed, and commands in the words of its package manager: what an error advises should
 * work where it is read.
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

/** Told by the path of this code, and by the lock files above it. */
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

/** A remedy that says `npm install`, or `npm install NAMES`, in the words of the package manager that is used here. */
export function inItsWords(remedy: string, { manager, global, checkout }: Installed = installedAs()): string {
  const again = checkout ? "npm run setup" : global ? `${ADD[manager].global} cloze` : `${manager} install`;
  const add = ADD[manager][global ? "global" : "local"];
  return remedy.replace(/\bnpm install(?= [@a-z])/g, add).replace(/\bnpm install(?=[.;,)]|\s*$)/g, again);
}
