// A bench of a training run's resident memory, step by step, which shows whether the memory grows.
//
//   node bench/train-memory.mjs [--steps 1000] [--model apps/cli/sample/esm2-quickstart.json]
//
// It trains on the bundled sample in a separate process and samples the resident size of this process (Linux: /proc).
// It needs the built packages: npm run setup. It prints one JSON object: RSS in MB at every tenth of the run, and the
// growth over its second half.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "1000" },
    model: { type: "string", default: join(root, "apps/cli/sample/esm2-quickstart.json") },
  },
});
const steps = Number(values.steps);
const dir = mkdtempSync(join(tmpdir(), "cloze-memory-"));
const run = join(dir, "run");
const child = spawn(
  process.execPath,
  [
    join(root, "apps/cli/bin/cloze.js"),
    "pretrain",
    "--model",
    values.model,
    "--data",
    join(root, "apps/cli/sample/uniprot-sample.fasta.gz"),
    "--steps",
    String(steps),
    "--batch-tokens",
    "2048",
    "--max-length",
    "256",
    "--lr",
    "0.002",
    "--eval-every",
    "100",
    "--save-every",
    "100",
    "--out",
    run,
    "--json",
  ],
  { stdio: ["ignore", "ignore", "inherit"] },
);

const samples = [];
const timer = setInterval(() => {
  const file = join(run, "metrics.jsonl");
  if (!existsSync(file) || child.exitCode !== null) return;
  const step =
    JSON.parse(
      readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .findLast((line) => line.endsWith("}")) ?? "{}",
    ).step ?? 0;
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
  samples.push({ step, rss });
}, 200);
child.on("close", (code) => {
  clearInterval(timer);
  rmSync(dir, { recursive: true, force: true });
  const near = (step) =>
    Math.round(samples.reduce((best, s) => (Math.abs(s.step - step) < Math.abs(best.step - step) ? s : best)).rss);
  const mean = (from, to) => {
    const part = samples.filter((s) => s.step >= from && s.step < to);
    return part.reduce((n, s) => n + s.rss, 0) / part.length;
  };
  console.log(
    JSON.stringify({
      bench: "train-memory",
      node: process.version,
      steps,
      code,
      rssMB: Object.fromEntries(
        Array.from({ length: 10 }, (_, i) => [((i + 1) * steps) / 10, near(((i + 1) * steps) / 10)]),
      ),
      secondHalfMB: Number((mean(steps * 0.75, steps + 1) - mean(steps * 0.5, steps * 0.75)).toFixed(1)),
    }),
  );
  process.exitCode = code ?? 1;
});
