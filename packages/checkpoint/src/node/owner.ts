/**
 * The owner tag in a file's name: it says which process writes the file. A clean-up thus tells a leftover of a killed
 * process from a file that is still being written.
 *
 *     <host>-<pid>-<started>-<nonce>
 *
 * `host` is a hash of the host name: on a shared disk, a process id of another machine has no meaning here. `started`
 * is the start time of the process in kernel ticks (Linux; 0 elsewhere). A new process may get the pid of a dead
 * process, for example in a restarted container. The start time then differs.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { errnoOf } from "./storage-error.ts";

const pattern = /^([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20})-([0-9a-f]{8})$/;

/** A tag of this process. Each call gives a new tag. */
export function ownerTag(): string {
  return [hostHash(), process.pid, startTime(process.pid), randomBytes(4).toString("hex")].join("-");
}

/**
 * The state of a tag's process. `alive` and `gone`: a process of this machine that runs or has ended. `elsewhere`: a
 * process of another machine, whose state is unknown here. Undefined: the text is not a tag.
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
    if (errnoOf(error) !== "EPERM") return false; // EPERM: the process lives and belongs to another user
  }
  const now = startTime(pid);
  return now === "0" || started === "0" || now === started;
}

/**
 * Field 22 of /proc/<pid>/stat: the start time in ticks. The command's name (field 2) may hold spaces and brackets, so
 * the code counts fields from the last ")".
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
