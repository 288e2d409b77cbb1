/**
 * Names for what is being written, and the removal of what killed processes left.
 *
 *     .tmp-<name>-<host>-<pid>-<started>-<nonce>   being written
 *     .old-<name>-<host>-<pid>-<started>-<nonce>   what <name> was before, for the moment between two renames
 *
 * `host` is a hash of the host name: on a shared disk another machine's process ids say nothing, so its leftovers stay.
 * `started` is the writer's start time in kernel ticks (Linux; elsewhere 0), so that a process that was given the pid of a
 * dead one, as in a restarted container, is not taken for it. Whatever has another name is never touched.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { lstat, readdir, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { errnoOf, ignoring, onStorage } from "./storage-error.ts";
import { isComplete } from "./manifest.ts";

const pattern = /^\.(tmp|old)-(.+)-([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20})-([0-9a-f]{8})$/;

/** What follows `.tmp-` and `.old-` for one write of `<parent>/<name>` by this process. */
export function writerSuffix(name: string): string {
  return [name, hostHash(), process.pid, startTime(process.pid), randomBytes(4).toString("hex")].join("-");
}

/**
 * Removes what dead writers left in a folder, of `name` or of any name, and returns the paths removed or put back.
 * A writer killed between its two renames left `<name>` missing: then its complete new folder, else the old one, takes the name.
 */
export async function cleanLeftovers(parent: string, name?: string): Promise<readonly string[]> {
  return onStorage(parent, "clean up after killed writers", async () => {
    const done: string[] = [];
    const found = (await readdir(parent)).sort();   // ".old-" before ".tmp-": a name is put back before its parts are removed
    for (const file of found) {
      const [, kind, of = "", host, pid, started = "0"] = pattern.exec(file) ?? [];
      if (kind === undefined || (name !== undefined && of !== name)) continue;
      if (host !== hostHash() || isAlive(Number(pid), started)) continue;
      const path = join(parent, file);
      if (kind === "old" && !(await exists(join(parent, of)))) {
        const fresh = join(parent, file.replace(".old-", ".tmp-"));
        const from = (await isComplete(fresh)) ? fresh : path;
        await ignoring(["ENOENT", "ENOTEMPTY", "EEXIST"], rename(from, join(parent, of)));
        done.push(from);
      }
      await rm(path, { recursive: true, force: true });
      if (!done.includes(path)) done.push(path);
    }
    return done;
  });
}

async function exists(path: string): Promise<boolean> {
  return (await ignoring(["ENOENT"], lstat(path))) !== undefined;
}

function hostHash(): string {
  return createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
}

function isAlive(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") return false;   // EPERM: alive, of another user
  }
  const now = startTime(pid);
  return now === "0" || started === "0" || now === started;
}

/** Field 22 of /proc/<pid>/stat; the fields are counted after the command's name, which may hold spaces and brackets. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
    return /^[0-9]{1,20}$/.test(ticks) ? ticks : "0";
  } catch {
    return "0";   // no /proc here: the pid alone decides
  }
}
