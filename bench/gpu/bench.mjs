// A bench of the WebGPU backend on this machine's GPU: correctness and speed. See README.md in this folder.
//
//   node bench.mjs --out FILE.json [--quick] [--modes f32,f16,matrix] [--parts check,matmul,attention,step]
//                  [--steps NAME,NAME] [--rounds 10] [--tune] [--conformance] [--profile] [--robust] [--adapter NAME]
//
// All results are written to FILE after each part, so that a crash loses no earlier results.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { backend as webgpu } from "@cloze/backend-webgpu";
import { isNotHere, openDevice } from "@cloze/backend-webgpu/internal";
import { timeAttention } from "./attention.mjs";
import { checkConformance, checkTraining } from "./check.mjs";
import { timeMatmuls } from "./matmuls.mjs";
import { missing, modes } from "./modes.mjs";
import { lineOf } from "./report.mjs";
import { profileTraining, timeTraining, workloads } from "./training.mjs";

const { values: options } = parseArgs({
  options: {
    out: { type: "string" },
    quick: { type: "boolean", default: false },
    modes: { type: "string", default: "f32,f16,matrix" },
    parts: { type: "string", default: "check,matmul,attention,step" },
    steps: { type: "string" },
    rounds: { type: "string" },
    conformance: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    tune: { type: "boolean", default: false },
    robust: { type: "boolean", default: false },
    adapter: { type: "string" },
  },
});
const { quick } = options;
const parts = options.parts.split(",");
const rounds = Number(options.rounds ?? (quick ? 2 : 10));
const steps = options.steps?.split(",") ?? Object.keys(workloads).filter((name) => name.startsWith("tiny") === quick);
for (const [what, asked, known] of [
  ["--modes", options.modes.split(","), Object.keys(modes)],
  ["--parts", parts, ["check", "matmul", "attention", "step"]],
  ["--steps", steps, Object.keys(workloads)],
]) {
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`bench: ${what}: expected some of ${known.join(", ")}, got ${unknown}`);
}

const rows = [];
const report = {
  bench: "gpu",
  engine: "cloze",
  commit: COMMIT,
  date: new Date().toISOString(),
  runtime: `node ${process.version}`,
  device: undefined,
  driver: driver(),
  quick,
  options,
  rows,
};
const save = () => {
  if (options.out) writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
};
const log = (row) => console.log(lineOf(row));

for (const mode of options.modes.split(",")) {
  const { compute, device, expect } = modes[mode];
  const how = { ...device, robustness: options.robust, ...(options.adapter && { adapterName: options.adapter }) };
  const opened = await openDevice(how);
  if (isNotHere(opened)) throw new Error(`${opened.reason}. ${opened.remedy}`);
  report.device ??= opened.profile.device;
  const why = missing(mode, opened.profile);
  console.log(
    `\n${mode}: ${opened.profile.device}; ${Object.entries(opened.notes)
      .map(([name, note]) => `${name}: ${note}`)
      .join("; ")}`,
  );
  if (why !== undefined) {
    rows.push({ kind: "mode", name: mode, mode, ok: true, skipped: why });
    console.log(`left out: ${why}`);
    opened.close();
    continue;
  }
  const tuning = options.tune ? { tune: true, tuneMs: 60_000 } : {};
  const engine = await webgpu({ ...how, ...tuning, device: opened.device });
  const context = { backend: engine, opened, mode, compute, expect, quick, log, rounds };
  if (parts.includes("check"))
    rows.push(
      ...(await checkTraining(context)),
      ...(options.conformance && mode !== "matrix" ? await checkConformance(context) : []),
    );
  save();
  if (parts.includes("matmul")) rows.push(...(await timeMatmuls(context)));
  save();
  if (parts.includes("attention")) rows.push(...(await timeAttention(context)));
  save();
  if (parts.includes("step")) rows.push(...(await timeTraining({ ...context, names: steps })));
  save();
  if (parts.includes("step") && (options.profile || quick)) {
    // A separate backend, because timed kernels run one by one, each in its own pass.
    const timed = await webgpu({ ...how, ...tuning, timestamps: true });
    rows.push(...(await profileTraining({ ...context, backend: timed, names: steps })));
    await timed.dispose();
    save();
  }
  await engine.dispose();
  opened.close();
}
const failed = rows.filter(({ ok }) => ok === false);
console.log(`\n${rows.length} rows, ${failed.length} failed${options.out ? `; written to ${options.out}` : ""}`);
process.exit(failed.length === 0 ? 0 : 1);

/** The answer of nvidia-smi, where it is installed. */
function driver() {
  const { status, stdout } = spawnSync(
    "nvidia-smi",
    ["--query-gpu=name,driver_version,clocks.max.sm,power.limit", "--format=csv,noheader"],
    { encoding: "utf8" },
  );
  return status === 0 ? stdout.trim() : "no nvidia-smi";
}
