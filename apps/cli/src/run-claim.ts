/**
 * The claim of a run folder: one command at a time writes to it, and a command that fails before it has anything worth
 * keeping leaves the folder as it found it.
 */
import { mkdir, readdir, realpath, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { ConfigError } from "@cloze/errors";
import type { Lock } from "@cloze/lock";
import { checkpointsFolder } from "@cloze/trainer";
import { holdUntilExit, LOCK_FILE, makeFolders, removeEmpty } from "./only-writer.ts";
import { holdsRun, runNameOf } from "./run-folder.ts";

/** The names that a run writes into its folder. */
const WRITTEN = /^(config\.yaml|inputs\.json|metrics\.jsonl|tensorboard|report\.html|checkpoints|model|seed-\d+)$/;

export interface RunRequest {
  /** The command, for messages: `pretrain`. */
  readonly where: string;
  readonly cwd: string;
  /** The folder of `--out`; without it the run is the first free one of `runs/NAME-1`, `runs/NAME-2`, …. */
  readonly out: string | undefined;
  readonly name: string;
}

/**
 * Runs `work` as the only writer of a new run's folder. If it fails, and there is neither a step nor a checkpoint, the
 * folder is left as it was found. Throws ConfigError if the folder holds a run, or another command writes to it.
 */
export async function inNewRun<T>(request: RunRequest, work: (run: string) => Promise<T>): Promise<T> {
  const { folder, made } = await newFolder(request);
  let held: Lock | undefined;
  let before: readonly string[] | undefined;
  try {
    held = await claim(folder, request.where);
    if (await holdsRun(folder)) {
      const shown = relative(request.cwd, folder) || folder;
      throw new ConfigError(
        `--out ${shown}: expected a folder without a run, got one. Continue it with --resume ${shown}, or ` +
          "choose another.",
      );
    }
    before = await readdir(folder);
    return await work(folder);
  } catch (error) {
    if (before !== undefined && !(await holdsProgress(folder))) await removeWritten(folder, before);
    held?.release();
    await removeEmpty(made);
    throw error;
  } finally {
    held?.release();
  }
}

/** Runs `work` as the only writer of a run's folder. Throws ConfigError if another command writes to it. */
export async function inExistingRun<T>(folder: string, where: string, work: () => Promise<T>): Promise<T> {
  if (!(await holdsRun(folder))) return work(); // its error says more
  const held = await claim(folder, where);
  try {
    return await work();
  } finally {
    held.release();
  }
}

const claim = async (folder: string, where: string): Promise<Lock> =>
  holdUntilExit(join(await realpath(folder), LOCK_FILE), where, `to the run ${folder}`);

async function newFolder({ where, cwd, out, name }: RunRequest): Promise<{
  readonly folder: string;
  readonly made: readonly string[];
}> {
  if (out !== undefined) return { folder: out, made: await makeFolders(out, `${where}: --out ${out}`) };
  const root = join(cwd, "runs");
  const made = await makeFolders(root, where);
  for (let n = 1; ; n++) {
    const folder = join(root, `${runNameOf(name)}-${n}`);
    try {
      await mkdir(folder); // of several commands at once, one makes it
      return { folder, made: [folder, ...made] };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      await removeEmpty(made);
      throw error;
    }
  }
}

/** Whether a run, or one of its seeds, has done a step. */
async function holdsProgress(run: string): Promise<boolean> {
  const names = await readdir(run).catch(() => []);
  const seeds = names.filter((name) => /^seed-\d+$/.test(name)).map((name) => join(run, name));
  for (const folder of [run, ...seeds]) {
    if (((await stat(join(folder, "metrics.jsonl")).catch(() => undefined))?.size ?? 0) > 0) return true;
    const steps = await readdir(checkpointsFolder(folder)).catch(() => []);
    if (steps.some((name) => /^step-\d+$/.test(name))) return true;
  }
  return false;
}

async function removeWritten(run: string, before: readonly string[]): Promise<void> {
  for (const name of await readdir(run))
    if (WRITTEN.test(name) && !before.includes(name)) await rm(join(run, name), { recursive: true, force: true });
}
