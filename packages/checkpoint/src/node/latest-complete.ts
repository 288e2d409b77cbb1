/** The search for the checkpoint to resume from: the newest complete folder `<runDir>/step-<n>`. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ClozeError, ConfigError } from "@cloze/errors";
import { cleanLeftovers } from "./leftovers.ts";
import { verifyDirectory } from "./manifest.ts";
import { StorageError, onStorage } from "./storage-error.ts";

export interface LatestCheckpoint {
  readonly path: string;
  readonly step: number;
  /** Errors of newer, damaged checkpoints, newest first. The caller should report them. */
  readonly rejected: readonly ClozeError[];
}

/** Path of a step's checkpoint: `<runDir>/step-<n>`. */
export function stepDirectory(runDir: string, step: number): string {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new ConfigError(`stepDirectory: expected a step of 0 or more, got ${step}. Pass the number of steps done.`);
  return join(runDir, `step-${step}`);
}

/**
 * The newest checkpoint with a valid manifest and valid checksums. Undefined where `runDir` does not exist or holds no
 * checkpoint folder. Reads this checkpoint once, and each newer, damaged checkpoint. Cleans up after killed writers
 * where it may write.
 * Throws: the FormatError of the newest checkpoint where there are checkpoints but none is complete. Only a person may
 * decide to start again from nothing.
 */
export async function latestComplete(runDir: string): Promise<LatestCheckpoint | undefined> {
  try {
    await cleanLeftovers(runDir);
  } catch (error) {
    const errno = StorageError.isInstance(error) ? error.errno : "";
    if (errno === "ENOENT") return undefined;
    // another user's run: readable, but not writable
    if (errno !== "EACCES" && errno !== "EROFS" && errno !== "EPERM") throw error;
  }
  const names = await onStorage(runDir, "read this folder", () => readdir(runDir));
  const steps = names.flatMap((name) =>
    /^step-[0-9]{1,15}$/.test(name) ? [{ name, step: Number(name.slice(5)) }] : [],
  );
  steps.sort((a, b) => b.step - a.step || (a.name < b.name ? -1 : 1));
  const rejected: ClozeError[] = [];
  for (const { name, step } of steps) {
    const path = join(runDir, name);
    try {
      await verifyDirectory(path);
      return { path, step, rejected };
    } catch (error) {
      if (!ClozeError.isInstance(error)) throw error;
      rejected.push(error);
    }
  }
  if (rejected[0] !== undefined) throw rejected[0];
  return undefined;
}
