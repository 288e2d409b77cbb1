// What is said of a path that is not there, and when a missing name is no name of the Hub.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectFile, isMissingPath, whatInstead } from "./missing-path.ts";

const dir = mkdtempSync(join(tmpdir(), "cloze-missing-"));
const path = (given: string): string => resolve(dir, given);

beforeAll(() => {
  mkdirSync(join(dir, "runs/mine"), { recursive: true });
  mkdirSync(join(dir, "facebook/esm2"), { recursive: true });
  for (const file of ["proteins.fasta", "a.fasta", "b.fasta.gz", ".hidden.fasta", "notes+1.txt", "runs/log.txt"])
    writeFileSync(join(dir, file), "");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("what is near", () => {
  test.each([
    ["protiens.fasta", " Did you mean proteins.fasta?"],
    ["./protiens.fasta", " Did you mean ./proteins.fasta?"],
    ["../nothing/like/this", " There is no folder ../nothing/like. Check the path."],
    ["runs/mien", " Did you mean runs/mine?"],
    ["rums/mine", " Did you mean runs/mine?"],
    ["runs/quite-another", " Check the path."],
    ["elsewhere/x.fasta", " There is no folder elsewhere. Check the path."],
    ["unlike", " Check the path."],
    ["~/proteins.fasta", " The shell left ~ as it is: write the whole path."],
    ["C:\\data\\x.fasta", " Check the path."],
    [`${dir}/protein.fasta`, ` Did you mean ${dir}/proteins.fasta?`],
  ])("%s", async (given, said) => {
    expect(await whatInstead(given, path)).toBe(said);
  });
});

describe("a pattern that the shell left alone", () => {
  // What a POSIX shell makes of these: sh -c 'echo PATTERN' in this folder.
  test.each([
    ["*.fasta", "2 files match it here, such as a.fasta"],
    ["?.fasta", "1 file matches it here, such as a.fasta"],
    ["[ab].fasta*", "2 files match it here, such as a.fasta"],
    ["[!a].fasta*", "1 file matches it here, such as b.fasta.gz"],
    ["{a,b}.fasta", "1 file matches it here, such as a.fasta"],
    ["notes+*.txt", "1 file matches it here, such as notes+1.txt"],
    ["runs/*.txt", "1 file matches it here, such as runs/log.txt"],
    ["*.faa", "nothing here matches it"],
    ["nowhere/*", "nothing here matches it"],
    ["[z-a]*", "nothing here matches it"],
  ])("%s", async (given, said) => {
    expect(await whatInstead(given, path)).toBe(
      ` The shell left this pattern as it is, and ${said}. Leave out its quotes, or name the files.`,
    );
  });
});

test("a file that must be there", async () => {
  await expectFile("-", path, "--data");
  await expectFile("a.fasta", path, "--data");
  await expect(expectFile("a.fsta", path, "--data")).rejects.toThrow(
    "--data a.fsta: expected a file, found nothing there. Did you mean a.fasta?",
  );
});

test("a missing owner/name whose owner is a folder, or nearly one, is a path", async () => {
  const missing = ["runs/quite-another", "rums/mine", "facebook/other"];
  for (const given of missing) expect(await isMissingPath(given, path), given).toBe(true);
  for (const given of ["google/bert", "rums/quite-another", "bert-base-uncased", "runz"])
    expect(await isMissingPath(given, path), given).toBe(false);
});
