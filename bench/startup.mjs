// A bench of the start: the time of `npx cloze --help`, beside an empty node process on the same machine. And the
// time of a training of one step: most of it is the choice and the start of a backend and the reading of the sample.
//
//   node bench/startup.mjs [--runs 20]
//
// `direct` starts the file of the command; `npx` starts it through npm's npx; `train` is `quickstart --steps 1`. It
// prints one JSON object, with times in ms.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { runs: { type: "string", default: "20" } } });
const root = fileURLToPath(new URL("..", import.meta.url));

/** `argsOf(i)` are the arguments of the run i. */
function median(command, argsOf) {
  const times = Array.from({ length: Number(values.runs) }, (_, i) => {
    const args = argsOf(i);
    const start = performance.now();
    const { status } = spawnSync(command, args, { cwd: root, stdio: "ignore" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return { medianMs: Math.round(times[Math.floor(times.length / 2)]), minMs: Math.round(times[0]) };
}

const temp = mkdtempSync(join(tmpdir(), "cloze-startup-"));
process.on("exit", () => rmSync(temp, { recursive: true, force: true }));
const step = ["apps/cli/bin/cloze.js", "quickstart", "--steps", "1", "--out"];

console.log(
  JSON.stringify({
    bench: "startup",
    node: process.version,
    emptyNode: median(process.execPath, () => ["-e", ""]),
    direct: median(process.execPath, () => ["apps/cli/bin/cloze.js", "--help"]),
    npx: median("npx", () => ["cloze", "--help"]),
    train: median(process.execPath, (i) => [...step, join(temp, String(i))]),
  }),
);
