/**
 * A lock between processes: a file that says who holds it. One process at a time holds it, whatever the timing.
 *
 * The file appears with its whole content at once (a link to a file beside it), so a lock without content is a damaged
 * one. A lock whose process has ended is taken over:
 *
 *     1. make FILE.<tag of the dead owner>, which only one process can make: that process is the successor
 *     2. see that FILE still has the dead owner's content; if not, the claim is void, and everything starts again
 *     3. rename the claim to FILE
 *
 * A claim is named for the owner that it succeeds, and a tag never comes twice. So a process that stops between two
 * steps, and wakes when others have held and left the lock, finds its claim void. A successor that dies before step 3
 * has a successor of its own, in the same way.
 *
 * For a process of another host nobody can say whether it lives. The holder touches its file regularly; a lock of
 * another host that nobody has touched for a long time counts as dead.
 */
import { linkSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createHash } from "node:crypto";
import { ConfigError } from "@cloze/errors";
import { ownerState, ownerTag, tagOf } from "./owner.ts";

/** Who holds a lock. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
  /** The command line. */
  readonly command: string;
}

export interface Lock {
  readonly path: string;
  /** Whether the file still names this process: false after somebody removed it or took it over. */
  isHeld(): boolean;
  release(): void;
}

export interface LockOptions {
  /** The command line, for others to read. Default: that of the process. */
  readonly command?: string;
  /** A lock of another host counts as dead if nobody has touched it for so long. Default 10 minutes. */
  readonly silentMs?: number;
}

const BEAT_MS = 15_000;
const SILENT_MS = 600_000;
/** Where a file system has no links, a file may be empty for a moment. It is looked at so many times, with pauses. */
const LOOKS = 5;
const LOOK_MS = 20;
/** The age at which a file without a readable owner counts as damaged, not as just being written. */
const DAMAGED_MS = 2_000;

/** Takes the lock. Undefined if another process holds it. Throws the error of a disk that refuses. */
export function tryLock(path: string, options: LockOptions = {}): Lock | undefined {
  const taken = take(resolve(path), options);
  return "release" in taken ? taken : undefined;
}

/**
 * Takes the lock. `where` begins the message, and `what` names what only one process may write. Throws ConfigError with
 * the holder if another process holds the lock, and where the disk refuses the file.
 */
export function lock(path: string, where: string, what: string, options: LockOptions = {}): Lock {
  const file = resolve(path);
  let taken: Lock | Refused;
  try {
    taken = take(file, options);
  } catch (cause) {
    throw new ConfigError(
      `${where}: expected to write the file ${file}, which says who writes ${what}, got ` +
        `${codeOf(cause) ?? String(cause)}. Choose a folder that can be written.`,
      { cause },
    );
  }
  if ("release" in taken) return taken;
  const { found, state } = taken;
  const { holder } = found;
  const who =
    holder === undefined
      ? "a process that has just begun"
      : `process ${holder.pid} on ${holder.host}, since ${holder.since}: ${holder.command}`;
  const then =
    state === "alive"
      ? "Wait until it ends, or choose another name."
      : `Wait until it ends, or choose another name. If that process has ended, remove ${file}`;
  throw new ConfigError(`${where}: expected to be the only one that writes ${what}, got ${who}. ${then}`);
}

type State = ReturnType<typeof ownerState>;

interface Found {
  /** The owner's tag. For a damaged file: a name of its content and time. */
  readonly tag: string;
  readonly holder: Holder | undefined;
  readonly touchedMs: number;
}

interface Refused {
  readonly found: Found;
  readonly state: State;
}

function take(file: string, { command = commandLine(), silentMs = SILENT_MS }: LockOptions): Lock | Refused {
  const tag = ownerTag();
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString(), command };
  const content = `${JSON.stringify({ owner: tag, ...holder })}\n`;
  for (let looks = 1; ; looks++) {
    const found = read(file);
    if (found === undefined) {
      if (make(file, content, tag) && read(file)?.tag === tag) return held(file, tag);
      continue;
    }
    if (ownerState(found.tag) === undefined && looks < LOOKS) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
      continue;
    }
    const refused = living(found, silentMs);
    if (refused !== undefined) return refused;
    const taken = succeed(file, found, { content, tag, silentMs });
    if (taken !== undefined) return taken;
  }
}

/** The lock as refused, if its owner may be alive. */
function living(found: Found, silentMs: number): Refused | undefined {
  const state = ownerState(found.tag);
  const ageMs = Date.now() - found.touchedMs;
  const lives =
    state === "alive" ||
    (state === "elsewhere" && ageMs < silentMs) ||
    (state === undefined && Math.abs(ageMs) < DAMAGED_MS);
  return lives ? { found, state } : undefined;
}

/** Takes a dead owner's lock over. Undefined: others were faster, and the caller looks again. */
function succeed(
  file: string,
  dead: Found,
  { content, tag, silentMs }: { readonly content: string; readonly tag: string; readonly silentMs: number },
): Lock | Refused | undefined {
  const chain: Found[] = [dead];
  let claim = "";
  for (let last = dead; ; last = chain.at(-1) as Found) {
    claim = `${file}.${last.tag}`;
    if (make(claim, content, tag)) break;
    const next = read(claim);
    if (next === undefined) return undefined;
    const refused = living(next, silentMs);
    if (refused !== undefined) return refused;
    chain.push(next);
  }
  const places = [file, ...chain.map((each) => `${file}.${each.tag}`)];
  if (chain.some((each, i) => read(places[i] as string)?.tag !== each.tag)) {
    rmSync(claim, { force: true });
    return undefined;
  }
  renameSync(claim, file);
  clean(file);
  return held(file, tag);
}

function held(path: string, tag: string): Lock {
  const isHeld = (): boolean => read(path)?.tag === tag;
  const beat = setInterval(() => {
    try {
      if (isHeld()) utimesSync(path, new Date(), new Date());
    } catch {
      // A disk that fails now fails where it matters, too.
    }
  }, BEAT_MS);
  beat.unref();
  const release = (): void => {
    clearInterval(beat);
    if (isHeld()) rmSync(path, { force: true });
  };
  return { path, isHeld, release };
}

/** Makes a file with its content. Returns false if it exists. */
function make(file: string, content: string, tag: string): boolean {
  const draft = `${file}.new-${tag}`;
  try {
    writeFileSync(draft, content, { flag: "wx" });
    try {
      linkSync(draft, file);
    } catch (error) {
      if (codeOf(error) === "EEXIST") throw error;
      writeFileSync(file, content, { flag: "wx" }); // a file system without links
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function read(file: string): Found | undefined {
  try {
    const { mtimeMs: touchedMs, ino } = statSync(file);
    const text = readFileSync(file, "utf8");
    const { owner, holder } = parse(text);
    if (owner !== undefined) return { tag: owner, holder, touchedMs };
    const name = createHash("sha256").update(`${ino} ${touchedMs} ${text}`).digest("hex").slice(0, 16);
    return { tag: `damaged-${name}`, holder, touchedMs };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The owner and the holder that a file names. Without an owner's tag the host and the pid decide. */
function parse(text: string): { readonly owner?: string; readonly holder: Holder | undefined } {
  try {
    const { owner, pid, host, since, command } = JSON.parse(text) as Partial<Record<string, unknown>>;
    const holder =
      Number.isSafeInteger(pid) && Number(pid) > 0 && typeof host === "string"
        ? { pid: Number(pid), host, since: textOf(since), command: textOf(command) }
        : undefined;
    if (typeof owner === "string" && ownerState(owner) !== undefined) return { owner, holder };
    return holder === undefined ? { holder } : { owner: tagOf(holder.host, holder.pid, text), holder };
  } catch {
    return { holder: undefined };
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "unknown");

/** Removes claims and drafts of dead processes. Only the holder calls it. */
function clean(file: string): void {
  const prefix = `${basename(file)}.`;
  for (const name of readdirSync(dirname(file))) {
    if (!name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length).replace(/^new-/, "");
    const path = join(dirname(file), name);
    const writer = name.startsWith(`${prefix}new-`) ? rest : read(path)?.tag;
    const ours = /^damaged-[0-9a-f]{16}$/.test(rest) || ownerState(rest) !== undefined;
    if (ours && writer !== undefined && ownerState(writer) === "gone") rmSync(path, { force: true });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function commandLine(): string {
  const [, script = "", ...rest] = process.argv;
  return [basename(script), ...rest].join(" ").slice(0, 200);
}
