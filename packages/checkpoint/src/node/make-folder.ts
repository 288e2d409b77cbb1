import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "./storage-error.ts";

/**
 * Makes a folder and those above it. Not `mkdir(…, { recursive: true })`: Node 20 retries for ever where a file system
 * answers ENOENT to making a folder in one that exists, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await mkdir(path).catch(orThere(path)); // another process may have made it meanwhile
    } else {
      await orThere(path)(error);
    }
  }
}

/**
 * Passes over an error where the folder is there anyway: it existed (EEXIST, EROFS, EACCES, EISDIR by system) or was
 * just made.
 */
function orThere(path: string): (error: unknown) => Promise<void> {
  return async (error) => {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw error;
  };
}
