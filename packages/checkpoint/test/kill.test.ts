// Kills a writer (SIGKILL) at random moments. The checkpoint must always exist, complete, with all files of one round.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { cleanLeftovers, latestComplete, verifyDirectory, writeDirectoryAtomic } from "../src/node.ts";
import { scratch, seeded } from "./scratch.ts";

const writer = fileURLToPath(new URL("replacing-writer.ts", import.meta.url));
const files = ["model.safetensors", "optimizer.safetensors", "trainer_state.json"];

it("kill -9 in the middle of replacing leaves a whole checkpoint", { timeout: 120_000 }, async () => {
  const run = scratch();
  const dir = join(run, "step-7");
  const size = 200_000;
  const random = seeded(11);
  let leftovers = 0;
  let aside = 0;
  for (let kill = 0; kill < 8; kill++) {
    const child = spawn(
      process.execPath,
      ["--conditions=@cloze/source", "--import", "tsx", writer, dir, String(size)],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(child.stdout, "data"); // at least one round is done
    await new Promise((resolve) => setTimeout(resolve, random.below(60)));
    child.kill("SIGKILL");
    await once(child, "exit");
    leftovers += readdirSync(run).filter((name) => name.startsWith(".tmp-")).length;
    aside += readdirSync(run).filter((name) => name.startsWith(".old-")).length;
    const latest = await latestComplete(run);
    expect(latest?.path).toBe(dir);
    expect(latest?.rejected).toEqual([]);
    expect(readdirSync(run)).toEqual(["step-7"]);
    const round = readFileSync(join(dir, "model.safetensors"))[0];
    for (const name of files) {
      const bytes = readFileSync(join(dir, name));
      expect(bytes.length).toBe(size);
      expect(bytes.every((b) => b === round)).toBe(true);
    }
  }
  console.log(`8 kills: ${leftovers} unfinished folders and ${aside} set-aside ones were cleaned up`);
});

/** The temporary names of a writer with this pid. No process has a pid this high. */
async function plant(
  run: string,
  pid: number,
): Promise<{ readonly fresh: string; readonly aside: string; readonly dir: string }> {
  const dir = join(run, "step-7");
  const seen: string[] = [];
  await writeDirectoryAtomic(dir, async (temporary) => {
    writeFileSync(join(temporary, "a"), "old");
    seen.push(temporary);
  });
  const suffix = (seen[0] ?? "").split(".tmp-")[1]?.replace(`-${process.pid}-`, `-${pid}-`) ?? "";
  return { dir, fresh: join(run, `.tmp-${suffix}`), aside: join(run, `.old-${suffix}`) };
}
const deadPid = 2 ** 31 - 2;

it("a kill between the two renames: the new checkpoint takes its place", async () => {
  const run = scratch();
  const { dir, fresh, aside } = await plant(run, deadPid);
  await writeDirectoryAtomic(join(run, "other"), async (temporary) => writeFileSync(join(temporary, "a"), "new"));
  renameSync(dir, aside);
  renameSync(join(run, "other"), fresh);
  expect((await latestComplete(run))?.step).toBe(7);
  expect(readFileSync(join(dir, "a"), "utf8")).toBe("new");
  expect(readdirSync(run)).toEqual(["step-7"]);
});

it("a kill between the two renames, the new one damaged since: the old one comes back", async () => {
  const run = scratch();
  const { dir, fresh, aside } = await plant(run, deadPid);
  renameSync(dir, aside);
  mkdirSync(fresh);
  writeFileSync(join(fresh, "a"), "half");
  expect([...(await cleanLeftovers(run))].sort()).toEqual([aside, fresh].sort());
  expect(readFileSync(join(dir, "a"), "utf8")).toBe("old");
  await verifyDirectory(dir);
});

it("touches nothing of a live writer, of another machine, of another name, or of a person", async () => {
  const run = scratch();
  const dead = await plant(run, deadPid);
  const live = await plant(run, process.pid);
  const elsewhere = dead.fresh.replace(/-[0-9a-f]{8}-(?=\d)/, "-00000000-");
  const kept = [live.fresh, live.aside, elsewhere, join(run, ".tmp-mine"), join(run, ".tmp-step-7"), join(run, "tmp")];
  for (const path of [...kept, dead.fresh]) mkdirSync(path);
  expect(await cleanLeftovers(run, "step-8")).toEqual([]);
  expect(await cleanLeftovers(run, "step-7")).toEqual([dead.fresh]);
  for (const path of kept) expect(existsSync(path), path).toBe(true);
});

// allow skip: start times of processes are read from /proc, which Linux has
it.runIf(process.platform === "linux")("a pid that now belongs to another process counts as dead", async () => {
  const run = scratch();
  const { fresh } = await plant(run, process.pid);
  const reused = fresh.replace(/-\d+-([0-9a-f]{8})$/, "-1-$1"); // the same pid, with start time 1
  mkdirSync(reused);
  expect(await cleanLeftovers(run)).toEqual([reused]);
});
