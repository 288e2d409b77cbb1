/**
 * The temporary names of atomic writes, and the clean-up after killed writers.
 *
 *     .tmp-<name>-<host>-<pid>-<started>-<nonce>   a file or folder that is being written
 *     .old-<name>-<host>-<pid>-<started>-<nonce>   the previous <name>, for the moment between two renames
 *
 * After the name stands the owner tag of `@cloze/lock`. On a shared disk the leftovers of another machine stay. Files
 * with other names are never touched.
 */
import { lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ownerState, ownerTag } from "@cloze/lock";
import { isComplete } from "./manifest.ts";
import { ignoring, onStorage } from "./storage-error.ts";

const pattern = /^\.(tmp|old)-(.+)-([0-9a-f]{8}-[0-9]{1,10}-[0-9]{1,20}-[0-9a-f]{8})$/;

/** The rest of the name after `.tmp-` or `.old-`, for one write of `<parent>/<name>` by this process. */
export function writerSuffix(name: string): string {
  return `${name}-${ownerTag()}`;
}

/**
 * Removes the leftovers of dead writers in a folder, for `name` or for all names. Returns the paths that it removed or
 * put back. A writer that was killed between its two renames leaves `<name>` missing. Then the writer's new folder gets
 * the name, if it is complete; else the old folder gets its name back.
 */
export async function cleanLeftovers(parent: string, name?: string): Promise<readonly string[]> {
  return onStorage(parent, "clean up after killed writers", async () => {
    const done: string[] = [];
    // Sorted, ".old-" comes before ".tmp-": a folder is put back before the clean-up would remove it.
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
