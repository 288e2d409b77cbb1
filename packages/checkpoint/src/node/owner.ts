/**
 * Which process a file belongs to, said in the file's name, so that what a killed one left can be told from what is
 * being written.
 *
 *     <host>-<pid>-<started>-<nonce>
 *
 * `host` is a hash of the host name: on a shared disk another machine's process ids say nothing. `started` is the
 * process's start time in kernel ticks (Linux; elsewhere 0), so that a process that was given the pid of a dead one, as
 * in a restarted container, is not taken for it.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { errnoOf } from "./storage-error.ts";

const pattern = /^([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20})-([0-9a-f]{8})$/;

/** A name for something of this process; each call gives another. */
export function ownerTag(): string {
  return [hostHash(), process.pid, startTime(process.pid), randomBytes(4).toString("hex")].join("-");
}

/**
 * `gone`: a process of this machine that ended; `elsewhere`: of another machine, which nobody here can tell; undefined:
 * no tag.
 */
export function ownerState(tag: string): "alive" | "gone" | "elsewhere" | undefined {
  const [, host, pid, started = "0"] = pattern.exec(tag) ?? [];
  if (host === undefined) return undefined;
  return host !== hostHash() ? "elsewhere" : isAlive(Number(pid), started) ? "alive" : "gone";
}

function hostHash(): string {
  return createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
}

function isAlive(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") return false; // EPERM: alive, of another user
  }
  const now = startTime(pid);
  return now === "0" || started === "0" || now === started;
}

/**
 * Field 22 of /proc/<pid>/stat; the fields are counted after the command's name, which may hold spaces and brackets.
 */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
    return /^[0-9]{1,20}$/.test(ticks) ? ticks : "0";
  } catch {
    return "0"; // no /proc here: the pid alone decides
  }
}
