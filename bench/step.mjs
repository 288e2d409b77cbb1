// A bench of one training step of an encoder (forward, backward, AdamW; see step-encoder.mjs) on the CPU backend,
// compared with:
//   1. its products alone: the same matrix products as plain ONNX MatMul nodes, which is the best that the engine can
//      do, and as Gemm nodes with the transposes of the step;
//   2. the same step, with the same losses, in @jax-js/jax on wasm, jitted.
//
//   taskset -c 0 node --import tsx --conditions=@cloze/source bench/step.mjs [--rounds 30] [--threads 1] [--no-jax]
//     [--rope] [--profile PREFIX]
//
// The contenders take turns, so that a busy neighbour disturbs all of them. Only the ratios of one run count. There are
// times of the wall clock and of the processor (all threads); on a shared machine read the second.
import { parseArgs } from "node:util";
import { backend } from "@cloze/backend-onnxruntime";
import { encoderStep, shape } from "./step-encoder.mjs";
import { productsOf } from "./step-gemms.mjs";
import { jaxStep } from "./step-jax.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "30" },
    threads: { type: "string", default: "1" },
    "no-jax": { type: "boolean", default: false },
    rope: { type: "boolean", default: false },
    profile: { type: "string" },
  },
});
const rounds = Number(options.rounds);
const threads = Number(options.threads);
const withJax = !options["no-jax"] && !options.rope;

const step = encoderStep(shape, { rope: options.rope });
const products = productsOf(step.program);
const gemms = productsOf(step.program, { transposed: true });
const cpu = backend({ threads, ...(options.profile && { profile: options.profile }) });
const began = performance.now();
const executable = await cpu.compile(step.program);
const compiledMs = performance.now() - began;
const session = await cpu.start(step.state);
const alone = await cpu.compile(products.program);
const aloneSession = await cpu.start(products.state);
const transposed = await cpu.compile(gemms.program);
const transposedSession = await cpu.start(gemms.state);
const jax = withJax ? await jaxStep("wasm", shape, step.state, step.feeds) : undefined;

const contenders = {
  step: async (t) => (await session.run(executable, step.feeds(t))).loss.data[0],
  products: async () => void (await aloneSession.run(alone, {})),
  gemms: async () => void (await transposedSession.run(transposed, {})),
  ...(jax && { jax }),
};
const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, { wall: [], cpu: [], losses: [] }]));
// The first two rounds warm up.
for (let t = 1; t <= rounds + 2; t++) {
  for (const [name, run] of Object.entries(contenders)) {
    const usage = process.cpuUsage();
    const start = performance.now();
    const loss = await run(t);
    const wall = performance.now() - start;
    const used = process.cpuUsage(usage);
    if (t > 2) {
      times[name].wall.push(wall);
      times[name].cpu.push((used.user + used.system) / 1000);
    }
    if (loss !== undefined) times[name].losses.push(loss);
  }
}
await executable.dispose();
await cpu.dispose();

const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * q)];
console.log(
  `${products.count} products, ${(products.flop / 1e9).toFixed(1)} GFLOP; ${threads} thread(s), ${rounds} ` +
    `rounds; compiled in ${compiledMs.toFixed(0)} ms`,
);
for (const clock of ["wall", "cpu"]) {
  for (const [label, q] of [
    ["least", 0],
    ["tenth", 0.1],
    ["median", 0.5],
  ]) {
    const at = (name) => quantile(times[name][clock], q);
    const of = (name) => `${at(name).toFixed(1)} ms (${(products.flop / at(name) / 1e6).toFixed(0)} GFLOPS)`;
    const share = (name) => (at(name) / at("step")).toFixed(3);
    console.log(
      `${clock.padEnd(4)} ${label.padEnd(6)}  step ${of("step")}; products alone ${of("products")}, ` +
        `${share("products")} of the step; with their transposes ${of("gemms")}, ${share("gemms")}` +
        (jax ? `; jax-js ${at("jax").toFixed(0)} ms: ${(at("jax") / at("step")).toFixed(1)} times the step` : ""),
    );
  }
}
if (jax) {
  const worst = Math.max(
    ...times.step.losses.map((loss, i) => Math.abs(loss - times.jax.losses[i]) / times.jax.losses[i]),
  );
  console.log(
    `losses ${times.step.losses[0].toFixed(6)} … ${times.step.losses.at(-1).toFixed(6)}, jax-js ` +
      `${times.jax.losses[0].toFixed(6)} … ${times.jax.losses.at(-1).toFixed(6)}; largest relative difference ` +
      `${worst.toExponential(1)}`,
  );
}
