/**
 * One writer to an output: a command holds a lock on what it writes, and another command is refused at once. A command
 * that fails leaves no folder behind that it made and that is empty.
 */
import { realpath, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ConfigError } from "@cloze/errors";
import { lock, type Lock } from "@cloze/lock";
import type { Writes } from "./command.ts";

/** The file that says which process writes in a folder. */
export const LOCK_FILE = ".lock";

/**
 * Runs `write` as the only writer of a path. The lock of a file, or of a folder that appears as a whole, stands beside
 * it. Throws ConfigError if another process writes there. `where` begins the message.
 */
export async function asOnlyWriter<T>(
  target: string,
  { how, where }: { readonly how: Writes["how"]; readonly where: string },
  write: () => Promise<T>,
): Promise<T> {
  const path = resolve(target);
  const [folder, file] = how === "whole" ? [dirname(path), `.${basename(path)}${LOCK_FILE}`] : [path, LOCK_FILE];
  const made = await makeFolders(folder, where);
  try {
    const held = how === "shared" ? undefined : holdUntilExit(join(await realpath(folder), file), where, path);
    try {
      return await write();
    } finally {
      held?.release();
    }
  } catch (error) {
    await removeEmpty(made);
    throw error;
  }
}

/** Takes a lock, and frees it at the end of the process at the latest. */
export function holdUntilExit(path: string, where: string, what: string): Lock {
  const held = lock(path, where, what, { command: commandLine() });
  const release = (): void => {
    process.off("exit", release);
    held.release();
  };
  process.on("exit", release);
  return { ...held, release };
}

/** Makes a folder and returns the folders that were missing, the deepest first. `where` begins the error's message. */
export async function makeFolders(folder: string, where: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let each = folder; (await stat(each).catch(() => undefined)) === undefined; each = dirname(each))
    missing.push(each);
  const { makeFolder } = await import("@cloze/checkpoint/node");
  await makeFolder(folder).catch(async (cause: NodeJS.ErrnoException) => {
    await removeEmpty(missing);
    throw new ConfigError(`${where}: expected a folder to write in, got ${cause.message}. Choose another.`, { cause });
  });
  return missing;
}

/** Removes folders that are empty. Others stay. */
export async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const each of folders) await rmdir(each).catch(() => undefined);
}

const commandLine = (): string => `cloze ${process.argv.slice(2).join(" ")}`.slice(0, 200);
