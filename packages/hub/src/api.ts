/**
 * Requests to the Hub's API about a repository: the commit of a revision, and the files of a commit with their
 * checksums.
 *
 * The requests go through `@huggingface/hub` with our own fetch. It sends the token only to the Hub's own origin, ends
 * requests that hang, repeats a request after a temporary failure, and turns a refusal into one clear line.
 */
import { setTimeout as wait } from "node:timers/promises";
import { errorOfStatus, HubError, networkError, type Asked } from "./hub-error.ts";
import type { HubOptions } from "./options.ts";
import { isCommit, type Repo } from "./repo.ts";

export interface RepoFile {
  /** Path inside the repository, with `/` between folders. Not checked: it may be any text. */
  readonly path: string;
  readonly sizeBytes: number;
  /**
   * The checksum, which is also the file's name in the cache: SHA-256 for a file in LFS (64 hexadecimal digits), SHA-1
   * of git's blob for other files (40 digits).
   */
  readonly etag: string;
}

export const asked = (repo: Repo, { endpoint, token }: HubOptions, file?: string): Asked => ({
  what: `${repo.name}${repo.revision === "main" ? "" : `@${repo.revision}`}${file === undefined ? "" : `, ${file}`}`,
  repo: repo.name,
  revision: repo.revision,
  endpoint,
  hasToken: token !== undefined,
});

/** The commit of a branch or tag. Throws: HubError. */
export async function commitOf(repo: Repo, options: HubOptions): Promise<string> {
  if (isCommit(repo.revision)) return repo.revision;
  const { modelInfo } = await import("@huggingface/hub");
  const { sha } = await modelInfo({
    name: repo.name,
    revision: repo.revision,
    hubUrl: options.endpoint,
    additionalFields: ["sha"],
    fetch: hubFetch(repo, options),
  });
  if (typeof sha !== "string" || !isCommit(sha))
    throw new HubError(
      "hostile",
      `${asked(repo, options).what}: expected a commit of 40 hexadecimal digits from ${options.endpoint}, got ` +
        `${JSON.stringify(sha)}. Check HF_ENDPOINT.`,
    );
  return sha;
}

/** The files in the top folder of a commit. Throws: HubError. */
export async function filesOf(repo: Repo, commit: string, options: HubOptions): Promise<readonly RepoFile[]> {
  const { listFiles } = await import("@huggingface/hub");
  const files: RepoFile[] = [];
  for await (const { type, path, size, oid, lfs } of listFiles({
    repo: { type: "model", name: repo.name },
    revision: commit,
    hubUrl: options.endpoint,
    fetch: hubFetch(repo, options),
  })) {
    if (type !== "file") continue;
    const etag = lfs?.oid ?? oid;
    const sizeBytes = lfs?.size ?? size;
    if (
      typeof path !== "string" ||
      typeof etag !== "string" ||
      !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) ||
      !Number.isSafeInteger(sizeBytes) ||
      sizeBytes < 0
    ) {
      throw new HubError(
        "hostile",
        `${asked(repo, options).what}: expected a size and a checksum for each file from ${options.endpoint}, ` +
          `got ${JSON.stringify({ path, etag, sizeBytes }).slice(0, 200)}. Check HF_ENDPOINT.`,
      );
    }
    files.push({ path, sizeBytes, etag });
  }
  return files;
}

/** The address of a file's bytes at a commit. */
export function fileUrl(repo: Repo, commit: string, path: string, endpoint: string): string {
  return `${endpoint}/${repo.name}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Headers for a request. Only the endpoint's own origin gets the token. */
export function headersFor(url: string, { endpoint, token }: HubOptions): Record<string, string> {
  const own = new URL(url).origin === new URL(endpoint).origin;
  return {
    "user-agent": "cloze; huggingface.js",
    ...(own && token !== undefined ? { authorization: `Bearer ${token}` } : {}),
  };
}

/** True for a status after which the same request may succeed later. */
export const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

const ATTEMPTS = 3;

function hubFetch(repo: Repo, options: HubOptions): typeof fetch {
  const { signal, stallMs = 30_000, retryMs = 500 } = options;
  const about = asked(repo, options);
  return async (input) => {
    const url = input instanceof Request ? input.url : String(input);
    for (let attempt = 1; ; attempt++) {
      const ends = AbortSignal.any([AbortSignal.timeout(stallMs), ...(signal === undefined ? [] : [signal])]);
      try {
        const response = await fetch(url, {
          headers: { ...headersFor(url, options), accept: "application/json" },
          signal: ends,
        });
        if (response.ok) return response;
        const error = errorOfStatus(
          response.status,
          response.headers.get("x-error-code"),
          response.headers.get("x-error-message"),
          about,
        );
        await response.body?.cancel();
        if (attempt >= ATTEMPTS || !isTransient(response.status)) throw error;
      } catch (cause) {
        signal?.throwIfAborted();
        if (HubError.isInstance(cause)) throw cause;
        if (attempt >= ATTEMPTS) throw networkError(about.what, url, cause);
      }
      await pause(retryMs * 2 ** (attempt - 1), signal);
    }
  };
}

/** Waits `ms` milliseconds. An abort ends the wait with the signal's reason as the error. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await wait(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}
