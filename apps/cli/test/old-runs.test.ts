/**
 * Runs that an older version of cloze began: resumed, they log the same figures as that version did, to the last bit.
 * `tooling/golden/old-runs.mjs` made the folders and says what they hold.
 */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { afterAll, describe, expect, it } from "vitest";
import { main, type Io } from "../src/index.ts";

const home = fileURLToPath(new URL("./old-runs/", import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), "cloze-old-runs-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

async function resumed(name: string): Promise<{ readonly code: number; readonly err: string; readonly run: string }> {
  const cwd = join(temporary, name);
  cpSync(join(home, name), cwd, { recursive: true });
  let err = "";
  const io: Io = {
    stdout: { write: () => undefined },
    stderr: { write: (text) => void (err += text) },
    stdin: (async function* () {
      // Nothing is typed.
    })(),
    cwd,
    env: { HF_HUB_OFFLINE: "1", HF_HOME: "/nonexistent" },
    outputClosed: () => false,
  };
  const code = await main([name.startsWith("finetune") ? "finetune" : "pretrain", "--resume", "run"], io);
  return { code, err, run: join(cwd, "run") };
}

/** Runs whose tables and heads Muon trained, since their names say neither. Now AdamW does, and cannot go on from there. */
const TRAINED_OTHERWISE = ["amplify-muon", "neobert-muon"];

describe("a run that Muon trained wrongly", () => {
  for (const name of TRAINED_OTHERWISE)
    it(`${name} is refused, with the reason and the way out`, { timeout: 120_000 }, async () => {
      const { code, err } = await resumed(name);
      expect(code).toBe(2);
      expect(err).toMatch(/the run trained ".*weight" by muon, and this version trains it by adamw/);
      expect(err).toMatch(/Start a new run from the weights alone with --from/);
    });
});

describe("a run of an older version goes on with the same figures", () => {
  for (const name of readdirSync(home).filter((each) => !TRAINED_OTHERWISE.includes(each)))
    it(name, { timeout: 120_000 }, async () => {
      const { code, err, run } = await resumed(name);
      expect(code, err).toBe(0);
      const next = readMetrics(join(run, "metrics.jsonl")).rows.filter(({ step }) => step > 3);
      expect(next.map(withoutTime)).toEqual(JSON.parse(readFileSync(join(home, name, "next.json"), "utf8")));
    });
});
