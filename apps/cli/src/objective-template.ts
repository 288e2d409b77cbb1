/**
 * Maker of a package from `templates/objective`. The package has the same files, with a new name and with the version
 * of this command line for its dependencies.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "@cloze/errors";
import { installedAs, isOwn } from "./objectives.ts";

/** The name is not package.json: packing takes a second package.json inside a package for a mistake. */
const MANIFEST = "package.template.json";
const TEMPLATE = fileURLToPath(new URL("../templates/objective/", import.meta.url));
const TEMPLATE_NAME = "my-objective";

export interface NewObjective {
  readonly name: string;
  /** Absolute path of the new folder. */
  readonly folder: string;
  /** The folder where the user would type `--objective NAME`. A name that is already found from there is refused. */
  readonly cwd: string;
}

/**
 * Writes the package and returns its files, relative to the folder. Throws ConfigError for a name or a folder that is
 * taken.
 */
export async function makeObjective({
  name,
  folder,
  cwd,
}: NewObjective): Promise<{ readonly folder: string; readonly files: readonly string[] }> {
  await checkName(name, cwd);
  const held = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new ConfigError(
      `objective new: ${folder}: expected a folder to write to, got ` +
        `${error.code === "ENOTDIR" ? "a file" : error.message}. Name another with --out.`,
      { cause: error },
    );
  });
  if (held.length > 0)
    throw new ConfigError(
      `objective new: ${folder}: expected no folder of that name or an empty one, got one with ` +
        `${held.slice(0, 3).join(", ")}${held.length > 3 ? ", …" : ""}. Name another with --out.`,
    );
  const short = name.replace(/^@.*\//, "");
  const version = await ownVersion();
  const files: string[] = [];
  for (const file of await filesOf(TEMPLATE)) {
    const text = await readFile(join(TEMPLATE, file), "utf8");
    const target = file === MANIFEST ? "package.json" : file.replaceAll(TEMPLATE_NAME, short);
    const made = file.startsWith("test")
      ? text.replaceAll(TEMPLATE_NAME, short)
      : text.replaceAll(`${TEMPLATE_NAME}.test`, `${short}.test`).replaceAll(TEMPLATE_NAME, name);
    await mkdir(dirname(join(folder, target)), { recursive: true });
    await writeFile(join(folder, target), file === MANIFEST ? made.replaceAll('"^0.0.0"', `"^${version}"`) : made);
    files.push(target);
  }
  return { folder, files };
}

async function checkName(name: string, cwd: string): Promise<void> {
  const { builtinModules } = await import("node:module");
  if (
    !/^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/.test(name) ||
    name.length > 214 ||
    builtinModules.includes(name) ||
    ["node_modules", "favicon.ico"].includes(name)
  ) {
    throw new ConfigError(
      "objective new: expected a name that npm takes, small letters, digits and dashes as in token-order or " +
        `@me/token-order, got ${JSON.stringify(name)}. Choose another.`,
    );
  }
  if (isOwn(name))
    throw new ConfigError(
      `objective new: expected a name that is free, got ${name}, which comes with cloze and would be found ` +
        "first. Choose another.",
    );
  const taken = await installedAs(name, cwd);
  if (taken !== undefined)
    throw new ConfigError(
      `objective new: expected a name that is free, got ${name}, but ${taken} is installed in ${cwd} or above. ` +
        "Choose another.",
    );
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

async function ownVersion(): Promise<string> {
  return (
    JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string }
  ).version;
}
