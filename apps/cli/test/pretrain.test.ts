/**
 * `cloze pretrain` as a user runs it, in a process of its own: interrupted, killed, resumed, evaluated. Also bad input.
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetrics, withoutTime } from "@cloze/trainer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../src/index.ts";
import { folder, tinyConfig } from "./corpus.ts";

let dir: string;
beforeAll(() => {
  dir = folder();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const entry = fileURLToPath(new URL("./start.mjs", import.meta.url));
const tsx = import.meta.resolve("tsx");

interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line. `watch` sends its signal to the process when `file` has at least `rows` lines. */
function cloze(
  args: readonly string[],
  watch?: { readonly file: string; readonly rows: number; readonly signal: NodeJS.Signals },
): Promise<Finished> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ["--import", tsx, "--conditions=@cloze/source", entry, ...args], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let sent = false;
    child.stdout.on("data", (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    const timer =
      watch &&
      setInterval(() => {
        const lines = existsSync(watch.file) ? readFileSync(watch.file, "utf8").split("\n").length - 1 : 0;
        if (!sent && lines >= watch.rows) {
          sent = true;
          child.kill(watch.signal);
        }
      }, 5);
    child.on("close", (code, signal) => {
      clearInterval(timer);
      done({ code, signal, stdout, stderr });
    });
  });
}

const settings = [
  "--model",
  "tiny.json",
  "--data",
  "data.fasta",
  "--steps",
  "40",
  "--batch-tokens",
  "256",
  "--max-length",
  "64",
  "--lr",
  "0.005",
  "--eval-every",
  "10",
  "--save-every",
  "6",
  "--threads",
  "1",
];
const pretrain = (out: string, ...more: string[]): string[] => ["pretrain", ...settings, "--out", out, ...more];
const rows = (run: string): string[] => readMetrics(join(dir, run, "metrics.jsonl")).rows.map(withoutTime);
const lastLine = (text: string): Record<string, unknown> =>
  JSON.parse(text.trimEnd().split("\n").at(-1) as string) as Record<string, unknown>;

describe("cloze pretrain", () => {
  beforeAll(async () => {
    const { code, stdout, stderr } = await cloze(pretrain("straight", "--json"));
    expect(stderr).not.toMatch(/Error/);
    expect(code).toBe(0);
    const said = lastLine(stdout);
    expect(Object.keys(said)).toEqual(
      expect.arrayContaining([
        "steps",
        "tokens",
        "trainLoss",
        "evalLoss",
        "perplexity",
        "accuracy",
        "tokensPerSecond",
        "stepMs",
        "parameters",
        "peakBytes",
        "checkpoint",
      ]),
    );
    expect(said["steps"]).toBe(40);
    expect(said["evalLoss"]).toBeLessThan(Math.log(33) - 0.3);
    expect(Math.exp(said["evalLoss"] as number)).toBeCloseTo(said["perplexity"] as number, 6);
  });

  it("starts at ln(33), learns, and leaves a whole run folder", () => {
    const first = readMetrics(join(dir, "straight", "metrics.jsonl")).rows[0];
    expect(first?.loss).toBeCloseTo(Math.log(33), 4);
    expect(readdirSync(join(dir, "straight")).sort()).toEqual([
      "checkpoints",
      "config.yaml",
      "inputs.json",
      "metrics.jsonl",
      "report.html",
      "tensorboard",
    ]);
    expect(readdirSync(join(dir, "straight", "tensorboard"))[0]).toMatch(/^events\.out\.tfevents\./);
    expect(readdirSync(join(dir, "straight", "checkpoints")).sort()).toEqual(["step-30", "step-36", "step-40"]);
    expect(readFileSync(join(dir, "straight", "report.html"), "utf8")).toMatch(/<svg/);
  });

  it("repeats itself: the same command gives the same numbers", async () => {
    await cloze(pretrain("again"));
    expect(rows("again")).toEqual(rows("straight"));
  });

  it.each([[4], [15], [27]])("killed after %i lines and resumed, metrics are equal bit for bit", async (lines) => {
    const run = `killed-${lines}`;
    const killed = await cloze(pretrain(run), {
      file: join(dir, run, "metrics.jsonl"),
      rows: lines,
      signal: "SIGKILL",
    });
    expect(killed.signal).toBe("SIGKILL");
    const resumed = await cloze(["pretrain", "--resume", run, "--json"]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(rows(run)).toEqual(rows("straight"));
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "%s finishes the step, saves, says how to go on; the rest is as if nothing had happened",
    async (signal, exit) => {
      const run = `stopped-${signal}`;
      const stopped = await cloze(pretrain(run), { file: join(dir, run, "metrics.jsonl"), rows: 9, signal });
      expect(stopped.code).toBe(exit);
      expect(stopped.stdout).toMatch(new RegExp(`Go on with: cloze pretrain --resume ${run}`));
      expect((await cloze(["pretrain", "--resume", run])).code).toBe(0);
      expect(rows(run)).toEqual(rows("straight"));
    },
  );

  it("--precision f16 finds its loss scale and learns; killed and resumed, metrics are equal bit for bit", async () => {
    const straight = await cloze(pretrain("half", "--precision", "f16"));
    expect(straight.code, straight.stderr).toBe(0);
    expect(straight.stderr).toContain("contractions in f16");
    expect(readFileSync(join(dir, "half", "config.yaml"), "utf8")).toMatch(/^precision: f16$/m);
    const train = readMetrics(join(dir, "half", "metrics.jsonl")).rows.filter((row) => row.type === "train");
    const kept = train.filter((row) => row["skipped"] !== true);
    expect(train[0]).toMatchObject({ lossScale: 65_536, skipped: true });
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.at(-1)?.loss).toBeLessThan(Math.log(33) - 0.3);
    const killed = await cloze(pretrain("half-killed", "--precision", "f16"), {
      file: join(dir, "half-killed", "metrics.jsonl"),
      rows: 16,
      signal: "SIGKILL",
    });
    expect(killed.signal).toBe("SIGKILL");
    expect((await cloze(["pretrain", "--resume", "half-killed"])).code).toBe(0);
    expect(rows("half-killed")).toEqual(rows("half"));
  });

  it("--optimizer muon trains matrices by it and the rest by AdamW; killed and resumed, metrics are equal bit for bit", async () => {
    const muon = settings.filter((word, i) => word !== "--lr" && settings[i - 1] !== "--lr");
    const straight = await cloze(["pretrain", ...muon, "--optimizer", "muon", "--adam-lr", "0.005", "--out", "muon"]);
    expect(straight.code, straight.stderr).toBe(0);
    expect(readFileSync(join(dir, "muon", "config.yaml"), "utf8")).toMatch(/^lr: 0.02$/m);
    expect(
      readMetrics(join(dir, "muon", "metrics.jsonl")).rows.findLast((row) => row.type === "eval")?.loss,
    ).toBeLessThan(Math.log(33) - 0.3);
    const killed = await cloze(
      ["pretrain", ...muon, "--optimizer", "muon", "--adam-lr", "0.005", "--out", "muon-killed"],
      { file: join(dir, "muon-killed", "metrics.jsonl"), rows: 16, signal: "SIGKILL" },
    );
    expect(killed.signal).toBe("SIGKILL");
    expect((await cloze(["pretrain", "--resume", "muon-killed"])).code).toBe(0);
    expect(rows("muon-killed")).toEqual(rows("muon"));
  });

  it("--rematerialise changes no number, and a resumed run may begin or end with it", async () => {
    const { code, stderr } = await cloze(pretrain("rematerialised", "--rematerialise"));
    expect(code, stderr).toBe(0);
    expect(rows("rematerialised")).toEqual(rows("straight"));
    expect(readFileSync(join(dir, "rematerialised", "config.yaml"), "utf8")).toMatch(/^rematerialise: true$/m);
    for (const step of ["step-36", "step-40"])
      rmSync(join(dir, "rematerialised", "checkpoints", step), { recursive: true });
    expect((await cloze(["pretrain", "--resume", "rematerialised", "--no-rematerialise"])).code).toBe(0);
    expect(rows("rematerialised")).toEqual(rows("straight"));
  });

  it("passes over a damaged newest checkpoint", async () => {
    cpSync(join(dir, "straight"), join(dir, "damaged"), { recursive: true });
    truncateSync(join(dir, "damaged", "checkpoints", "step-40", "model.safetensors"), 100);
    const { code, stderr } = await cloze(["pretrain", "--resume", "damaged"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/resuming damaged after step 36/);
    expect(rows("damaged")).toEqual(rows("straight"));
  });

  it("evaluates what it trained: the same loss on the same part", async () => {
    const { code, stdout, stderr } = await cloze([
      "evaluate",
      "--checkpoint",
      "straight",
      "--data",
      "data.fasta",
      "--split",
      "valid",
      "--max-length",
      "64",
      "--threads",
      "1",
      "--json",
    ]);
    expect(code, stderr).toBe(0);
    const last = readMetrics(join(dir, "straight", "metrics.jsonl")).rows.at(-1);
    expect(lastLine(stdout)["loss"]).toBeCloseTo(last?.loss as number, 6);
    expect(lastLine(stdout)["accuracy"]).toBe(last?.["accuracy"]);
  });

  it("a time budget ends the run, and a longer one takes it up again", async () => {
    const begun = await cloze([
      "pretrain",
      ...settings.filter((word) => word !== "--steps" && word !== "40"),
      "--budget",
      "3s",
      "--out",
      "timed",
      "--json",
    ]);
    expect(begun.code, begun.stderr).toBe(0);
    expect(lastLine(begun.stdout)["seconds"]).toBeGreaterThanOrEqual(3);
    expect(readFileSync(join(dir, "timed", "config.yaml"), "utf8")).toMatch(/^budget: 3s$/m);
    const more = await cloze(["pretrain", "--resume", "timed", "--budget", "6s", "--json"]);
    expect(more.code, more.stderr).toBe(0);
    expect(lastLine(more.stdout)["steps"]).toBeGreaterThan(lastLine(begun.stdout)["steps"] as number);
  });

  it.each([
    ["8192", 4, 32],
    ["448", 1, 7],
    ["6208", 4, 24],
  ])("computes %s tokens in %i equal parts of %i rows, and writes it down", async (tokens, parts, rows) => {
    const out = `parts-${tokens}`;
    const { code, stderr } = await cloze([
      "pretrain",
      "--model",
      "tiny.json",
      "--data",
      "data.fasta",
      "--steps",
      "1",
      "--batch-tokens",
      tokens,
      "--max-length",
      "64",
      "--valid",
      "0",
      "--out",
      out,
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`${parts * rows} rows of 64 tokens a step, `);
    // The share of filled positions is printed before the run, and in the report.
    const filled = Number(/tokens a step, ([\d.]+) % filled/.exec(stderr)?.[1]);
    expect(filled).toBeGreaterThan(70);
    expect(filled).toBeLessThanOrEqual(100);
    expect(readFileSync(join(dir, out, "report.html"), "utf8")).toMatch(
      new RegExp(`rows filled.{0,40}${filled.toFixed(1)} %`, "s"),
    );
    expect(readFileSync(join(dir, out, "config.yaml"), "utf8")).toMatch(new RegExp(`^accumulate: ${parts}$`, "m"));
  });

  it("trains on prepared shards as on the FASTA file they were made of", async () => {
    const prepared = await cloze([
      "data",
      "prepare",
      "data.fasta",
      "--out",
      "shards",
      "--name",
      "tokens",
      "--valid",
      "0.05",
    ]);
    expect(prepared.code, prepared.stderr).toBe(0);
    const run = await cloze([
      "pretrain",
      ...settings.map((word) => (word === "data.fasta" ? "shards/tokens.json" : word)),
      "--out",
      "sharded",
    ]);
    expect(run.code, run.stderr).toBe(0);
    expect(rows("sharded")).toEqual(rows("straight"));
  });

  it("--plan says what a step does and what it takes, and writes nothing", async () => {
    const { code, stdout, stderr } = await cloze(pretrain("planned", "--plan", "--json"));
    expect(code, stderr).toBe(0);
    const { plans } = JSON.parse(stdout.trim().split("\n").at(-1) as string) as {
      readonly plans: readonly {
        readonly program: string;
        readonly plan: { readonly steps: readonly { readonly count: number }[]; readonly stateBytes: number };
      }[];
    };
    expect(plans.map(({ program }) => program)).toEqual(["step"]);
    expect(plans[0]?.plan.steps.length).toBeGreaterThan(0);
    expect(existsSync(join(dir, "planned"))).toBe(false);
  });

  it("starts from a checkpoint's weights, and reads options from a file that flags beat", async () => {
    writeFileSync(
      join(dir, "recipe.yaml"),
      "model: tiny.json\ndata: [data.fasta]\nsteps: 500\nbatch-tokens: 256\nmaxLength: 64\nlr: 0.001\nthreads: 1\n",
    );
    const { code, stderr } = await cloze([
      "pretrain",
      "--config",
      "recipe.yaml",
      "--steps",
      "2",
      "--warmup",
      "0",
      "--from",
      "straight/checkpoints/step-40",
      "--out",
      "from",
    ]);
    expect(code, stderr).toBe(0);
    const [first] = readMetrics(join(dir, "from", "metrics.jsonl")).rows;
    expect(first?.loss).toBeLessThan(3.2);
    // With --from alone the run takes the checkpoint's model, also when it is resumed after a kill that left no
    // checkpoint.
    const own = await cloze([
      "pretrain",
      "--data",
      "data.fasta",
      "--steps",
      "2",
      "--batch-tokens",
      "256",
      "--max-length",
      "64",
      "--from",
      "straight",
      "--out",
      "own",
      "--threads",
      "1",
    ]);
    expect(own.code, own.stderr).toBe(0);
    expect(readFileSync(join(dir, "own", "config.yaml"), "utf8")).not.toMatch(/^model:/m);
    const before = rows("own");
    rmSync(join(dir, "own", "checkpoints"), { recursive: true });
    expect((await cloze(["pretrain", "--resume", "own"])).code).toBe(0);
    expect(rows("own")).toEqual(before);
    expect(readFileSync(join(dir, "from", "config.yaml"), "utf8")).toMatch(/^steps: 2$/m);
  });

  it.each([
    ["no data", ["pretrain", "--model", "tiny.json", "--steps", "2"], /--data is required/],
    [
      "a file that is not there",
      ["pretrain", "--model", "tiny.json", "--data", "no.fasta"],
      /--data no\.fasta: expected a FASTA file.* got nothing there/,
    ],
    [
      "a file that is no FASTA",
      ["pretrain", "--model", "tiny.json", "--data", "tiny.json.txt", "--format", "fasta"],
      /tiny\.json\.txt, line 1: /,
    ],
    [
      "a model of a near name",
      ["pretrain", "--model", "esm2-8", "--data", "data.fasta"],
      /--model esm2-8: expected .*esm2-8m.*Did you mean/,
    ],
    [
      "an unknown key of a config file",
      ["pretrain", "--config", "typo.yaml"],
      /typo\.yaml, line 2: unknown key "batch-token"\. Did you mean .?batch-tokens/,
    ],
    [
      "two ends",
      ["pretrain", "--model", "tiny.json", "--data", "data.fasta", "--steps", "2", "--epochs", "1"],
      /expected one of --steps, --epochs, --tokens and --budget/,
    ],
    [
      "rows that do not fit",
      ["pretrain", "--model", "tiny.json", "--data", "data.fasta", "--batch-tokens", "32", "--max-length", "64"],
      /less than one row/,
    ],
    [
      "a run in the way",
      ["pretrain", ...settings, "--out", "straight"],
      /expected a folder without a run, got one\. Continue it with --resume/,
    ],
    [
      "another seed on resume",
      ["pretrain", "--resume", "straight", "--seed", "4"],
      /the run was made with --seed 0, this says 4/,
    ],
    [
      "another precision on resume",
      ["pretrain", "--resume", "straight", "--precision", "bf16"],
      /the run was made with --precision f32, this says bf16/,
    ],
    [
      "objective options that are no JSON",
      ["pretrain", ...settings, "--objective-options", "rate=1"],
      /--objective-options: expected a JSON object/,
    ],
    [
      "an objective that is not there",
      ["pretrain", ...settings, "--objective", "mln"],
      /--objective mln: .*Did you mean mlm/,
    ],
    ["a file where the run folder should be", ["pretrain", ...settings, "--out", "data.fasta"], /data\.fasta/],
    [
      "a checkpoint of another model",
      [
        "pretrain",
        "--model",
        "wide.json",
        "--data",
        "data.fasta",
        "--steps",
        "1",
        "--batch-tokens",
        "64",
        "--max-length",
        "64",
        "--from",
        "straight/checkpoints/step-40",
        "--out",
        "wide",
      ],
      /tensor "esm\..*": expected \[.*\] for --model wide\.json, got \[.*Leave --model out/,
    ],
  ] as const)("%s: one clear line, exit 2", async (_, args, message) => {
    writeFileSync(join(dir, "tiny.json.txt"), JSON.stringify(tinyConfig));
    writeFileSync(join(dir, "wide.json"), JSON.stringify({ ...tinyConfig, hidden_size: 24 }));
    writeFileSync(join(dir, "typo.yaml"), "model: tiny.json\nbatch-token: 256\n");
    let stderr = "";
    const stream = {
      write: (text: string): void => {
        stderr += text;
      },
    };
    const code = await main(args, {
      stdout: stream,
      stderr: stream,
      stdin: (async function* () {})(),
      cwd: dir,
      env: {},
      outputClosed: () => false,
    });
    const complaints = stderr
      .trimEnd()
      .split("\n")
      .filter((line) => line.startsWith("cloze: "));
    expect(complaints.length, stderr).toBe(1);
    expect(complaints[0]).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(2);
  });

  it("leaves older checkpoints untouched when the disk is full", async () => {
    // A checkpoint that cannot be written: a file is in its place.
    cpSync(join(dir, "straight"), join(dir, "full"), { recursive: true });
    for (const step of ["step-36", "step-40"]) rmSync(join(dir, "full", "checkpoints", step), { recursive: true });
    mkdirSync(join(dir, "full", "checkpoints"), { recursive: true });
    writeFileSync(join(dir, "full", "checkpoints", "step-36"), "in the way");
    const before = readFileSync(join(dir, "full", "checkpoints", "step-30", "model.safetensors"));
    const { code, stderr } = await cloze(["pretrain", "--resume", "full"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/step-36/);
    expect(readFileSync(join(dir, "full", "checkpoints", "step-30", "model.safetensors")).equals(before)).toBe(true);
  });
});
