// A bench of one training step of an encoder (forward, backward, AdamW; see ../step-encoder.mjs) on WebGPU. It compares
// cloze (`ours`), @jax-js/jax and @tensorflow/tfjs, all three on one GPUDevice of Dawn and with the same losses.
//
//   node --import tsx --conditions=@cloze/source bench/webgpu/step.mjs [--size large|small] [--rounds 5]
//     [--only ours,jax,tfjs] [--json FILE]
//
// large: 4 layers x 256, batch 8 x 128, vocabulary 33 (21 GFLOP). small: 2 layers x 128, batch 4 x 128. The three take
// turns, so that a busy neighbour disturbs all of them. Only the ratios of one run count. The first rounds compile and
// warm up and do not count. On a machine with several adapters choose one with VK_DRIVER_FILES.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { backend } from "@cloze/backend-webgpu";
import { encoderStep, shape } from "../step-encoder.mjs";
import { jaxStep } from "../step-jax.mjs";
import { sharedDevice } from "./shared-device.mjs";
import { tfjsStep } from "./step-tfjs.mjs";

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "large" },
    rounds: { type: "string", default: "5" },
    warm: { type: "string", default: "2" },
    only: { type: "string", default: "ours,jax,tfjs" },
    json: { type: "string" },
  },
});
const sizes = {
  large: shape,
  small: { layers: 2, hidden: 128, heads: 2, intermediate: 512, batch: 4, seq: 128, vocab: 33 },
}[options.size];
if (sizes === undefined) throw new Error(`bench: --size: expected large or small, got ${options.size}`);
const rounds = Number(options.rounds);
const warm = Number(options.warm);
const chosen = options.only.split(",");

const { device, counts, describe } = await sharedDevice();
const step = encoderStep(sizes);
const makers = {
  ours: async () => {
    const gpu = await backend({ device, sliceMs: Infinity });
    const executable = await gpu.compile(step.program);
    const session = await gpu.start(step.state);
    plan = executable.plan;
    return async (t) => (await session.run(executable, step.feeds(t))).loss.data[0];
  },
  jax: () => jaxStep("webgpu", sizes, step.state, step.feeds),
  tfjs: () => tfjsStep(device, sizes, step.state, step.feeds),
};
let plan;
const rows = {};
for (const name of chosen) {
  if (!(name in makers))
    throw new Error(`bench: --only: expected some of ${Object.keys(makers).join(",")}, got ${name}`);
  counts.owner = name;
  const began = performance.now();
  const run = await makers[name]();
  rows[name] = { run, setupMs: performance.now() - began, firstMs: 0, times: [], losses: [] };
}
for (let t = 1; t <= rounds + warm; t++) {
  for (const [name, row] of Object.entries(rows)) {
    counts.owner = name;
    const account = counts.of(name);
    const { dispatches, submits } = account;
    const began = performance.now();
    const loss = await row.run(t);
    const ms = performance.now() - began;
    if (t === 1) row.firstMs = ms;
    if (t > warm) row.times.push(ms);
    row.losses.push(loss);
    Object.assign(row, { dispatches: account.dispatches - dispatches, submits: account.submits - submits });
  }
}

const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * q)];
const MiB = (bytes) => Number((bytes / 2 ** 20).toFixed(1));
const table = Object.entries(rows).map(([name, { setupMs, firstMs, times, losses, dispatches, submits }]) => ({
  name,
  medianMs: quantile(times, 0.5),
  minMs: Math.min(...times),
  setupMs,
  firstMs,
  dispatches,
  submits,
  pipelines: counts.of(name).pipelines,
  peakMiB: MiB(counts.of(name).peakBytes),
  losses,
}));
console.log(`${describe}; ${options.size}: ${JSON.stringify(sizes)}; ${rounds} rounds after ${warm}`);
for (const r of table) {
  console.log(
    `${r.name.padEnd(5)} median ${r.medianMs.toFixed(1)} ms, least ${r.minMs.toFixed(1)} ms; set up ` +
      `${r.setupMs.toFixed(0)} ms, first step ${r.firstMs.toFixed(0)} ms; ${r.dispatches} dispatches in ` +
      `${r.submits} submits, ${r.pipelines} pipelines, ${r.peakMiB} MiB of buffers at most`,
  );
}
if (plan !== undefined)
  console.log(
    `ours: ${plan.steps.reduce((n, s) => n + s.count, 0)} kernels in the plan, peak ${MiB(plan.peakBytes ?? 0)} ` +
      `MiB, state ${MiB(plan.stateBytes)} MiB`,
  );
const [first, ...others] = table;
const worst = (a, b) => Math.max(...a.losses.map((loss, i) => Math.abs(loss - b.losses[i]) / Math.abs(b.losses[i])));
const differences = Object.fromEntries(others.map((other) => [other.name, worst(first, other)]));
for (const other of others) {
  console.log(
    `${other.name} takes ${(other.medianMs / first.medianMs).toFixed(2)} times ${first.name} (least against ` +
      `least ${(other.minMs / first.minMs).toFixed(2)}); losses ${first.losses[0].toFixed(6)} … ` +
      `${first.losses.at(-1).toFixed(6)} differ by ${differences[other.name].toExponential(1)} at most, relatively`,
  );
}
if (options.json) {
  writeFileSync(
    options.json,
    `${JSON.stringify(
      {
        bench: "webgpu/step",
        device: describe,
        node: process.version,
        date: new Date().toISOString(),
        size: options.size,
        sizes,
        rounds,
        rows: table,
        differences,
      },
      null,
      2,
    )}\n`,
  );
}
const off = Object.entries(differences).filter(([, d]) => !(d <= 1e-4));
if (off.length > 0)
  throw new Error(`bench: losses differ by more than 1e-4: ${off.map(([name, d]) => `${name} ${d}`).join(", ")}`);
process.exit(0); // engines keep handles open
