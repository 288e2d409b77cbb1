// A bench of whole training steps of ESM-2, built as by the trainer: masked language modelling, AdamW, clipping, one
// program a step.
import { feedTypes } from "@cloze/objective";
import { mlm } from "@cloze/objective-mlm";
import { esm2, esm2ConfigJson, esm2Configs, flopsPerToken } from "@cloze/models/esm2";
import { adamw } from "@cloze/optim";
import { esm2 as tokenizer } from "@cloze/tokenizer-protein";
import { initialState, stepProgram, traceLoss } from "@cloze/trainer";
import { kernelsOf } from "./attention.mjs";
import { timeRuns } from "./timing.mjs";

const tiny = { ...esm2Configs["esm2-8m"], hidden: 64, layers: 2, heads: 4, intermediate: 256 };
export const workloads = {
  "tiny 2x64": { config: tiny, name: "tiny", rows: 2, length: 64 },
  "esm2-8m 64x512": { config: esm2Configs["esm2-8m"], name: "esm2-8m", rows: 64, length: 512 },
  "esm2-150m 16x512": { config: esm2Configs["esm2-150m"], name: "esm2-150m", rows: 16, length: 512 },
  "esm2-650m 8x512": { config: esm2Configs["esm2-650m"], name: "esm2-650m", rows: 8, length: 512 },
};

/** Program, state and feeds of a workload. `feeds(t)` are the feeds of step t; steps count from 1. */
export function trainingOf({ config, name, rows, length }, compute) {
  const tokens = tokenizer();
  const objective = mlm(tokens);
  const model = esm2(config);
  const optimizer = adamw({ beta2: 0.98 });
  const source = { name, model, configText: esm2ConfigJson(config), buffers: model.buffers, maxLength: length };
  const setup = { source, objective, optimizer, clip: 1, compute };
  const at = (step) => objective.prepare(batchOf(rows, length, step), { seed: 1, step, evaluation: false });
  const types = feedTypes(at(0));
  const program = stepProgram(setup, types);
  const scale =
    compute === "f16" ? { "optim.lossScale": { dtype: "f32", shape: [], data: Float32Array.of(1024) } } : {};
  return {
    program,
    state: () => initialState([program], weightsOf(traceLoss(setup, types).parameters)),
    feeds: (t) => ({
      ...at(t).feeds,
      "random.key": { dtype: "u32", shape: [2], data: Uint32Array.of(1, t) },
      ...optimizer.hostScalars(t, 1e-4),
      ...scale,
    }),
    tokens: rows * length,
    flops: rows * length * flopsPerToken(config, length),
    loss: ({ loss, weight }) => loss.data[0] / weight.data[0],
  };
}

/** A batch with one sequence of residues a row, between <cls> and <eos>. */
function batchOf(rows, length, step) {
  const ids = new Int32Array(rows * length);
  const segments = new Int32Array(rows * length).fill(1);
  const positions = new Int32Array(rows * length);
  const sequences = [];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < length; i++) {
      ids[row * length + i] =
        i === 0
          ? 0
          : i === length - 1
            ? 2
            : 4 + ((Math.imul((step * rows + row) * length + i + 1, 0x9e3779b1) >>> 12) % 20);
      positions[row * length + i] = i;
    }
    sequences.push({ example: step * rows + row, row, start: 0, length });
  }
  return { rows, length, ids, segments, positions, sequences };
}

/** Initial weights with the right spread, from one table of normal numbers. 650 M parameters take about a second. */
function weightsOf(parameters) {
  const table = Float32Array.from({ length: 65521 }, (_, i) => {
    const u = ((Math.imul(i + 1, 0x9e3779b1) >>> 0) + 1) / (2 ** 32 + 1);
    const v = ((Math.imul(i + 1, 0x85ebca6b) >>> 0) + 1) / (2 ** 32 + 1);
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  });
  return Object.fromEntries(
    [...parameters].map(([name, { shape, init }], salt) => {
      const data = new Float32Array(shape.reduce((n, d) => n * d, 1));
      if (init.kind === "ones") data.fill(1);
      else if (init.kind === "normal")
        for (let i = 0; i < data.length; i++) data[i] = init.std * table[(i + 7919 * salt) % table.length];
      else if (init.kind !== "zeros")
        throw new Error(`bench: expected an init of normal, ones or zeros, got ${init.kind}`);
      return [name, { dtype: "f32", shape, data }];
    }),
  );
}

export async function timeTraining({ backend, mode, compute, names, log, rounds }) {
  const rows = [];
  for (const name of names) {
    const row = { kind: "step", name, mode };
    try {
      const training = trainingOf(workloads[name], compute);
      const began = performance.now();
      const executable = await backend.compile(training.program, { compute });
      const compileMs = performance.now() - began;
      const session = await backend.start(training.state());
      const first = training.loss(await session.run(executable, training.feeds(1)));
      const times = await timeRuns(session, executable, training.feeds, rounds);
      const last = training.loss(await session.run(executable, training.feeds(2 * rounds + 3)));
      const seconds = times.pipelinedMs / 1000;
      rows.push({
        ...row,
        ...times,
        tokensPerSecond: training.tokens / seconds,
        tflops: training.flops / seconds / 1e12,
        kernels: kernelsOf(executable.plan),
        peakBytes: executable.plan.peakBytes,
        stateBytes: executable.plan.stateBytes,
        compileMs,
        losses: [first, last],
        ok: Number.isFinite(last),
      });
      await session.dispose();
      await executable.dispose();
    } catch (error) {
      rows.push({ ...row, ok: false, failed: String(error.message ?? error) });
    }
    log(rows.at(-1));
  }
  return rows;
}

/** The kernels of one step, sorted by their time on the device. `backend` must be opened with timestamps. */
export async function profileTraining({ backend, mode, compute, names, log }) {
  const rows = [];
  for (const name of names) {
    const row = { kind: "profile", name, mode };
    try {
      const training = trainingOf(workloads[name], compute);
      const executable = await backend.compile(training.program, { compute });
      const session = await backend.start(training.state());
      for (let t = 1; t <= 2; t++) await session.run(executable, training.feeds(t));
      backend.kernelTimes(); // drops the times of the warm-up runs
      await session.run(executable, training.feeds(3));
      const found = new Map();
      for (const { kernel, path, count, ms } of backend.kernelTimes()) {
        const all = found.get(kernel) ?? { kernel, count: 0, ms: 0, longestMs: 0, longest: "" };
        Object.assign(
          all,
          { count: all.count + count, ms: all.ms + ms },
          ms > all.longestMs && { longestMs: ms, longest: path },
        );
        found.set(kernel, all);
      }
      const all = [...found.values()].sort((a, b) => b.ms - a.ms);
      const ms = all.reduce((sum, k) => sum + k.ms, 0);
      rows.push({
        ...row,
        ms,
        kernels: all.reduce((n, { count }) => n + count, 0),
        profile: all.slice(0, 15).map((k) => ({ ...k, share: k.ms / ms })),
        ok: all.length > 0,
      });
      await session.dispose();
      await executable.dispose();
    } catch (error) {
      rows.push({ ...row, ok: false, failed: String(error.message ?? error) });
    }
    log(rows.at(-1));
  }
  return rows;
}
