/**
 * The download of one file into the cache, safe against dropped connections and kills.
 *
 *     <etag>.<owner>.incomplete --Range requests until complete--> checksum --> fsync --> rename to <etag>
 *
 * A dropped or stalled connection is made again and continues at the last byte. After a kill, the next process takes
 * over the partial file of the dead process and continues. Every file is checked: SHA-256 for LFS, git's SHA-1 ("blob",
 * size, NUL, bytes) for other files. Of all this, `downloadFileToCacheDir` of @huggingface/hub has only the rename.
 */
import { createHash, type Hash } from "node:crypto";
import { constants, open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ignoring, onStorage } from "@cloze/checkpoint/node";
import { ownerState, ownerTag } from "@cloze/lock";
import { asked, fileUrl, headersFor, isTransient, pause, type RepoFile } from "./api.ts";
import { makeInside, type RepoCache } from "./cache.ts";
import { errorOfStatus, HubError, networkError } from "./hub-error.ts";
import { withLock } from "./lock.ts";
import type { HubOptions } from "./options.ts";
import type { Repo } from "./repo.ts";

export interface Transfer {
  readonly repo: Repo;
  readonly commit: string;
  readonly file: RepoFile;
  readonly cache: RepoCache;
  readonly options: HubOptions;
  /** Called with the number of this file's bytes on disk. */
  readonly onBytes: (bytes: number) => void;
}

/** Downloads the blob where the cache lacks it. Throws: HubError, StorageError; the partial file then stays. */
export async function fetchBlob(transfer: Transfer): Promise<void> {
  const {
    cache,
    file: { path, etag, sizeBytes },
    options,
  } = transfer;
  const blob = join(cache.blobs, etag);
  const here = async (): Promise<boolean> => (await ignoring(["ENOENT"], stat(blob)))?.size === sizeBytes;
  if (await here()) return;
  await makeInside(cache, cache.blobs);
  const onWait = (): void => options.onNote?.(`${path}: another process is downloading it; waiting for that`);
  await withLock(join(cache.locks, `${etag}.cloze.lock`), { signal: options.signal, onWait }, async () => {
    if (await here()) return;
    await onStorage(blob, "write this file", async () => {
      const partial = await claimPartial(cache.blobs, etag);
      await download(transfer, partial);
      await rename(partial, blob);
    });
  });
}

/**
 * The path of this process's partial file. Where ended processes left partial files, the largest one gets this name and
 * the others are removed.
 */
async function claimPartial(blobs: string, etag: string): Promise<string> {
  const mine = join(blobs, `${etag}.${ownerTag()}.incomplete`);
  const left: { readonly file: string; readonly size: number }[] = [];
  for (const name of await readdir(blobs)) {
    const tag =
      name.startsWith(`${etag}.`) && name.endsWith(".incomplete")
        ? name.slice(etag.length + 1, -".incomplete".length)
        : "";
    // This process holds the lock, so a partial file with its own pid belongs to a download that failed.
    const abandoned =
      ownerState(tag) === "gone" || (ownerState(tag) === "alive" && tag.split("-")[1] === String(process.pid));
    const found = abandoned ? await ignoring(["ENOENT"], stat(join(blobs, name))) : undefined;
    if (found !== undefined) left.push({ file: join(blobs, name), size: found.size });
  }
  const [largest, ...others] = left.sort((a, b) => b.size - a.size);
  for (const { file } of others) await rm(file, { force: true });
  if (largest !== undefined) await ignoring(["ENOENT"], rename(largest.file, mine)); // the first rename wins
  return mine;
}

/** Attempts without new bytes, one after the other, before the download fails. */
const ATTEMPTS = 5;

/** Downloads into the partial file until it is complete and has the right checksum. */
async function download(transfer: Transfer, partial: string): Promise<void> {
  const {
    repo,
    file: { path, etag },
    options,
  } = transfer;
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT);
  try {
    const part = new Part(handle, etag, transfer.file.sizeBytes);
    await part.reread();
    for (let resumed = part.bytes > 0; ; resumed = false) {
      await fill(transfer, part);
      const got = part.checksum();
      if (got === etag) return await handle.sync();
      await part.restart();
      if (!resumed)
        throw new HubError(
          "damaged",
          `${asked(repo, options, path).what}: expected the checksum ${etag}, got ${got}. The bytes were ` +
            "discarded: run it again; if that does not help, a mirror or proxy changes the file.",
        );
      options.onNote?.(`${path}: what an earlier download had left was damaged; downloading it anew`);
    }
  } finally {
    await handle.close();
  }
}

async function fill(transfer: Transfer, part: Part): Promise<void> {
  const {
    file: { sizeBytes },
    options: { signal, retryMs = 500 },
    onBytes,
  } = transfer;
  onBytes(part.bytes);
  for (let failures = 0; part.bytes < sizeBytes;) {
    const before = part.bytes;
    try {
      await request(transfer, part);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Interrupted)) throw error;
      failures = part.bytes > before ? 1 : failures + 1;
      if (failures >= ATTEMPTS) throw error.final;
      await pause(error.waitMs ?? retryMs * 2 ** (failures - 1), signal);
    }
  }
}

/** The connection ended, and another attempt may help. `final` is the error to throw after the last attempt. */
class Interrupted extends Error {
  readonly final: HubError;
  readonly waitMs: number | undefined;

  constructor(final: HubError, waitMs?: number) {
    super(final.message);
    this.final = final;
    this.waitMs = waitMs;
  }
}

/** Makes one connection: asks for the missing bytes and appends the bytes that come. */
async function request(
  { repo, commit, file: { path, sizeBytes }, options, onBytes }: Transfer,
  part: Part,
): Promise<void> {
  const { signal, stallMs = 30_000 } = options;
  const url = fileUrl(repo, commit, path, options.endpoint);
  const about = asked(repo, options, path);
  const stalled = new AbortController();
  const ends = AbortSignal.any([stalled.signal, ...(signal === undefined ? [] : [signal])]);
  const alarm = setTimeout(() => stalled.abort(new Error(`nothing for ${stallMs / 1000} s`)), stallMs);
  const lost = (cause: unknown): Interrupted =>
    new Interrupted(networkError(`${about.what}, after ${part.bytes} of ${sizeBytes} bytes`, url, cause));
  try {
    const range: Record<string, string> = part.bytes > 0 ? { range: `bytes=${part.bytes}-` } : {};
    const response = await fetch(url, {
      signal: ends,
      headers: { ...headersFor(url, options), "accept-encoding": "identity", ...range },
    }).catch((cause: unknown) => {
      throw lost(cause);
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      const error = errorOfStatus(
        response.status,
        response.headers.get("x-error-code"),
        response.headers.get("x-error-message"),
        about,
      );
      if (!isTransient(response.status)) throw error;
      const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
      throw new Interrupted(error, seconds >= 0 && seconds <= 300 ? seconds * 1000 : undefined);
    }
    const from =
      response.status === 206
        ? Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? Number.NaN)
        : 0;
    if (from !== part.bytes) await part.restart(); // the server ignores the range
    if (from !== 0 && from !== part.bytes) {
      await response.body.cancel();
      throw lost(new Error(`the range from byte ${from}, which nobody asked for`));
    }
    try {
      for await (const chunk of response.body) {
        alarm.refresh();
        if (part.bytes + chunk.length > sizeBytes)
          throw new HubError(
            "damaged",
            `${about.what}: expected ${sizeBytes} bytes, got more. The server sends another file than it lists: ` +
              "check HF_ENDPOINT, and try again later.",
          );
        await part.append(chunk);
        onBytes(part.bytes);
      }
    } catch (cause) {
      throw cause instanceof TypeError || stalled.signal.aborted
        ? lost(stalled.signal.aborted ? stalled.signal.reason : cause)
        : cause;
    }
    if (part.bytes < sizeBytes) throw lost(new Error("an answer that ended too early"));
  } finally {
    clearTimeout(alarm);
    stalled.abort();
  }
}

/** A partial file with its running checksum. */
class Part {
  bytes: number = 0;
  #hash: Hash;
  readonly #handle: FileHandle;
  readonly #etag: string;
  readonly #sizeBytes: number;

  constructor(handle: FileHandle, etag: string, sizeBytes: number) {
    this.#handle = handle;
    this.#etag = etag;
    this.#sizeBytes = sizeBytes;
    this.#hash = this.#newHash();
  }

  /** Takes over the bytes in the file. A file that is too long starts again from nothing. */
  async reread(): Promise<void> {
    const { size } = await this.#handle.stat();
    const buffer = new Uint8Array(1 << 20);
    if (size > this.#sizeBytes) return this.restart();
    this.#hash = this.#newHash();
    for (this.bytes = 0; this.bytes < size;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.bytes);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.bytes += bytesRead;
    }
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = this.#newHash();
    this.bytes = 0;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;)
      at += (await this.#handle.write(chunk, at, chunk.length - at, this.bytes + at)).bytesWritten;
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  checksum(): string {
    return this.#hash.digest("hex");
  }

  #newHash(): Hash {
    return this.#etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${this.#sizeBytes}\0`);
  }
}
