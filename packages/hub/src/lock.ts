/**
 * The lock of a download: one process downloads a file, the others wait.
 *
 * The lock only saves bandwidth: a download has its own name until it is complete. A lock that fails (a wrong clock on
 * a network disk) costs a second download and does no damage. So a process of another machine counts as dead after two
 * minutes without a sign.
 * Node has no flock(2), which Python uses. Python's lock files have other names and stay untouched.
 */
import { dirname } from "node:path";
import { makeFolder, onStorage } from "@cloze/checkpoint/node";
import { tryLock, type Lock } from "@cloze/lock";
import { pause } from "./api.ts";

export interface LockOptions {
  readonly signal: AbortSignal | undefined;
  /** Called once, where another process holds the lock. */
  readonly onWait: () => void;
}

const SILENT_MS = 120_000;
const POLL_MS = 200;

/** Waits for the lock, calls `run` and frees the lock. */
export async function withLock<T>(file: string, { signal, onWait }: LockOptions, run: () => Promise<T>): Promise<T> {
  const lock = await onStorage(file, "take this lock", async (): Promise<Lock> => {
    await makeFolder(dirname(file));
    for (let waited = false; ; waited = true) {
      const taken = tryLock(file, { silentMs: SILENT_MS });
      if (taken !== undefined) return taken;
      if (!waited) onWait();
      await pause(POLL_MS, signal);
    }
  });
  try {
    return await run();
  } finally {
    lock.release();
  }
}
