/**
 * A lock on a name in a folder, so that one process at a time writes there. The lock is a file that says who holds it,
 * and only one process can make the file.
 *
 * If the process that holds a lock on this host is gone, an interruption left the lock, and it is taken over. For a
 * process on another host this cannot be known, and the error message says how to go on.
 */
import { ConfigError } from "@cloze/errors";
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/** Takes the lock and returns the function that releases it; undefined if another process holds the lock. */
export function tryLock(path: string): (() => void) | undefined {
  for (let tries = 0; tries < 2; tries++) {
    try {
      const descriptor = openSync(path, "wx");
      writeSync(
        descriptor,
        JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() } satisfies Holder),
      );
      closeSync(descriptor);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    const holder = holderOf(path);
    if (holder === undefined || holder.host !== hostname() || isAlive(holder.pid)) return undefined;
    rmSync(path, { force: true });
  }
  return undefined;
}

/** Takes the lock and returns the function that releases it. Throws ConfigError if another process holds the lock. */
export function lock(path: string, where: string): () => void {
  const release = tryLock(path);
  if (release !== undefined) return release;
  const holder = holderOf(path);
  const who =
    holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}, since ${holder.since}`;
  throw new ConfigError(
    `${where}: expected to be the only one that writes here, got ${path}, held by ${who}. Wait for it, or choose ` +
      "another name or folder; if that process is gone, remove the file.",
  );
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function holderOf(path: string): Holder | undefined {
  try {
    const json: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof json === "object" &&
      json !== null &&
      "pid" in json &&
      typeof json.pid === "number" &&
      "host" in json &&
      typeof json.host === "string" &&
      "since" in json &&
      typeof json.since === "string"
      ? { pid: json.pid, host: json.host, since: json.since }
      : undefined;
  } catch {
    return undefined; // the file is gone, or not yet written
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}
