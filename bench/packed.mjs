// A bench of packed rows compared with padded rows: residues a second in training steps of one model over the same
// sequences, on the CPU.
//
//   node --import tsx --conditions=@cloze/source bench/packed.mjs [--data FILE.fasta[.gz]] [--length 512]
//     [--tokens 2048] [--layers 4] [--hidden 256] [--heads 4] [--rounds 5] [--threads 1] [--buckets 64] [--json FILE]
//
// There are three layouts. Each holds every sequence once, in batches of --tokens positions:
//   packed    as in `cloze pretrain`: as many whole sequences in a row of --length as fit
//   padded    one sequence in a row of --length
//   bucketed  one sequence a row. The row has the shortest length that holds the sequence; lengths are --buckets apart.
//             This is the least padding that is possible without packing. Its batches hold sequences of similar
//             lengths, which is a disadvantage in training.
// A step is loss, gradient and AdamW of an ESM-2 (masks at 15 %). Its time depends only on its shape, so the bench
// measures the median step of each shape. Shapes take turns, so that a busy neighbour disturbs all of them. If several
// layouts have one shape, they share one program; it runs on the batches of each, and the median is over all runs. The
// time of a layout is the sum over its batches. There are times of the wall clock and of the processor (all threads);
// on a shared machine read the second. The times do not include the preparation of batches, which runs in parallel to
// the device. Without --data the bench uses the bundled sample.
import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { backend } from "@cloze/backend-onnxruntime";
import { memoryDataset, packedBatches, paddedBatches } from "@cloze/data";
import { readFasta } from "@cloze/data/node";
import { esm2, esm2Configs } from "@cloze/models/esm2";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { mlm } from "@cloze/objective-mlm";
import { adamw } from "@cloze/optim";
import { esm2 as esm2Tokenizer } from "@cloze/tokenizer-protein";
import { initialState, stepProgram } from "@cloze/trainer";

const SAMPLE = fileURLToPath(new URL("../apps/cli/sample/uniprot-sample.fasta.gz", import.meta.url));
const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: SAMPLE },
    length: { type: "string", default: "512" },
    tokens: { type: "string", default: "2048" },
    layers: { type: "string", default: "4" },
    hidden: { type: "string", default: "256" },
    heads: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    buckets: { type: "string", default: "64" },
    json: { type: "string" },
  },
});
const number = (name) => {
  const n = Number(options[name]);
  if (!Number.isInteger(n) || n < 1)
    throw new Error(`bench: --${name}: expected a whole number from 1, got ${options[name]}`);
  return n;
};
const [length, tokens, layers, hidden, heads, rounds, threads, apart] = [
  "length",
  "tokens",
  "layers",
  "hidden",
  "heads",
  "rounds",
  "threads",
  "buckets",
].map(number);
if (tokens < length) throw new Error(`bench: --tokens: expected at least a row of ${length}, got ${tokens}`);

const tokenizer = esm2Tokenizer();
const { pad, start, end } = tokenizer.special;
const special = { pad, start, end };
const sequences = [];
const text = new TextDecoder();
for await (const { sequence } of readFasta(options.data).records())
  sequences.push(tokenizer.encode(text.decode(sequence), { special: false }).ids);
const data = memoryDataset(sequences);
const seed = 1;

const config = { ...esm2Configs["esm2-8m"], layers, hidden, heads, intermediate: 4 * hidden };
const source = { name: "bench", model: esm2(config), configText: "", buffers: {}, maxLength: length };
const objective = mlm(tokenizer);
const optimizer = adamw({ beta2: 0.98 });
const setup = { source, objective, optimizer, clip: undefined };
const weights = initialize(maskedLmParameters(source.model), seed);

/**
 * The number of steps of each shape that a layout needs for every sequence once, with an example batch of each shape.
 */
async function layout(batches, count) {
  const shapes = new Map();
  let residues = 0;
  for (let step = 0; step < count; step++) {
    const batch = await batches.batchAt(step);
    const key = `${batch.rows} x ${batch.length}`;
    const known = shapes.get(key);
    residues += batch.sequences.reduce((n, s) => n + s.length - 2, 0);
    shapes.set(key, { steps: (known?.steps ?? 0) + 1, batch: known?.batch ?? batch });
  }
  const positions = [...shapes.values()].reduce((n, { steps, batch }) => n + steps * batch.rows * batch.length, 0);
  return { shapes, residues, fill: residues / positions };
}
const rowsPerBatch = Math.floor(tokens / length);
const lengths = Array.from({ length: Math.ceil(length / apart) }, (_, i) => Math.min(length, (i + 1) * apart));
const packed = packedBatches(data, { seed, length, rowsPerBatch, special });
const padded = packedBatches(data, { seed, length, rowsPerBatch, special, sequencesPerRow: 1 });
const bucketed = paddedBatches(data, {
  seed,
  special,
  maxSequence: length,
  tokensPerBatch: tokens,
  buckets: lengths,
  crop: "random",
});
const whole = (batches) => Math.floor(batches.rowsIn(0) / rowsPerBatch);
const layouts = {
  packed: await layout(packed, whole(packed)),
  padded: await layout(padded, whole(padded)),
  bucketed: await layout(bucketed, bucketed.count),
};

const cpu = backend({ threads });
const contenders = [];
const programs = new Map();
let session;
for (const [name, { shapes }] of Object.entries(layouts))
  for (const [shape, { batch }] of shapes) {
    const { feeds } = objective.prepare(batch, { seed, step: 0, evaluation: false });
    const types = Object.fromEntries(
      Object.entries(feeds).map(([feed, { dtype, shape: s }]) => [feed, { dtype, shape: s }]),
    );
    const key = JSON.stringify(types);
    if (!programs.has(key)) {
      const program = stepProgram(setup, types);
      session ??= await cpu.start(initialState([program], weights));
      programs.set(key, {
        executable: await cpu.compile(program),
        used: program.feeds.map((f) => f.attrs.name),
        wall: [],
        cpu: [],
      });
    }
    contenders.push({ name, shape, feeds, program: programs.get(key) });
  }
// The first round warms up.
for (let round = 0; round <= rounds; round++)
  for (const {
    feeds,
    program: { executable, wall, cpu: processor, used },
  } of contenders) {
    const all = {
      ...feeds,
      ...optimizer.hostScalars(round + 1, 1e-4),
      "random.key": { dtype: "u32", shape: [2], data: Uint32Array.of(seed, round) },
    };
    const given = Object.fromEntries(Object.entries(all).filter(([name]) => used.includes(name)));
    const usage = process.cpuUsage();
    const began = performance.now();
    await session.run(executable, given);
    const ms = performance.now() - began;
    const spent = process.cpuUsage(usage);
    if (round === 0) continue;
    wall.push(ms);
    processor.push((spent.user + spent.system) / 1000);
  }
for (const { executable } of programs.values()) await executable.dispose();
await session.dispose();
await cpu.dispose();

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];
const rows = Object.fromEntries(
  Object.entries(layouts).map(([name, { shapes, residues, fill }]) => {
    const steps = contenders
      .filter((c) => c.name === name)
      .map(({ shape, program: { wall, cpu: processor } }) => ({
        shape,
        steps: shapes.get(shape).steps,
        wallMs: median(wall),
        cpuMs: median(processor),
      }));
    const of = (clock) => residues / (steps.reduce((sum, s) => sum + s.steps * s[clock], 0) / 1000);
    return [name, { residues, fill, residuesPerSecond: of("wallMs"), residuesPerProcessorSecond: of("cpuMs"), steps }];
  }),
);
const ratio = (key) =>
  Object.fromEntries(["padded", "bucketed"].map((name) => [`packed / ${name}`, rows.packed[key] / rows[name][key]]));
const result = {
  bench: "packed",
  data: basename(options.data),
  sequences: sequences.length,
  model: { layers, hidden, heads, intermediate: 4 * hidden },
  length,
  tokens,
  bucketsApart: apart,
  threads,
  rounds,
  node: process.version,
  note: "medians; shapes take turns in one run on a shared machine",
  rows,
  ratio: { wall: ratio("residuesPerSecond"), cpu: ratio("residuesPerProcessorSecond") },
};
console.log(
  `${result.data}: ${sequences.length} sequences; ESM-2 of ${layers} x ${hidden}, ${heads} heads; ${tokens} ` +
    `positions a step, rows of ${length}; ${threads} thread(s), ${rounds} rounds`,
);
for (const [name, { fill, residuesPerSecond, residuesPerProcessorSecond, steps }] of Object.entries(rows))
  console.log(
    `${name.padEnd(9)} ${(100 * fill).toFixed(1).padStart(5)} % residues  ` +
      `${residuesPerSecond.toFixed(0).padStart(6)} residues/s, ` +
      `${residuesPerProcessorSecond.toFixed(0).padStart(6)} a processor second  ` +
      `${steps.map((s) => `${s.shape}: ${s.steps} of ${s.cpuMs.toFixed(0)} ms`).join(", ")}`,
  );
for (const [name, value] of Object.entries(result.ratio.cpu))
  console.log(`${name} ${value.toFixed(2)} by the processor, ${result.ratio.wall[name].toFixed(2)} by the wall clock`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
