/** `cloze doctor`: a report of the backends that can and cannot run on this machine, with reasons and remedies. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, rm, stat, statfs } from "node:fs/promises";
import os from "node:os";
import { dirname, join } from "node:path";
import { BACKENDS, passedOver, probeBackend, type BackendEntry, type ProbedBackend } from "../backends.ts";
import { command, type Command, type Result } from "../command.ts";
import { bytes, columns } from "../output.ts";

const OLDEST_NODE = [20, 19] as const;

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly value: string;
  /** The next step for the user, where the finding is not ok. */
  readonly remedy?: string;
}

export const doctor: Command = command({
  options: {
    out: { kind: "string", value: "DIR", default: ".", help: "folder that a run would write to" },
  },
  examples: [{ does: "What runs here", line: "cloze doctor" }],
  notes: [
    "Exit code 1 when something keeps every training run from working: no backend, no place to write, a Node " +
      "that is too old.",
  ],
  run: ({ options, path }) => examine(path(options.out), BACKENDS),
});

/** Looks at the machine, then at each backend. */
export async function examine(
  folder: string,
  entries: readonly BackendEntry[],
  node: string = process.versions.node,
): Promise<Result> {
  const machine = [nodeVersion(node), ...hardware(), await writable(folder)];
  const backends = await Promise.all(entries.map((entry) => probeBackend(entry, "show")));
  const best = backends.find(({ entry, probe }) => passedOver(entry, probe) === undefined)?.entry.name;
  const ok = machine.every((finding) => finding.ok) && best !== undefined;
  return {
    exitCode: ok ? 0 : 1,
    json: {
      ok,
      machine,
      backends: backends.map(({ entry, probe }) => ({ name: entry.name, what: entry.what, ...probe })),
      auto: best ?? null,
    },
    text: [
      ...columns(machine.map(({ name, ok: fine, value }) => [fine ? "ok" : "NO", name, value])),
      ...machine.flatMap(({ remedy }) => (remedy === undefined ? [] : [`    ${remedy}`])),
      "",
      "Backends, best first:",
      ...backends.flatMap(linesOf),
      "",
      best === undefined ? "Nothing can train here yet." : `--backend auto takes ${best}.`,
    ],
  };
}

function linesOf({ entry, probe }: ProbedBackend): readonly string[] {
  if (!probe.available)
    return [`NO  ${entry.name}: ${entry.what}`, `    why: ${probe.reason}`, `    what would help: ${probe.remedy}`];
  return [
    `ok  ${entry.name}: ${entry.what}`,
    `    on ${probe.device}`,
    ...Object.entries(probe.details).map(([key, value]) => `    ${key}: ${value}`),
    ...(probe.lastResort === undefined ? [] : [`    only with --backend ${entry.name}: ${probe.lastResort}`]),
  ];
}

function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = OLDEST_NODE;
  const ok = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  return {
    name: "node",
    ok,
    value: version,
    ...(ok ? {} : { remedy: `expected Node ${OLDEST_NODE.join(".")} or newer: install it from https://nodejs.org` }),
  };
}

function hardware(): readonly Finding[] {
  const cpus = os.cpus();
  const usable = os.availableParallelism();
  const limit = process.constrainedMemory();
  // Without a limit node answers 0, or a number near 2^64.
  const limited = limit > 0 && limit < os.totalmem() ? `, limited to ${bytes(limit)}` : "";
  return [
    { name: "system", ok: true, value: `${os.type()} ${os.release()} ${os.arch()}` },
    {
      name: "cpu",
      ok: true,
      value: `${cpus[0]?.model.trim() ?? "unknown"}, ${cpus.length} cores, ${usable} for this process`,
    },
    { name: "memory", ok: true, value: `${bytes(os.totalmem())}, ${bytes(os.freemem())} free${limited}` },
  ];
}

/** The folder itself, or the nearest existing folder above it, in which a run would make the folder. */
async function existing(folder: string): Promise<string> {
  for (let at = folder; dirname(at) !== at; at = dirname(at))
    if (
      await stat(at).then(
        () => true,
        () => false,
      )
    )
      return at;
  return folder;
}

/** Writes a file and removes it. Permission bits do not show a full disk or a read-only mount. */
async function writable(wanted: string): Promise<Finding> {
  const folder = await existing(wanted);
  const file = join(folder, `.cloze-doctor-${randomBytes(6).toString("hex")}`);
  try {
    const handle = await open(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY);
    try {
      await handle.write("x");
    } finally {
      await handle.close();
      await rm(file, { force: true });
    }
    const { bavail, bsize } = await statfs(folder);
    return { name: "disk", ok: true, value: `${folder} is writable, ${bytes(bavail * bsize)} free` };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(",")[0] ?? error.message) : String(error);
    return {
      name: "disk",
      ok: false,
      value: `${folder}: cannot write: ${why}`,
      remedy: "choose another folder with --out, or free space there",
    };
  }
}
