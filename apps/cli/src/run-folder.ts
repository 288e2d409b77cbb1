/** Run folders: names for new folders, the search for the folder to resume, and the saved options of a run. */
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { ConfigError } from "@cloze/errors";
import { newestCheckpoint } from "@cloze/trainer";
import { parseConfig } from "./config-file.ts";
import { byFlagName, type OptionTable, type OptionValue } from "./options.ts";

export const CONFIG_FILE = "config.yaml";

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

/** True if the folder holds a run. */
export const holdsRun = (folder: string): Promise<boolean> => exists(join(folder, CONFIG_FILE));

/** The name of a new run's folder, without its number: of a model's name, or of its config.json. */
export const runNameOf = (model: string): string =>
  model
    .replace(/\.json$/, "")
    .replace(/.*[/\\]/, "")
    .replace(/[^\w.-]+/g, "-") || "run";

/** The run of `runs/` that was written last. */
export async function newestRun(cwd: string): Promise<string> {
  const root = join(cwd, "runs");
  const names = await readdir(root).catch(() => []);
  const runs: { readonly folder: string; readonly at: number }[] = [];
  for (const name of names) {
    const folder = join(root, name);
    if (await holdsRun(folder))
      runs.push({
        folder,
        at: (await stat(join(folder, "metrics.jsonl")).catch(() => stat(join(folder, CONFIG_FILE)))).mtimeMs,
      });
  }
  const newest = runs.sort((a, b) => b.at - a.at)[0];
  if (newest === undefined)
    throw new ConfigError(
      `--resume: expected a run in ${relative(cwd, root) || root}, got none. Name its folder: --resume DIR`,
    );
  return newest.folder;
}

/** Makes the folder and writes the options into it, in the form that `--config` reads. */
export async function writeRunConfig(folder: string, options: Readonly<Record<string, unknown>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { stringify } = await import("yaml");
  await writeFile(join(folder, CONFIG_FILE), stringify(byFlagName(options)));
}

/** The options that a run saved. */
export async function readRunConfig(folder: string, table: OptionTable): Promise<ReadonlyMap<string, OptionValue>> {
  const file = join(folder, CONFIG_FILE);
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `--resume ${folder}: expected a run folder with ${CONFIG_FILE}, got ` +
        `${cause.code === "ENOENT" ? "none" : cause.message}. Name the folder that --out or runs/ holds.`,
      { cause },
    );
  });
  return parseConfig(text, file, table);
}

/**
 * The newest checkpoint of a run folder; any other folder is returned as it is. Throws ConfigError for a run without a
 * checkpoint.
 */
export async function checkpointFolder(folder: string): Promise<string> {
  if (!(await holdsRun(folder))) return folder;
  const newest = await newestCheckpoint(folder);
  if (newest === undefined)
    throw new ConfigError(
      `${folder}: expected a run with a checkpoint, got one without. Train on with: cloze pretrain --resume ${folder}`,
    );
  return newest;
}
