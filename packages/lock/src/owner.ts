/**
 * The owner tag in a file's name or content: it says which process writes there. A clean-up thus tells a leftover of a
 * killed process from a file that is still being written.
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

const pattern = /^([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20})-([0-9a-f]{8})$/;

/** A tag of this process. Each call gives a new tag. */
export function ownerTag(): string {
  const started = statOf(process.pid)?.started ?? "0";
  return [hostHash(), process.pid, started, randomBytes(4).toString("hex")].join("-");
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

/** The tag of a process that is known by its host and pid alone. The same `nonce` gives the same tag. */
export function tagOf(host: string, pid: number, nonce: string): string {
  return [hostHash(host), pid, 0, createHash("sha256").update(nonce).digest("hex").slice(0, 8)].join("-");
}

function hostHash(host: string = hostname()): string {
  return createHash("sha256").update(host).digest("hex").slice(0, 8);
}

function isAlive(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process lives and belongs to another user.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const now = statOf(pid);
  if (now === undefined) return true; // no /proc here: the pid alone decides
  return !now.ended && (now.started === "0" || started === "0" || now.started === started);
}

/**
 * Fields 3 and 22 of /proc/<pid>/stat: the state and the start time in ticks. A zombie (Z) has ended, but its parent
 * has not asked for its exit code yet. The command's name (field 2) may hold spaces and brackets, so the code counts
 * fields from the last ")".
 */
function statOf(pid: number): { readonly started: string; readonly ended: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields[19] ?? "0";
    return { started: /^[0-9]{1,20}$/.test(ticks) ? ticks : "0", ended: /^[ZXx]$/.test(fields[0] ?? "") };
  } catch {
    return undefined;
  }
}
