// Dropout belongs to rows: a step draws the same in any number of parts and at any padding.
import { backend as onnxruntime } from "@cloze/backend-onnxruntime";
import { backend as reference } from "@cloze/backend-reference";
import type { Batches } from "@cloze/data";
import { esm2, esm2Configs, esm2ConfigText } from "@cloze/models/esm2";
import { dropoutLayer, initialize, maskedLmParameters, openTrace, programOf, RANDOM_KEY } from "@cloze/nn";
import { feedTypes } from "@cloze/objective";
import { adamw } from "@cloze/optim";
import type { TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import type { ModelSource } from "../src/index.ts";
import { prepareStep, Programs, type StepOptions } from "../src/step.ts";
import { objective, tinyRun } from "./tiny.ts";

const config = {
  ...esm2Configs["esm2-8m"],
  layers: 2,
  hidden: 16,
  heads: 2,
  intermediate: 32,
  hiddenDropoutRate: 0.3,
  attentionDropoutRate: 0.3,
};
const source: ModelSource = {
  name: "tiny",
  model: esm2(config),
  configText: esm2ConfigText(config),
  buffers: {},
  maxLength: 64,
};
const ROWS = 8;

/** Eight rows of packed sequences, always the same. */
async function eightRows(): Promise<TokenBatch> {
  const { batches } = tinyRun("");
  const parts = await Promise.all([0, 1, 2, 3].map((i) => batches.batchAt(i)));
  const joined = (of: (b: TokenBatch) => Int32Array): Int32Array => Int32Array.from(parts.flatMap((b) => [...of(b)]));
  return {
    rows: ROWS,
    length: 32,
    ids: joined((b) => b.ids),
    segments: joined((b) => b.segments),
    positions: joined((b) => b.positions),
    sequences: parts.flatMap((b, i) => b.sequences.map((s) => ({ ...s, row: s.row + 2 * i }))),
  };
}

/** Rows [from, to) of a batch, padded to `length`. */
function cut(batch: TokenBatch, from: number, to: number, length: number): TokenBatch {
  const rowsOf = (values: Int32Array, filler: number): Int32Array => {
    const out = new Int32Array((to - from) * length).fill(filler);
    for (let row = from; row < to; row++)
      out.set(values.subarray(row * batch.length, (row + 1) * batch.length), (row - from) * length);
    return out;
  };
  return {
    rows: to - from,
    length,
    ids: rowsOf(batch.ids, 1),
    segments: rowsOf(batch.segments, 0),
    positions: rowsOf(batch.positions, 0),
    sequences: batch.sequences.filter(({ row }) => row >= from && row < to).map((s) => ({ ...s, row: s.row - from })),
  };
}

const inParts = (whole: TokenBatch, parts: number, length: number): Batches => ({
  batchAt: async (i) => {
    const rows = ROWS / parts;
    const first = (i % parts) * rows;
    return cut(whole, first, first + rows, length);
  },
});

/** The figures of each of three steps, and the weights after them. */
async function trained(
  make: typeof reference,
  parts: number,
  length: number,
): Promise<{ readonly losses: readonly number[]; readonly weights: readonly number[] }> {
  const backend = make();
  const weights = initialize(maskedLmParameters(source.model), 1);
  const options: StepOptions = {
    backend,
    batches: inParts(await eightRows(), parts, length),
    accumulate: parts,
    source,
    objective,
    optimizer: adamw(),
    clip: 1,
    weights,
    seed: 5,
  };
  const programs = new Programs(options, 0);
  const session = await programs.start(await prepareStep(options, 0));
  const losses: number[] = [];
  for (let number = 0; number < 3; number++) {
    const prepared = await prepareStep(options, number);
    const { done } = await programs.call(session, { number, prepared, lr: 0.01, lossScale: undefined });
    const { loss = NaN, weight = NaN } = await done;
    losses.push(loss / weight);
  }
  const state = await session.read(programs.trainedNames);
  await session.dispose();
  await backend.dispose();
  return { losses, weights: Object.values(state).flatMap(({ data }) => Array.from(data)) };
}

describe.each([
  ["reference", reference],
  ["onnxruntime", () => onnxruntime({ threads: 1 })],
] as const)("a step with dropout on %s", (_name, make) => {
  it("is the same in 1, 2 and 4 parts, and with twice the padding", { timeout: 60_000 }, async () => {
    const whole = await trained(make, 1, 32);
    for (const [parts, length] of [
      [2, 32],
      [4, 32],
      [1, 64],
      [4, 64],
    ] as const) {
      const other = await trained(make, parts, length);
      for (const [i, loss] of whole.losses.entries())
        expect(Math.abs((other.losses[i] as number) - loss), `${parts} parts of ${length}`).toBeLessThan(2e-6);
      const off = whole.weights.map((w, i) => Math.abs(w - (other.weights[i] as number)));
      expect(Math.max(...off), `${parts} parts of ${length}`).toBeLessThan(2e-4);
    }
  });
});

it("the masks are equal to the bit", async () => {
  const batch = await eightRows();
  const engine = reference();
  /** The dropout of ones [rows, length, 6], as rows of bits. */
  const masks = async (parts: number, length: number): Promise<string[]> => {
    const options = { batches: inParts(batch, parts, length), accumulate: parts, seed: 5, objective } as StepOptions;
    const out: string[] = [];
    for (const { prepared } of (await prepareStep(options, 7)).parts) {
      const { [RANDOM_KEY]: key } = prepared.feeds;
      if (key === undefined) throw new Error("no keys");
      const trace = openTrace(feedTypes({ feeds: { [RANDOM_KEY]: key } }));
      const rows = ROWS / parts;
      const ones = trace.graph.full([rows, length, 6], 1, "f32");
      const session = await engine.start({});
      const made = programOf(trace, { outputs: { mask: dropoutLayer(trace.scope.at("layer"), ones, 0.5) } });
      const { mask } = await session.run(await engine.compile(made), { [RANDOM_KEY]: key });
      const drawn = Array.from(mask?.data ?? []);
      for (let row = 0; row < rows; row++) out.push(drawn.slice(row * length * 6, row * length * 6 + 32 * 6).join());
    }
    return out;
  };
  const whole = await masks(1, 32);
  expect(new Set(whole).size).toBe(ROWS);
  for (const [parts, length] of [
    [2, 32],
    [4, 48],
    [8, 64],
  ] as const)
    expect(await masks(parts, length)).toEqual(whole);
});
