/** Which checkpoint of a run to resume from: the newest whole one of `<runDir>/step-<n>`. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ClozeError, ConfigError } from "@cloze/errors";
import { cleanLeftovers } from "./leftovers.ts";
import { verifyDirectory } from "./manifest.ts";
import { StorageError, onStorage } from "./storage-error.ts";

export interface LatestCheckpoint {
  readonly path: string;
  readonly step: number;
  /** What is wrong with newer checkpoints that were passed over, newest first: report it. */
  readonly rejected: readonly ClozeError[];
}

/** Where the checkpoint of a step goes: `<runDir>/step-<n>`. */
export function stepDirectory(runDir: string, step: number): string {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new ConfigError(`stepDirectory: expected a step of 0 or more, got ${step}. Pass the number of steps done.`);
  return join(runDir, `step-${step}`);
}

/**
 * The newest checkpoint whose manifest and checksums hold, or undefined where the run has no checkpoint folder (or does
 * not exist). Reads that checkpoint once, and damaged newer ones. Cleans up after killed writers where it may write.
 * Throws: the newest one's FormatError if there are checkpoints and none is whole: starting anew must be a person's
 * decision.
 */
export async function latestComplete(runDir: string): Promise<LatestCheckpoint | undefined> {
  try {
    await cleanLeftovers(runDir);
  } catch (error) {
    const errno = StorageError.isInstance(error) ? error.errno : "";
    if (errno === "ENOENT") return undefined;
    // someone else's run can still be read
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
