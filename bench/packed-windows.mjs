// A bench of the savings by a window: attention and a whole training step, with full attention and with a window, on
// each backend.
//
//   node --import tsx --conditions=@cloze/source bench/packed-windows.mjs [--backends onnxruntime,tfjs:node,webgpu]
//     [--lengths 1024,2048] [--windows 64,128] [--rounds 5] [--threads 1] [--no-step] [--json FILE]
//
// With a window w a token sees tokens at a distance of at most w; ModernBERT's local_attention 128 is w = 64. All rows
// are packed: segments are documents of 300 tokens.
//   attention  forward and backward of one layer, [1, 4, length, 64]
//   step       loss, gradient and AdamW of a ModernBERT of 4 x 256, 4 heads, all layers global or all local, on one row
// Contenders take turns in one run, so that a busy neighbour disturbs all of them. The figures are medians after a
// warm-up round, with results read back. There are times of the wall clock and of the processor (all threads); on a
// shared machine read the second. On a software adapter of WebGPU the times show how work falls with the window, not
// the speed of a device, so WebGPU runs no steps.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { attention, grad, Graph, program } from "@cloze/graph";
import { modernBert, modernBertConfigs } from "@cloze/models/modernbert";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { mlm } from "@cloze/objective-mlm";
import { adamw } from "@cloze/optim";
import { esm2 as esm2Tokenizer } from "@cloze/tokenizer-protein";
import { initialState, stepProgram } from "@cloze/trainer";

const { values: options } = parseArgs({
  options: {
    backends: { type: "string", default: "onnxruntime,tfjs:node,webgpu" },
    lengths: { type: "string", default: "1024,2048" },
    windows: { type: "string", default: "64,128" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    "no-step": { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const numbers = (text) => text.split(",").map(Number);
const rounds = Number(options.rounds);
const threads = Number(options.threads);
const lengths = numbers(options.lengths);
const windows = numbers(options.windows);
const DOCUMENT = 300;
const HEADS = 4;
const HEAD_DIM = 64;
const tokenizer = esm2Tokenizer();
const objective = mlm(tokenizer);
const optimizer = adamw({ beta2: 0.98 });

const open = {
  onnxruntime: async () => (await import("@cloze/backend-onnxruntime")).backend({ threads }),
  "tfjs:node": async () => (await import("@cloze/backend-tfjs")).backend({ kind: "node" }),
  webgpu: async () => (await import("@cloze/backend-webgpu")).backend(),
};
const tensor = (dtype, shape, data) => ({ dtype, shape, data });

/** Attention alone: its program and its feeds. */
function attentionOf(length, window) {
  const g = new Graph();
  const shape = [1, HEADS, length, HEAD_DIM];
  const inputs = ["q", "k", "v"].map((name) => g.input(name, "f32", shape));
  const segments = g.input("segments", "i32", [1, length]);
  const y = attention(...inputs, { segments, ...(window !== null && { window }) });
  const grads = grad(y.square().sum(), inputs);
  const outputs = { y: y.sum(), ...Object.fromEntries(grads.map((d, i) => [`grad ${i}`, d.square().sum()])) };
  const feeds = Object.fromEntries(
    inputs.map((x, n) => [
      x.attrs.name,
      tensor(
        "f32",
        shape,
        Float32Array.from({ length: HEADS * length * HEAD_DIM }, (_, i) => Math.sin(1.3 * i + n)),
      ),
    ]),
  );
  return {
    program: program(g, { state: [], outputs }),
    state: {},
    feeds: () => ({
      ...feeds,
      segments: tensor(
        "i32",
        [1, length],
        Int32Array.from({ length }, (_, i) => 1 + Math.floor(i / DOCUMENT)),
      ),
    }),
  };
}

/** A training step on one packed row. */
function stepOf(length, window) {
  const config = {
    ...modernBertConfigs["ettin-17m"],
    vocab: tokenizer.vocabulary.length,
    padTokenId: tokenizer.special.pad,
    layers: 4,
    hidden: 256,
    heads: 4,
    intermediate: 384,
    reach: Array(4).fill(window === null ? "global" : "local"),
    ...(window !== null && { localWindow: 2 * window }),
  };
  const source = { name: "bench", model: modernBert(config), configText: "", buffers: {}, maxLength: length };
  const index = Int32Array.from({ length }, (_, i) => i);
  const documents = Array.from({ length: Math.ceil(length / DOCUMENT) }, (_, n) => ({
    example: n,
    row: 0,
    start: n * DOCUMENT,
    length: Math.min(DOCUMENT, length - n * DOCUMENT),
  }));
  const batch = {
    rows: 1,
    length,
    ids: index.map((i) => 4 + ((i * 7919) % 20)),
    segments: index.map((i) => 1 + Math.floor(i / DOCUMENT)),
    positions: index.map((i) => i % DOCUMENT),
    sequences: documents,
  };
  const { feeds } = objective.prepare(batch, { seed: 1, step: 0, evaluation: false });
  const types = Object.fromEntries(Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const made = stepProgram({ source, objective, optimizer, clip: undefined }, types);
  const used = new Set(made.feeds.map((f) => f.attrs.name));
  const all = (t) => ({
    ...feeds,
    ...optimizer.hostScalars(t, 1e-4),
    "random.key": tensor("u32", [2], Uint32Array.of(1, t)),
  });
  return {
    program: made,
    state: initialState([made], initialize(maskedLmParameters(source.model), 1)),
    feeds: (t) => Object.fromEntries(Object.entries(all(t)).filter(([name]) => used.has(name))),
  };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];
const rows = [];
for (const name of options.backends.split(",")) {
  const opener = open[name];
  if (opener === undefined)
    throw new Error(`bench: --backends: expected some of ${Object.keys(open).join(", ")}, got ${name}`);
  const backend = await opener();
  const kinds =
    name === "webgpu" || options["no-step"] ? { attention: attentionOf } : { attention: attentionOf, step: stepOf };
  for (const [what, make] of Object.entries(kinds))
    for (const length of lengths) {
      const contenders = [];
      for (const window of [null, ...windows]) {
        const made = make(length, window);
        const executable = await backend.compile(made.program);
        const session = await backend.start(made.state);
        contenders.push({
          window,
          wall: [],
          cpu: [],
          dispose: async () => {
            await session.dispose();
            await executable.dispose();
          },
          run: (t) => session.run(executable, made.feeds(t)),
        });
      }
      for (let t = 1; t <= rounds + 1; t++)
        for (const { run, wall, cpu } of contenders) {
          const usage = process.cpuUsage();
          const began = performance.now();
          await run(t);
          const ms = performance.now() - began;
          const spent = process.cpuUsage(usage);
          if (t === 1) continue;
          wall.push(ms);
          cpu.push((spent.user + spent.system) / 1000);
        }
      for (const { dispose } of contenders) await dispose();
      const [{ wall: fullWall, cpu: fullCpu }] = contenders;
      for (const { window, wall, cpu } of contenders) {
        const faster = { wall: median(fullWall) / median(wall), cpu: median(fullCpu) / median(cpu) };
        rows.push({ backend: name, what, length, window, wallMs: median(wall), cpuMs: median(cpu), faster });
        console.log(
          `${name.padEnd(12)} ${what.padEnd(9)} ${String(length).padStart(5)} tokens  ` +
            `${(window === null ? "full" : `window ${window}`).padEnd(10)} ${median(wall).toFixed(1).padStart(8)} ` +
            `ms, processor ${median(cpu).toFixed(1).padStart(8)} ms  ${faster.cpu.toFixed(2)} times as fast by the ` +
            `processor, ${faster.wall.toFixed(2)} by the wall clock`,
        );
      }
    }
  await backend.dispose();
  // The file is written after every backend, so that a user can stop a slow one.
  if (options.json)
    writeFileSync(
      options.json,
      `${JSON.stringify(
        {
          bench: "packed-windows",
          threads,
          rounds,
          node: process.version,
          documents: DOCUMENT,
          note: "contenders take turns in one run on a shared machine; medians; webgpu on whatever adapter there is",
          rows,
        },
        null,
        2,
      )}\n`,
    );
}
