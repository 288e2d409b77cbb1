import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "@cloze/errors";
import { describe, expect, it } from "vitest";
import {
  latestComplete,
  manifestFile,
  stepDirectory,
  verifyDirectory,
  writeDirectoryAtomic,
  writeFileAtomic,
} from "../src/node.ts";
import { scratch } from "./scratch.ts";

const fill =
  (text: string) =>
  async (temporary: string): Promise<void> => {
    mkdirSync(join(temporary, "tokenizer"));
    await writeFile(join(temporary, "model.safetensors"), text);
    await writeFile(join(temporary, "tokenizer/vocab.txt"), "a");
  };

describe("writeDirectoryAtomic", () => {
  it("makes the folders above, writes the manifest last, and leaves nothing beside", async () => {
    const run = scratch();
    const dir = join(run, "a/b/step-1");
    await writeDirectoryAtomic(dir, fill("one"));
    expect(readdirSync(dir).sort()).toEqual([manifestFile, "model.safetensors", "tokenizer"]);
    expect((await verifyDirectory(dir)).map((f) => [f.path, f.bytes])).toEqual([
      ["model.safetensors", 3],
      ["tokenizer/vocab.txt", 1],
    ]);
    expect(readdirSync(join(run, "a/b"))).toEqual(["step-1"]);
  });

  it("replaces an old folder whole: no file of it stays", async () => {
    const run = scratch();
    const dir = join(run, "step-1");
    await writeDirectoryAtomic(dir, async (temporary) => writeFileSync(join(temporary, "stale"), ""));
    await writeDirectoryAtomic(dir, fill("two"));
    expect(readdirSync(dir).sort()).toEqual([manifestFile, "model.safetensors", "tokenizer"]);
    expect(readdirSync(run)).toEqual(["step-1"]);
  });

  it("keeps the old folder while the new one is written, and when that fails", async () => {
    const run = scratch();
    const dir = join(run, "step-1");
    await writeDirectoryAtomic(dir, fill("one"));
    const failing = writeDirectoryAtomic(dir, async (temporary) => {
      await fill("two")(temporary);
      await verifyDirectory(dir);
      throw new Error("mid-way");
    });
    await expect(failing).rejects.toThrow("mid-way");
    expect(readFileSync(join(dir, "model.safetensors"), "utf8")).toBe("one");
    expect(readdirSync(run)).toEqual(["step-1"]);
  });

  it("several writers of one folder: each result is whole, the last one stays", async () => {
    const run = scratch();
    const dir = join(run, "step-1");
    await Promise.all(Array.from({ length: 6 }, (_, i) => writeDirectoryAtomic(dir, fill(`writer ${i}`))));
    await verifyDirectory(dir);
    expect(readFileSync(join(dir, "model.safetensors"), "utf8")).toMatch(/^writer \d$/);
    expect(readdirSync(run)).toEqual(["step-1"]);
  });

  it("refuses a link inside: a copy of the folder would lose the file", async () => {
    const run = scratch();
    await expect(
      writeDirectoryAtomic(join(run, "a"), async (temporary) => symlinkSync("/etc/hostname", join(temporary, "x"))),
    ).rejects.toThrow("got a link or device");
    expect(readdirSync(run)).toEqual([]);
  });
});

it("writeFileAtomic keeps the old file when writing fails", async () => {
  const dir = scratch();
  const path = join(dir, "a.json");
  await writeFileAtomic(path, "old");
  await expect(
    writeFileAtomic(path, async (handle) => {
      await handle.writeFile("new");
      throw new Error("mid-way");
    }),
  ).rejects.toThrow("mid-way");
  expect(readFileSync(path, "utf8")).toBe("old");
  await writeFileAtomic(path, "new");
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(dir)).toEqual(["a.json"]);
});

describe("verifyDirectory names the file", () => {
  it.each([
    [
      "a changed byte",
      (dir: string) => writeFileSync(join(dir, "tokenizer/vocab.txt"), "b"),
      /vocab\.txt: expected the SHA-256/,
    ],
    [
      "a cut file",
      (dir: string) => truncateSync(join(dir, "model.safetensors"), 1),
      /model\.safetensors, byte 1: expected 3 bytes, got 1\. .*use an earlier one/,
    ],
    [
      "a missing file",
      (dir: string) => rmSync(join(dir, "model.safetensors")),
      /model\.safetensors: expected a file of 3 bytes, got none/,
    ],
    [
      "no manifest",
      (dir: string) => rmSync(join(dir, manifestFile)),
      /expected a complete checkpoint with cloze-manifest\.json, got none/,
    ],
    [
      "a cut manifest",
      (dir: string) => truncateSync(join(dir, manifestFile), 100),
      /cloze-manifest\.json, line \d+, column \d+/,
    ],
    [
      "a shorter list",
      (dir: string) => {
        const path = join(dir, manifestFile);
        const manifest = JSON.parse(readFileSync(path, "utf8")) as { files: unknown[] };
        manifest.files.pop();
        writeFileSync(path, JSON.stringify(manifest));
      },
      /cloze-manifest\.json, files: expected a version 1 list of files that fits its digest/,
    ],
    [
      "a second model",
      (dir: string) => writeFileSync(join(dir, "model.safetensors.index.json"), "{}"),
      /index\.json: expected no model beside/,
    ],
  ])("%s", async (_, damage, message) => {
    const dir = join(scratch(), "step-1");
    await writeDirectoryAtomic(dir, fill("one"));
    damage(dir);
    const error: unknown = await verifyDirectory(dir).catch((e: unknown) => e);
    expect(FormatError.isInstance(error)).toBe(true);
    expect(String(error)).toMatch(message);
  });
});

describe("latestComplete", () => {
  it("finds the newest whole checkpoint by number and says what is wrong with newer ones", async () => {
    const run = scratch();
    expect(await latestComplete(join(run, "not yet"))).toBeUndefined();
    expect(await latestComplete(run)).toBeUndefined();
    for (const step of [9, 10, 100]) await writeDirectoryAtomic(stepDirectory(run, step), fill(`${step}`));
    mkdirSync(join(run, "step-1000"));
    mkdirSync(join(run, "best"));
    writeFileSync(join(run, "step-100/model.safetensors"), "x");
    const latest = await latestComplete(run);
    expect(latest).toMatchObject({ step: 10, path: join(run, "step-10") });
    expect(latest?.rejected.map((e) => e.message.slice(run.length + 1, run.length + 30))).toEqual([
      "step-1000: expected a complet",
      "step-100/model.safetensors, b",
    ]);
  });

  it("does not start anew in silence when every checkpoint is damaged", async () => {
    const run = scratch();
    await writeDirectoryAtomic(join(run, "step-1"), fill("one"));
    truncateSync(join(run, "step-1/model.safetensors"), 0);
    await expect(latestComplete(run)).rejects.toThrow("expected 3 bytes, got 0");
  });
});
