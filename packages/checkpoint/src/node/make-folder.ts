/** A recursive mkdir that ends on every file system. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "./storage-error.ts";

/**
 * Makes a folder and its missing parents. Not `mkdir(…, { recursive: true })`: Node 20 retries for ever where the
 * parent exists but the file system answers ENOENT, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await mkdir(path).catch(orThere(path)); // another process may make it at the same time
    } else {
      await orThere(path)(error);
    }
  }
}

/**
 * Ignores an error of mkdir where the folder exists. It may be an old folder (the code is EEXIST, EROFS, EACCES or
 * EISDIR, depending on the system) or a folder that another process has just made.
 */
function orThere(path: string): (error: unknown) => Promise<void> {
  return async (error) => {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw error;
  };
}
