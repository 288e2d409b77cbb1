/**
 * Writes that are there whole or not at all, even when the process is killed or the disk is full.
 *
 *     write beside the target, under a name of this process  ->  fsync files and folders  ->  rename  ->  fsync the
 *     parent
 *
 * A file replaces its predecessor in one rename. A folder cannot (no portable call swaps two folders), so the old one
 * steps aside for the moment between two renames; whoever cleans up next after a kill in that moment puts the new one
 * in place (`leftovers.ts`). Leftovers of dead writers of the same name are removed first.
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
 * Fills a folder and puts it at `dir` in one step, with a manifest that `verifyDirectory` checks. An existing folder is
 * replaced only once the new one is complete and on the disk. Folders above `dir` are made.
 *
 * Throws: StorageError (disk full, read-only, a file in the way) or whatever `fill` throws; `dir` is then as it was
 * before.
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
 * Writes one file beside `path`, syncs it and renames it over `path`. Throws: StorageError; `path` is then as it was
 * before.
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

/** fsync of every file, then of every folder, the deepest first. */
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
 * rename(temporary, target) where the target may exist; another writer of the same target may win and is then replaced.
 */
async function replaceFolder(temporary: string, target: string, aside: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const moved = await moveAside(target, aside);
    try {
      await rename(temporary, target);
      // a leftover: cleaned up next time
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
