// A bench of the start: the time of `npx cloze --help`, compared with an empty node process on the same machine.
//
//   node bench/startup.mjs [--runs 20]
//
// `direct` starts the file of the command; `npx` starts it through npm's npx. It prints one JSON object, with times in
// ms.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { runs: { type: "string", default: "20" } } });
const root = fileURLToPath(new URL("..", import.meta.url));

function median(command, args) {
  const times = Array.from({ length: Number(values.runs) }, () => {
    const start = performance.now();
    const { status } = spawnSync(command, args, { cwd: root, stdio: "ignore" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return { medianMs: Math.round(times[Math.floor(times.length / 2)]), minMs: Math.round(times[0]) };
}

console.log(
  JSON.stringify({
    bench: "startup",
    node: process.version,
    emptyNode: median(process.execPath, ["-e", ""]),
    direct: median(process.execPath, ["apps/cli/bin/cloze.js", "--help"]),
    npx: median("npx", ["cloze", "--help"]),
  }),
);
