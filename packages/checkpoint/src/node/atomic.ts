/**
 * Atomic writes of files and folders: the target is complete or unchanged, even after a kill or on a full disk.
 *
 *     write to a temporary name beside the target -> fsync files and folders -> rename -> fsync the parent
 *
 * A new file replaces an old file in one rename. A new folder cannot replace an old folder like this: no portable call
 * swaps two folders. So the old folder gets another name first, and the target is missing for the moment between two
 * renames. After a kill in that moment, the next clean-up puts the new folder in place (`leftovers.ts`). Each write
 * first removes leftovers of dead writers of the same name.
 */
import { lstat, mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ConfigError } from "@cloze/errors";
import { cleanLeftovers, writerSuffix } from "./leftovers.ts";
import { makeFolder } from "./make-folder.ts";
import { listFiles, writeManifest } from "./manifest.ts";
import { StorageError, errnoOf, ignoring, onStorage } from "./storage-error.ts";
import { syncFile, syncFolder } from "./sync.ts";

/**
 * Writes a folder: `fill` fills a temporary folder, which then moves to `dir`, with a manifest for `verifyDirectory`.
 * An existing folder is replaced only when the new folder is complete and on the disk. Makes the folders above `dir`.
 *
 * Throws: StorageError (disk full, read-only, a file in the way), or any error of `fill`. After an error `dir` is
 * unchanged.
 */
export async function writeDirectoryAtomic(dir: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(dir);
  const parent = dirname(target);
  const name = basename(target);
  if (parent === target)
    throw new ConfigError(`${dir}: expected a folder to write, got the root of the disk. Choose a folder in it.`);
  await onStorage(target, "write this folder", async () => {
    const existing = await ignoring(["ENOENT"], lstat(target));
    if (existing !== undefined && !existing.isDirectory()) {
      throw new StorageError(
        target,
        "EEXIST",
        `expected a folder or nothing, got a ${existing.isSymbolicLink() ? "symbolic link" : "file"}. Move it ` +
          "away or choose another folder.",
      );
    }
    await makeFolder(parent);
    await cleanLeftovers(parent, name);
    const suffix = writerSuffix(name);
    const temporary = join(parent, `.tmp-${suffix}`);
    try {
      await mkdir(temporary);
      await fill(temporary);
      await writeManifest(temporary);
      await syncTree(temporary);
      await replaceFolder(temporary, target, join(parent, `.old-${suffix}`));
    } catch (error) {
      // the first error is the one to report
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(parent);
  });
}

/**
 * Writes a temporary file beside `path`, syncs it and renames it to `path`.
 * Throws: StorageError. After an error `path` is unchanged.
 */
export async function writeFileAtomic(
  path: string,
  write: string | Uint8Array | ((handle: FileHandle) => Promise<void>),
): Promise<void> {
  const target = resolve(path);
  const parent = dirname(target);
  const name = basename(target);
  await onStorage(target, "write this file", async () => {
    const existing = await ignoring(["ENOENT"], stat(target));
    if (existing !== undefined && !existing.isFile())
      throw new StorageError(
        target,
        "EEXIST",
        "expected a file or nothing, got a folder or device. Move it away or choose another name.",
      );
    await cleanLeftovers(parent, name);
    const temporary = join(parent, `.tmp-${writerSuffix(name)}`);
    try {
      const handle = await open(temporary, "wx");
      try {
        if (typeof write === "function") await write(handle);
        else await handle.writeFile(write);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(parent);
  });
}

/** Syncs every file, then every folder, the deepest folder first. */
async function syncTree(dir: string): Promise<void> {
  const folders = new Set<string>();
  for (const file of await listFiles(dir)) {
    await syncFile(join(dir, file));
    for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) folders.add(folder);
  }
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) await syncFolder(join(dir, folder));
  await syncFolder(dir);
}

/**
 * rename(temporary, target), where the target may exist. Where another writer makes the target between the two renames,
 * the loop replaces that target too.
 */
async function replaceFolder(temporary: string, target: string, aside: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const moved = await moveAside(target, aside);
    try {
      await rename(temporary, target);
      // after a failure here, the next write cleans up
      if (moved) await rm(aside, { recursive: true, force: true }).catch(() => undefined);
      return;
    } catch (error) {
      const taken = ["ENOTEMPTY", "EEXIST"].includes(errnoOf(error));
      if (moved && !taken) await rename(aside, target);
      else await rm(aside, { recursive: true, force: true });
      if (!taken || attempt >= 10) throw error;
    }
  }
}

async function moveAside(target: string, aside: string): Promise<boolean> {
  try {
    await rename(target, aside);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
