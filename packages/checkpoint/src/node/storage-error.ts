/** The error of a file system that refuses, and its advice for the user. */
import { ClozeError } from "@cloze/errors";

/** The next step for the user, by the operating system's error code. */
const nextSteps: Readonly<Record<string, string>> = {
  ENOSPC: "The disk is full: free some space or choose a folder on another disk. What was saved before is untouched.",
  EDQUOT:
    "The disk quota is used up: free some space or choose a folder on another disk. What was saved before is " +
    "untouched.",
  EFBIG:
    "The file would exceed the limit for files: raise it (ulimit -f), or write several files. What was saved " +
    "before is untouched.",
  EROFS: "The file system is read-only: choose a folder that can be written.",
  EACCES: "This user may not: change the permissions (ls -ld shows them) or choose another folder.",
  EPERM: "This user may not: change the permissions (ls -ld shows them) or choose another folder.",
  ENOENT: "It does not exist: check the path.",
  ENOTDIR: "A part of the path is a file, not a folder: check the path, or move that file away.",
  EEXIST: "A file of this name is in the way: move it away or choose another name.",
  EISDIR: "It is a folder where a file was expected: check the path.",
  EMFILE: "Too many files are open: close some, or raise the limit (ulimit -n).",
  ENAMETOOLONG: "The name is too long for the file system: choose a shorter one.",
  EBADF: "It was closed before: open it again.",
  EIO: "The disk reports a failure: check it (dmesg) and choose another one.",
};

/** The file system refuses an action. Holds the path and the operating system's code; the message says what helps. */
export class StorageError extends ClozeError {
  readonly path: string;
  /** `ENOSPC`, `EACCES`, …, or `""` where cloze itself refuses. */
  readonly errno: string;

  constructor(path: string, errno: string, message: string, options: { readonly cause?: unknown } = {}) {
    super("user", "StorageError", `${path}: ${message}`, options);
    this.path = path;
    this.errno = errno;
  }

  static override isInstance(error: unknown): error is StorageError {
    return ClozeError.isInstance(error) && error.code === "StorageError";
  }
}

/** The code of an operating system's error, or "" for any other error. */
export function errnoOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : "";
}

/** Waits for a promise. An operating system's error with one of the codes `errnos` gives undefined. */
export async function ignoring<T>(errnos: readonly string[], promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (errnos.includes(errnoOf(error))) return undefined;
    throw error;
  }
}

/**
 * Runs an action on a path; `action` ("write the checkpoint") names it in messages. An operating system's error becomes
 * a StorageError. Other errors pass unchanged.
 */
export async function onStorage<T>(path: string, action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "" || ClozeError.isInstance(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StorageError(
      path,
      errno,
      `expected to ${action}, got ${reason}. ${nextSteps[errno] ?? "Check the path and the disk."}`,
      { cause },
    );
  }
}
