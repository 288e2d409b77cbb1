/**
 * A lock between processes: one process downloads a file, the others wait.
 *
 * A lock is a file made with O_EXCL. It names its owner (owner.ts of @cloze/checkpoint), and the owner touches it
 * regularly. Another process takes the lock over where the owner is a process of this machine that has ended, or a
 * process of another machine that has not touched it for two minutes.
 * The lock only saves bandwidth: a download has its own name until it is complete. A lock that fails (a network disk
 * without O_EXCL, a wrong clock) costs a second download and does no damage.
 * Node has no flock(2), which Python uses. Python's lock files have other names and stay untouched.
 */
import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, ignoring, makeFolder, onStorage, ownerState, ownerTag } from "@cloze/checkpoint/node";
import { pause } from "./api.ts";

export interface LockOptions {
  readonly signal: AbortSignal | undefined;
  /** Called once, where another process holds the lock. */
  readonly onWait: () => void;
}

const BEAT_MS = 15_000;
const FOREIGN_MS = 120_000;
const EMPTY_MS = 10_000;
const POLL_MS = 200;

/** Waits for the lock, calls `run` and frees the lock. */
export async function withLock<T>(file: string, { signal, onWait }: LockOptions, run: () => Promise<T>): Promise<T> {
  const tag = ownerTag();
  await onStorage(file, "take this lock", async () => {
    await makeFolder(dirname(file));
    for (let waited = false; !(await take(file, tag));) {
      if (await takeAway(file, tag)) continue;
      if (!waited) onWait();
      waited = true;
      await pause(POLL_MS, signal);
    }
  });
  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), BEAT_MS);
  beat.unref();
  try {
    return await run();
  } finally {
    clearInterval(beat);
    if ((await owner(file)) === tag) await rm(file, { force: true });
  }
}

const owner = (file: string): Promise<string | undefined> => ignoring(["ENOENT"], readFile(file, "utf8"));

async function take(file: string, tag: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    try {
      await handle.writeFile(tag);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a lock without a live owner. Returns true where the caller should try to take the lock at once. */
async function takeAway(file: string, tag: string): Promise<boolean> {
  const found = await owner(file);
  const made = await ignoring(["ENOENT"], stat(file));
  if (found === undefined || made === undefined) return true;
  const state = ownerState(found);
  const ageMs = Date.now() - made.mtimeMs;
  const dead =
    state === "gone" || (state === "elsewhere" && ageMs > FOREIGN_MS) || (state === undefined && ageMs > EMPTY_MS);
  if (!dead) return false;
  const aside = `${file}.${tag}`;
  await ignoring(["ENOENT"], rename(file, aside));
  const moved = await owner(aside);
  // Another process was faster: the moved file is its new lock, so it goes back.
  if (moved !== undefined && moved !== found) await ignoring(["ENOENT"], rename(aside, file));
  await rm(aside, { force: true });
  return true;
}
