import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { lock, ownerState, ownerTag, tryLock } from "@cloze/lock";

const PROCESS = fileURLToPath(new URL("taking-process.ts", import.meta.url));
const folderOf = (): string => mkdtempSync(join(tmpdir(), "cloze-lock-"));

interface Taker {
  readonly child: ChildProcess;
  /** The first line that the process prints. */
  readonly said: Promise<string>;
  readonly ended: Promise<unknown>;
}

function taker(folder: string, { startMs = 0, holdMs = 0, links = true } = {}): Taker {
  const child = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      "--conditions=@cloze/source",
      PROCESS,
      join(folder, "lock"),
      join(folder, "log"),
      String(startMs),
      String(holdMs),
      ...(links ? [] : ["no-links"]),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(child, "close");
  const said = (async () => {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) return chunk.toString().trim();
    return "";
  })();
  return { child, said, ended };
}

/** The holder of a lock is a process that ended, by SIGKILL. */
async function leaveDead(folder: string): Promise<void> {
  const { child, said, ended } = taker(folder, { holdMs: 60_000 });
  expect(await said).toBe("held");
  child.kill("SIGKILL");
  await ended;
}

/** Only one process at a time was inside, by the log that each wrote. */
function neverTwo(folder: string): void {
  const inside = new Set<string>();
  for (const line of readFileSync(join(folder, "log"), "utf8").trim().split("\n")) {
    const [what, pid = ""] = line.split(" ");
    if (what === "out") inside.delete(pid);
    else inside.add(pid);
    // A process that was killed inside never said "out".
    const alive = [...inside].filter((each) => ownerState(ownerTag().replace(/-\d+-\d+-/, `-${each}-0-`)) === "alive");
    expect(alive.length).toBeLessThan(2);
  }
}

describe("several processes at once", () => {
  for (const [links, dead] of [
    [true, false],
    [true, true],
    [false, false],
    [false, true],
  ] as const)
    it(`get one holder${dead ? " after a killed one" : ""}${links ? "" : ", on a disk without links"}`, async () => {
      for (const count of [2, 8]) {
        const folder = folderOf();
        if (dead) await leaveDead(folder);
        const startMs = Date.now() + 800 + 300 * count;
        const takers = Array.from({ length: count }, () => taker(folder, { startMs, holdMs: 1200, links }));
        const said = await Promise.all(takers.map((each) => each.said));
        await Promise.all(takers.map(({ ended }) => ended));
        expect(said.filter((each) => each === "held")).toHaveLength(1);
        const refused = said.filter((each) => each !== "held");
        for (const each of refused)
          expect(each).toMatch(
            /^test: expected to be the only one that writes the folder, got process \d+ on .*, since \d.*: a test\. Wait/,
          );
        expect(readdirSync(folder).sort()).toEqual(["log"]);
        neverTwo(folder);
      }
    });
});

describe("a holder", () => {
  it("that is frozen still holds", async () => {
    const folder = folderOf();
    const { child, said, ended } = taker(folder, { holdMs: 300 });
    await said;
    child.kill("SIGSTOP");
    expect(await taker(folder).said).toMatch(new RegExp(`got process ${child.pid} on`));
    child.kill("SIGCONT");
    await ended;
    expect(await taker(folder).said).toBe("held");
  });

  it("that died is succeeded at once, also where its pid is another process's now, and where nobody reaped it", () => {
    const dead = { pid: 2 ** 22 + 1, host: hostname(), since: "then", command: "x" };
    const reused = ownerTag().replace(/^(.{8}-\d+)-\d+/, "$1-1"); // this pid, another start
    for (const content of [
      { owner: ownerTag().replace(/-\d+-/, `-${2 ** 22 + 1}-`), ...dead },
      ...(process.platform === "linux" ? [{ owner: reused, ...dead, pid: process.pid }] : []),
      dead,
    ]) {
      const folder = folderOf();
      writeFileSync(join(folder, "lock"), JSON.stringify(content));
      const held = lock(join(folder, "lock"), "test", "it");
      expect(held.isHeld()).toBe(true);
      held.release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it("of another host is not touched, until it gives no sign for ten minutes", () => {
    const folder = folderOf();
    const path = join(folder, "lock");
    const foreign = {
      owner: ownerTag().replace(/^.{8}/, "00000000"),
      pid: 7,
      host: "far",
      since: "then",
      command: "y",
    };
    writeFileSync(path, JSON.stringify(foreign));
    expect(() => lock(path, "test", "it")).toThrow(
      `test: expected to be the only one that writes it, got process 7 on far, since then: y. Wait until it ends, or ` +
        `choose another name. If that process has ended, remove ${path}`,
    );
    const at = (secondsAgo: number): void =>
      utimesSync(path, Date.now() / 1000 - secondsAgo, Date.now() / 1000 - secondsAgo);
    at(590);
    expect(tryLock(path)).toBeUndefined();
    at(610);
    tryLock(path)?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("knows when the lock is no longer its own, and leaves the other's alone", () => {
    const path = join(folderOf(), "lock");
    const first = lock(path, "test", "it");
    writeFileSync(path, JSON.stringify({ owner: ownerTag() }));
    expect(first.isHeld()).toBe(false);
    first.release();
    expect(tryLock(path)).toBeUndefined();
  });
});

it("a successor that died on its way has a successor", () => {
  const folder = folderOf();
  const path = join(folder, "lock");
  const deadTag = (): string => ownerTag().replace(/-\d+-/, `-${2 ** 22 + 1}-`);
  const [first, second] = [deadTag(), deadTag()];
  writeFileSync(path, JSON.stringify({ owner: first }));
  writeFileSync(`${path}.${first}`, JSON.stringify({ owner: second }));
  const held = lock(path, "test", "it");
  expect(readdirSync(folder)).toEqual(["lock"]);
  held.release();

  // A successor that is alive, between two of its steps, holds.
  writeFileSync(path, JSON.stringify({ owner: first }));
  writeFileSync(`${path}.${first}`, JSON.stringify({ owner: ownerTag() }));
  expect(tryLock(path)).toBeUndefined();
});

it("a damaged file holds nobody up for long", () => {
  for (const content of ["", "{", "null", "[]", "7", '{"owner":5}', "\u0000\u0000", "x".repeat(100_000)]) {
    const folder = folderOf();
    const path = join(folder, "lock");
    writeFileSync(path, content);
    expect(() => lock(path, "test", "it")).toThrow(/got a process that has just begun.* remove /);
    utimesSync(path, 1e9, 1e9);
    lock(path, "test", "it").release();
    expect(readdirSync(folder)).toEqual([]);
  }
});

it("a folder that cannot be written is an error with a way on", () => {
  const folder = folderOf();
  expect(() => lock(join(folder, "none", "lock"), "test", "it")).toThrow(/got ENOENT\. Choose a folder/);
  mkdirSync(join(folder, "lock"));
  expect(() => lock(join(folder, "lock"), "test", "it")).toThrow(/got EISDIR/);
  if (process.getuid?.() === 0) return; // root may write everywhere
  chmodSync(folder, 0o500);
  expect(() => lock(join(folder, "other"), "test", "it")).toThrow(/got EACCES/);
});
