/**
 * Names for what is being written, and the removal of what killed processes left.
 *
 *     .tmp-<name>-<host>-<pid>-<started>-<nonce>   being written
 *     .old-<name>-<host>-<pid>-<started>-<nonce>   what <name> was before, for the moment between two renames
 *
 * What follows the name is the tag of `owner.ts`. On a shared disk another machine's leftovers stay. Whatever has
 * another name is never touched.
 */
import { lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isComplete } from "./manifest.ts";
import { ownerState, ownerTag } from "./owner.ts";
import { ignoring, onStorage } from "./storage-error.ts";

const pattern = /^\.(tmp|old)-(.+)-([0-9a-f]{8}-[0-9]{1,10}-[0-9]{1,20}-[0-9a-f]{8})$/;

/** What follows `.tmp-` and `.old-` for one write of `<parent>/<name>` by this process. */
export function writerSuffix(name: string): string {
  return `${name}-${ownerTag()}`;
}

/**
 * Removes what dead writers left in a folder, of `name` or of any name, and returns the paths removed or put back.
 * A writer killed between its two renames left `<name>` missing: then its complete new folder, else the old one, takes
 * the name.
 */
export async function cleanLeftovers(parent: string, name?: string): Promise<readonly string[]> {
  return onStorage(parent, "clean up after killed writers", async () => {
    const done: string[] = [];
    // ".old-" before ".tmp-": a name is put back before its parts are removed
    const found = (await readdir(parent)).sort();
    for (const file of found) {
      const [, kind, of = "", owner = ""] = pattern.exec(file) ?? [];
      if (kind === undefined || (name !== undefined && of !== name) || ownerState(owner) !== "gone") continue;
      const path = join(parent, file);
      if (kind === "old" && !(await exists(join(parent, of)))) {
        const fresh = join(parent, file.replace(".old-", ".tmp-"));
        const from = (await isComplete(fresh)) ? fresh : path;
        await ignoring(["ENOENT", "ENOTEMPTY", "EEXIST"], rename(from, join(parent, of)));
        done.push(from);
      }
      await rm(path, { recursive: true, force: true });
      if (!done.includes(path)) done.push(path);
    }
    return done;
  });
}

async function exists(path: string): Promise<boolean> {
  return (await ignoring(["ENOENT"], lstat(path))) !== undefined;
}
