/**
 * A reader and a writer of the cache that Python's huggingface_hub uses, in its own layout:
 *
 *     <cache>/models--owner--name/refs/main                    the commit of a branch or tag, as text
 *                                /blobs/<etag>                 the bytes of a file under its checksum
 *                                /snapshots/<commit>/<path>    a relative link to the blob
 *                                /.no_exist/<commit>/<path>    an empty file: this commit has no file of this path
 *     <cache>/.locks/models--owner--name/…
 *
 * Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache; huggingface_hub, file_download.py.
 */
import { randomBytes } from "node:crypto";
import { copyFile, readFile, realpath, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { errnoOf, ignoring, makeFolder, onStorage } from "@cloze/checkpoint/node";
import { HubError } from "./hub-error.ts";
import { isCommit, type Repo } from "./repo.ts";

export interface RepoCache {
  readonly folder: string;
  readonly blobs: string;
  readonly locks: string;
}

export function repoCache(cacheDir: string, { name }: Repo): RepoCache {
  const own = `models--${name.split("/").join("--")}`;
  const folder = join(cacheDir, own);
  return { folder, blobs: join(folder, "blobs"), locks: join(cacheDir, ".locks", own) };
}

export const snapshotFolder = ({ folder }: RepoCache, commit: string): string => join(folder, "snapshots", commit);

/** The commit of a revision, as it was at the last download. */
export async function cachedCommit({ folder }: RepoCache, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await ignoring(["ENOENT", "ENOTDIR", "EISDIR"], readFile(join(folder, "refs", revision), "utf8"));
  return text !== undefined && isCommit(text.trim()) ? text.trim() : undefined;
}

export async function writeRef(cache: RepoCache, revision: string, commit: string): Promise<void> {
  const file = join(cache.folder, "refs", revision);
  if (isCommit(revision) || (await cachedCommit(cache, revision)) === commit) return;
  await onStorage(file, "note the commit of this revision", async () => {
    await makeInside(cache, dirname(file));
    const temporary = `${file}.${randomBytes(4).toString("hex")}.lock`; // no revision may end in .lock
    await writeFile(temporary, commit);
    await rename(temporary, file);
  });
}

/** True where the path, through links, is a file. */
export const isFile = async (path: string): Promise<boolean> =>
  (await ignoring(["ENOENT", "ENOTDIR", "ELOOP"], stat(path)))?.isFile() ?? false;

export const isMarkedAbsent = (cache: RepoCache, commit: string, path: string): Promise<boolean> =>
  isFile(join(cache.folder, ".no_exist", commit, path));

/** Notes that a commit has no such file, so that later calls need not ask the Hub. */
export async function markAbsent(cache: RepoCache, commit: string, path: string): Promise<void> {
  const file = join(cache.folder, ".no_exist", commit, path);
  await onStorage(file, "note that there is no such file", async () => {
    await makeInside(cache, dirname(file));
    await writeFile(file, "");
  });
}

/**
 * Returns a file's path in the repository after a check: joined to a folder, the path stays inside it on every system.
 * Throws: HubError for an absolute path, `..`, a backslash, a drive, a control character.
 */
export function checkedPath(path: string, what: string): string {
  const parts = path.split("/");
  if (
    parts.every(
      (part) => part !== "" && part !== "." && part !== ".." && part.length <= 255 && !/[\\:]|\p{Cc}/u.test(part),
    )
  )
    return path;
  throw new HubError(
    "hostile",
    `${what}: expected file names that stay inside the repository, got ${JSON.stringify(path)}. Nothing was ` +
      "written for it; do not use this repository.",
  );
}

/** Makes the file `path` of a snapshot: a link to the blob, or a copy where the system has no links. */
export async function linkBlob(cache: RepoCache, commit: string, path: string, etag: string): Promise<void> {
  const pointer = join(snapshotFolder(cache, commit), path);
  const blob = join(cache.blobs, etag);
  await onStorage(pointer, "put this file into the snapshot", async () => {
    await makeInside(cache, dirname(pointer));
    const temporary = join(cache.blobs, `${etag}.${randomBytes(4).toString("hex")}.link`);
    try {
      await symlink(relative(dirname(pointer), blob), temporary).catch(async (error: unknown) => {
        if (!["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "UNKNOWN"].includes(errnoOf(error)))
          throw error;
        await copyFile(blob, temporary);
      });
      await rename(temporary, pointer);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/** Makes a folder inside the repository's cache. Throws: HubError where a link leads out of the cache. */
export async function makeInside({ folder }: RepoCache, wanted: string): Promise<void> {
  await makeFolder(wanted);
  const root = await realpath(folder);
  const real = await realpath(wanted);
  if (real !== root && !real.startsWith(root + sep))
    throw new HubError(
      "hostile",
      `${wanted}: expected a folder inside ${folder}, got a link to ${real}. Remove the link.`,
    );
}
