// A bench of one training step of an encoder (forward, backward, Adam) on a backend of TensorFlow.js. It compares cloze
// with the same model in handwritten TensorFlow.js with tf.train.adam. Both run in one process on one backend and have
// the same losses.
//
//   node --import tsx --conditions=@cloze/source bench/tfjs/step.mjs [--kind node|wasm|cpu] [--size large|small]
//     [--rounds 5] [--profile] [--json FILE]
//
// The two take turns, so that a busy neighbour disturbs both. Only their ratio counts. The first rounds warm up and do
// not count.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { backend } from "@cloze/backend-tfjs";
import { encoderStep, optimizer, shape } from "../step-encoder.mjs";
import { tfjsLoss } from "./model.mjs";

const { values: options } = parseArgs({
  options: {
    kind: { type: "string", default: "node" },
    size: { type: "string", default: "large" },
    rounds: { type: "string", default: "5" },
    warm: { type: "string", default: "2" },
    profile: { type: "boolean", default: false },
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
const { kind } = options;

// tf.train.adam has no weight decay.
const step = encoderStep(sizes, { weightDecay: 0 });
const ours = await backend({ kind });
const executable = await ours.compile(step.program);
const session = await ours.start(step.state);
const { default: tf } = await import("@tensorflow/tfjs");

const names = Object.keys(step.state).filter((name) => !name.startsWith("adamw."));
const variables = names.map((n) => tf.variable(tf.tensor(step.state[n].data, step.state[n].shape)));
const adam = tf.train.adam(optimizer.lr, optimizer.beta1, optimizer.beta2, optimizer.eps);
const lossOf = tfjsLoss(tf, sizes, names, { gathers: kind !== "wasm" });
async function byHand(t) {
  const { ids, targets } = step.feeds(t);
  const cost = adam.minimize(
    () =>
      tf.tidy(() =>
        lossOf(tf.tensor(ids.data, ids.shape, "int32"), tf.tensor(targets.data, targets.shape, "int32"))(...variables),
      ),
    true,
    variables,
  );
  const [loss] = await cost.data();
  cost.dispose();
  return loss;
}

const contenders = {
  ours: async (t) => (await session.run(executable, step.feeds(t))).loss.data[0],
  "by hand": byHand,
};
const rows = Object.fromEntries(Object.keys(contenders).map((name) => [name, { ms: [], losses: [], tensors: 0 }]));
for (let t = 1; t <= rounds + warm; t++) {
  for (const [name, run] of Object.entries(contenders)) {
    const began = performance.now();
    rows[name].losses.push(await run(t));
    if (t > warm) rows[name].ms.push(performance.now() - began);
  }
}
const least = (list) => Math.min(...list);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];
console.log(`tfjs:${kind}, ${options.size}: ${JSON.stringify(sizes)}; ${rounds} rounds after ${warm}`);
for (const [name, { ms }] of Object.entries(rows))
  console.log(`${name.padEnd(8)} median ${median(ms).toFixed(1)} ms, least ${least(ms).toFixed(1)} ms`);
const [a, b] = [rows.ours, rows["by hand"]];
const differ = Math.max(...a.losses.map((x, i) => Math.abs(x - b.losses[i]) / Math.abs(x)));
console.log(
  `by hand takes ${(median(b.ms) / median(a.ms)).toFixed(2)} times ours (least against least ` +
    `${(least(b.ms) / least(a.ms)).toFixed(2)}); losses ${a.losses[0].toFixed(6)} … ${a.losses.at(-1).toFixed(6)} ` +
    `differ by ${differ.toExponential(1)} at most, relatively`,
);
console.log(
  `ours: ${executable.plan.steps.reduce((n, s) => n + s.count, 0)} kernel calls: ` +
    `${executable.plan.steps.map((s) => `${s.kernel} ${s.count}`).join(", ")}`,
);
if (options.profile) {
  const found = await tf.profile(async () => {
    await session.run(executable, step.feeds(rounds + warm + 1));
  });
  const by = new Map();
  for (const { name, kernelTimeMs } of found.kernels) {
    const ms = await kernelTimeMs;
    const of = by.get(name) ?? { ms: 0, count: 0 };
    by.set(name, { ms: of.ms + (typeof ms === "number" ? ms : 0), count: of.count + 1 });
  }
  for (const [name, { ms, count }] of [...by].sort((x, y) => y[1].ms - x[1].ms).slice(0, 20))
    console.log(`${ms.toFixed(1).padStart(9)} ms in ${String(count).padStart(4)}  ${name}`);
}
if (options.json)
  writeFileSync(
    options.json,
    `${JSON.stringify(
      {
        bench: "tfjs/step",
        kind,
        size: options.size,
        sizes,
        rounds,
        rows: Object.fromEntries(
          Object.entries(rows).map(([name, { ms }]) => [name, { medianMs: median(ms), leastMs: least(ms) }]),
        ),
        ratio: { median: median(b.ms) / median(a.ms), least: least(b.ms) / least(a.ms) },
        lossDifference: differ,
      },
      null,
      2,
    )}\n`,
  );
await ours.dispose();
