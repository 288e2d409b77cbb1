/**
 * The download of a snapshot: files of one commit of a repository, as a folder of the cache.
 *
 *     offline            takes the cache's folder, or throws
 *     a commit           takes the cache's folder without a request, where it is known to be complete
 *     a branch or tag    asks the Hub for the commit; where the Hub fails, takes the cache's folder, with a note
 */
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readText, StorageError } from "@cloze/checkpoint/node";
import { asked, commitOf, filesOf, type RepoFile } from "./api.ts";
import {
  cachedCommit,
  checkedPath,
  isFile,
  isMarkedAbsent,
  linkBlob,
  makeInside,
  markAbsent,
  repoCache,
  snapshotFolder,
  writeRef,
  type RepoCache,
} from "./cache.ts";
import { HubError } from "./hub-error.ts";
import type { HubOptions } from "./options.ts";
import { isCommit, type Repo } from "./repo.ts";
import { fetchBlob } from "./transfer.ts";

export interface SnapshotRequest {
  readonly repo: Repo;
  /** Chooses from the repository's files. `read` downloads a file and gives its text. */
  choose(files: readonly RepoFile[], read: (path: string) => Promise<string>): Promise<readonly string[]>;
  /** True where a cached folder is good enough without a question to the Hub. */
  usable(folder: string): Promise<boolean>;
  /** Files to take where the repository has them. The cache notes a missing file, so it is not asked for again. */
  readonly optional?: readonly string[];
}

export interface Snapshot {
  /** Absolute path of the folder with the files. */
  readonly folder: string;
  readonly commit: string;
  /** Bytes that this call downloaded; 0 where the cache had all files. */
  readonly downloadedBytes: number;
}

/** Finds or downloads the chosen files. Throws: HubError, StorageError, and the errors of `choose`. */
export async function fetchSnapshot(request: SnapshotRequest, options: HubOptions): Promise<Snapshot> {
  const { repo } = request;
  const cache = repoCache(options.cacheDir, repo);
  if (options.offline) return fromCache(request, cache, options);
  if (isCommit(repo.revision) && (await isWhole(request, cache))) return fromCache(request, cache, options);
  let commit: string;
  let files: readonly RepoFile[];
  try {
    commit = await commitOf(repo, options);
    files = await filesOf(repo, commit, options);
  } catch (error) {
    if (!HubError.isInstance(error) || !["network", "server", "rate-limited"].includes(error.reason)) throw error;
    const cached = await fromCache(request, cache, options).catch(() => undefined);
    if (cached === undefined) throw error;
    options.onNote?.(`${error.message} Taking what the cache has: commit ${cached.commit.slice(0, 12)}.`);
    return cached;
  }
  return download(request, cache, commit, files, options);
}

async function fromCache({ repo, usable }: SnapshotRequest, cache: RepoCache, options: HubOptions): Promise<Snapshot> {
  const commit = await cachedCommit(cache, repo.revision);
  const folder = commit === undefined ? undefined : snapshotFolder(cache, commit);
  if (commit !== undefined && folder !== undefined && (await usable(folder)))
    return { folder, commit, downloadedBytes: 0 };
  throw new HubError(
    "not-cached",
    `${asked(repo, options).what}: expected it in the cache ${cache.folder}, since the Hub is not asked ` +
      `(offline), got ${folder === undefined ? "nothing" : "a part of it"}. Download it once with the network: ` +
      `cloze download ${repo.name}${repo.revision === "main" ? "" : ` --revision ${repo.revision}`}`,
  );
}

/** True where the cache is known to hold all wanted files of a commit. */
async function isWhole(
  { repo: { revision }, usable, optional = [] }: SnapshotRequest,
  cache: RepoCache,
): Promise<boolean> {
  const folder = snapshotFolder(cache, revision);
  if (!(await usable(folder))) return false;
  for (const path of optional)
    if (!(await isFile(join(folder, path))) && !(await isMarkedAbsent(cache, revision, path))) return false;
  return true;
}

async function download(
  { repo, choose, optional = [] }: SnapshotRequest,
  cache: RepoCache,
  commit: string,
  files: readonly RepoFile[],
  options: HubOptions,
): Promise<Snapshot> {
  const folder = snapshotFolder(cache, commit);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const what = asked(repo, options).what;
  const sizes = new Map<string, number>();
  let downloadedBytes = 0;
  let totalBytes = 0;

  const fetch = async (path: string): Promise<void> => {
    const file = byPath.get(checkedPath(path, what));
    if (file === undefined)
      throw new HubError(
        "file-not-found",
        `${what}: expected the file ${JSON.stringify(path)} in the repository, got none. Choose another revision.`,
      );
    if (await isFile(join(folder, path))) return void sizes.set(path, file.sizeBytes);
    let first: number | undefined;
    let last = 0;
    const onBytes = (bytes: number): void => {
      first ??= bytes;
      last = bytes;
      sizes.set(path, bytes);
      options.onProgress?.({
        file: path,
        bytes: [...sizes.values()].reduce((a, b) => a + b, 0),
        totalBytes: Math.max(totalBytes, file.sizeBytes),
      });
    };
    await fetchBlob({ repo, commit, file, cache, options, onBytes });
    downloadedBytes += last - (first ?? 0);
    sizes.set(path, file.sizeBytes);
    await linkBlob(cache, commit, path, file.etag);
  };
  const chosen = await choose(files, async (path) => {
    await fetch(path);
    return readText(join(folder, path));
  });
  for (const path of chosen) checkedPath(path, what);
  totalBytes = chosen.reduce((sum, path) => sum + (byPath.get(path)?.sizeBytes ?? 0), 0);
  await expectRoom(
    cache,
    folder,
    chosen.flatMap((path) => byPath.get(path) ?? []),
  );
  for (const path of chosen) await fetch(path);
  await makeInside(cache, folder);
  for (const path of optional) if (!byPath.has(path)) await markAbsent(cache, commit, path);
  await writeRef(cache, repo.revision, commit);
  return { folder, commit, downloadedBytes };
}

/** Throws StorageError before the download where the disk has too little room for the missing files. */
async function expectRoom(cache: RepoCache, folder: string, files: readonly RepoFile[]): Promise<void> {
  let needed = 0;
  for (const { path, etag, sizeBytes } of files)
    if (!(await isFile(join(folder, path))) && !(await isFile(join(cache.blobs, etag)))) needed += sizeBytes;
  const free = await freeBytes(cache.folder);
  if (needed > free)
    throw new StorageError(
      cache.folder,
      "ENOSPC",
      `expected ${needed} bytes of room for this download, got ${free}. Free some space, or put the cache on ` +
        "another disk: HF_HOME=/path.",
    );
}

/** Free bytes on the disk of a folder, or of its nearest parent that exists. */
async function freeBytes(folder: string): Promise<number> {
  const found = await statfs(folder).catch(() => undefined);
  if (found !== undefined) return found.bavail * found.bsize;
  return dirname(folder) === folder ? Number.POSITIVE_INFINITY : freeBytes(dirname(folder));
}
