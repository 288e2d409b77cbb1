// The file system refuses a write: the message names the path and the next step, and the old files stay unchanged.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  StorageError,
  latestComplete,
  openSafetensors,
  readJson,
  verifyDirectory,
  writeDirectoryAtomic,
  writeSafetensors,
} from "../src/node.ts";
import { scratch } from "./scratch.ts";

const linux = process.platform === "linux";
const root = process.getuid?.() === 0;
const weights = (n: number) => [{ name: "w", dtype: "U8" as const, shape: [n], data: () => new Uint8Array(n) }];

async function refusal(promise: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!StorageError.isInstance(error)) throw new Error(`expected a StorageError, got ${String(error)}`);
  return error;
}

// allow skip: /dev/full and tmpfs are Linux's
describe.runIf(linux)("a full disk", () => {
  it("by the device that is always full", async () => {
    const run = scratch();
    const dir = join(run, "step-2");
    await writeDirectoryAtomic(join(run, "step-1"), (temporary) =>
      writeSafetensors(join(temporary, "model.safetensors"), weights(10)),
    );
    const error = await refusal(
      writeDirectoryAtomic(dir, async (temporary) => {
        symlinkSync("/dev/full", join(temporary, "log"));
        await appendFile(join(temporary, "log"), "x");
      }),
    );
    expect(error).toMatchObject({ errno: "ENOSPC", path: dir });
    expect(error.message).toContain(
      "The disk is full: free some space or choose a folder on another disk. What was saved before is untouched.",
    );
    expect(readdirSync(run)).toEqual(["step-1"]);
    await verifyDirectory(join(run, "step-1"));
  });

  /** A 256 kB file system, or undefined where this user may not mount one. */
  function smallDisk(): string | undefined {
    const dir = scratch();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", dir], { stdio: "ignore" });
    } catch {
      return undefined;
    }
    onTestFinished(() => void execFileSync("umount", [dir]));
    return dir;
  }

  // allow skip: mounting needs root; the test above fills a device without it
  it.runIf(root)(
    "by a small file system: earlier checkpoints stay, no leftovers take the space, and the next one fits",
    async (context) => {
      const run = smallDisk();
      // allow skip: a container may forbid root to mount
      if (run === undefined) return context.skip("mount is not permitted here");
      const save = (step: number, n: number): Promise<void> =>
        writeDirectoryAtomic(join(run, `step-${step}`), (temporary) =>
          writeSafetensors(join(temporary, "model.safetensors"), weights(n)),
        );
      await save(1, 50_000);
      const error = await refusal(save(2, 300_000));
      expect(error.errno).toBe("ENOSPC");
      expect(error.message).toContain(run);
      expect((await refusal(save(1, 300_000))).errno).toBe("ENOSPC"); // a replacement fails too, and the old file stays
      expect(readdirSync(run)).toEqual(["step-1"]);
      expect(await latestComplete(run)).toMatchObject({ step: 1, rejected: [] });
      await save(3, 100_000);
      expect(await latestComplete(run)).toMatchObject({ step: 3 });
    },
  );
});

describe("no folder can be made", () => {
  it("a file in place of the folder", async () => {
    const run = scratch();
    const path = join(run, "step-1");
    writeFileSync(path, "mine");
    const error = await refusal(writeDirectoryAtomic(path, async () => undefined));
    expect(error.message).toBe(
      `${path}: expected a folder or nothing, got a file. Move it away or choose another folder.`,
    );
    expect((await refusal(writeDirectoryAtomic(join(path, "step-2"), async () => undefined))).message).toContain(path);
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(readdirSync(run)).toEqual(["step-1"]);
  });

  // allow skip: /proc is Linux's
  it.runIf(linux)("a file system that takes none", async () => {
    const error = await refusal(writeDirectoryAtomic("/proc/cloze/step-1", async () => undefined));
    expect(error.message).toContain("/proc/cloze/step-1: expected to write this folder, got ");
    expect(error.errno).not.toBe("");
  });

  // allow skip: root may write everywhere; the next test is root's
  it.runIf(linux && !root)("a folder that this user may not write", async () => {
    const run = scratch();
    chmodSync(run, 0o500);
    const error = await refusal(writeDirectoryAtomic(join(run, "step-1"), async () => undefined));
    expect(error.errno).toBe("EACCES");
    expect(error.message).toContain("change the permissions");
    chmodSync(run, 0o700);
  });

  // allow skip: mounting needs root; the test before is everyone else's
  it.runIf(linux && root)("a read-only file system, whose checkpoints can still be found", async (context) => {
    const run = scratch();
    await writeDirectoryAtomic(join(run, "step-1"), async (temporary) => writeFileSync(join(temporary, "a"), "x"));
    try {
      execFileSync("mount", ["--bind", "-o", "ro", run, run], { stdio: "ignore" });
    } catch {
      // allow skip: a container may forbid root to mount
      return context.skip("mount is not permitted here");
    }
    onTestFinished(() => void execFileSync("umount", [run]));
    const error = await refusal(writeDirectoryAtomic(join(run, "step-2"), async () => undefined));
    expect(error.errno).toBe("EROFS");
    expect(error.message).toContain("The file system is read-only: choose a folder that can be written.");
    expect(await latestComplete(run)).toMatchObject({ step: 1 });
  });
});

describe("reading", () => {
  it("a path that is no file", async () => {
    const dir = scratch();
    expect((await refusal(openSafetensors(join(dir, "no.safetensors")))).message).toContain(
      "no.safetensors: expected to read this file, got ENOENT",
    );
    expect((await refusal(openSafetensors(dir))).message).toBe(
      `${dir}: expected a file, got a folder. Check the path.`,
    );
  });

  // allow skip: Windows has no mkfifo
  it.runIf(linux)("a pipe does not hang", async () => {
    const pipe = join(scratch(), "pipe");
    execFileSync("mkfifo", [pipe]);
    expect((await refusal(openSafetensors(pipe))).message).toContain("got a device or pipe");
    expect((await refusal(readJson(pipe))).message).toContain("got a device or pipe");
  });

  it("a file that is cut off while open", async () => {
    const path = join(scratch(), "a.safetensors");
    await writeSafetensors(path, weights(1000));
    const file = await openSafetensors(path);
    truncateSync(path, 500);
    await expect(file.read("w")).rejects.toThrow("it was cut off while open");
    await file.close();
  });

  it("broken JSON, with line and column", async () => {
    const path = join(scratch(), "config.json");
    writeFileSync(path, '{\n  "hidden_size": 64,\n  "vocab_size": 33,\n}\n');
    await expect(readJson(path)).rejects.toThrow(`${path}, line 4, column 1: expected a string, got "}\\n"`);
    writeFileSync(path, '{"a":{"b":[1,2.5]}}');
    expect(await readJson(path)).toEqual({ a: { b: [1, 2.5] } });
  });
});
