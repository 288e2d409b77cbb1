import { Graph, interpret, type Tensor } from "@cloze/graph";
import { initialize, rootScope } from "@cloze/nn";
import { encoderFeeds, encoderInputs, feedTypes, type Moment, type Objective } from "@cloze/objective";
import { kitBatch, kitModel, kitTokens, rowsAt, testObjective } from "@cloze/objective/kit";
import { RandomStream } from "@cloze/random";
import type { TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import { maskedDiffusion, type MaskedDiffusionOptions } from "../src/index.ts";

const MASK = 4;
const moment: Moment = { seed: 3, step: 5, evaluation: false };
const maskable = (id: number): boolean => !kitTokens.specialIds.has(id);

testObjective({
  create: (tokens) => maskedDiffusion(tokens),
  inspect: ({ feeds, weights }, batch) => {
    const ids = feeds["ids"]?.data as Int32Array;
    const index = feeds["slots.index"]?.data as Int32Array;
    const weight = feeds["slots.weight"]?.data as Float32Array;
    const weightAt = new Map(Array.from(index, (at, i) => [at, weight[i] as number] as const).filter(([, w]) => w > 0));
    const rates = batch.sequences.map(({ row, start, length }) => {
      const places = Array.from({ length }, (_, i) => row * batch.length + start + i).filter((at) =>
        maskable(batch.ids[at] as number),
      );
      const hidden = places.filter((at) => ids[at] === MASK);
      const [one] = new Set(hidden.map((at) => weightAt.get(at) as number));
      for (const at of hidden) expect(weightAt.get(at)).toBe(one);
      return hidden.length / places.length;
    });
    expect(ids.filter((id) => id === MASK)).toHaveLength(weightAt.size);
    expect(weights?.["loss"]).toBe(batch.ids.filter(maskable).length);
    // 128 uniform rates: mean 0.5, standard deviation 0.29, from almost 0 to almost 1.
    expect(Math.abs(rates.reduce((n, r) => n + r, 0) / rates.length - 0.5)).toBeLessThan(
      (4 * 0.29) / Math.sqrt(rates.length),
    );
    expect([rates.some((r) => r < 0.1), rates.some((r) => r > 0.9)]).toEqual([true, true]);
  },
});
testObjective({ create: (tokens) => maskedDiffusion(tokens, { noise: "cosine", lowDiscrepancy: true }) });
testObjective({ create: (tokens) => maskedDiffusion(tokens, { labelSmoothing: 0.1, zLoss: 0.01 }) });
testObjective({ create: (tokens) => maskedDiffusion(tokens, { weight: "none", zLoss: 0.01 }) });

/**
 * The logits of the kit's model at every position of some rows, [rows * length][vocab], and the objective's loss with
 * the same parameters.
 */
function computed(
  objective: Objective,
  batch: TokenBatch,
): { readonly logits: number[][]; readonly loss: number; readonly weight: number } {
  const prepared = objective.prepare(batch, moment);
  const vocab = kitTokens.vocabulary.length;
  const graph = new Graph();
  const scope = rootScope(graph);
  const feeds: Record<string, Tensor> = {};
  for (const [name, { dtype, shape }] of Object.entries(feedTypes(prepared)))
    feeds[name] = graph.input(name, dtype, shape);
  const model = kitModel(vocab);
  const { loss } = objective.loss(scope, model, feeds);
  const all = model.predict(scope, model.encode(scope, encoderInputs(feeds)).reshape([-1, model.hidden]));
  const env: Record<string, ArrayLike<number>> = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [
      name,
      Float64Array.from(data as Float32Array, (x) => x * 20),
    ]),
  );
  for (const [name, { data }] of Object.entries(prepared.feeds)) env[name] = data;
  const [logits, sum, weight] = interpret([all, loss.sum, loss.weight], env, { precision: "f64" }).map(({ data }) =>
    Array.from(data),
  ) as [number[], number[], number[]];
  return {
    logits: Array.from({ length: logits.length / vocab }, (_, i) => logits.slice(i * vocab, (i + 1) * vocab)),
    loss: sum[0] as number,
    weight: weight[0] as number,
  };
}

const negativeLogLikelihood = (logits: readonly number[], target: number): number =>
  Math.log(logits.reduce((n, z) => n + Math.exp(z), 0)) - (logits[target] as number);

describe("masked diffusion", () => {
  it("is the plain loop: a rate for each sequence, a coin for each token, losses over the rate, over all tokens", () => {
    const batch = kitBatch(8, 4, 24, 2);
    const { logits, loss, weight } = computed(maskedDiffusion(kitTokens), batch);
    let sum = 0;
    let tokens = 0;
    for (const { example, row, start, length } of batch.sequences) {
      const stream = new RandomStream(3).split("masked-diffusion").split(5).split(example);
      const rate = 0.001 + 0.999 * stream.split("time").uniform(0);
      for (let i = 0; i < length; i++) {
        const at = row * batch.length + start + i;
        const token = batch.ids[at] as number;
        if (!maskable(token)) continue;
        tokens += 1;
        if (stream.split("mask").uniform(i) < rate) sum += negativeLogLikelihood(logits[at] as number[], token) / rate;
      }
    }
    expect(weight).toBe(tokens);
    // The weights of the slots are rounded to f32.
    expect(Math.abs(loss / sum - 1)).toBeLessThan(1e-6);
  });

  it("masks and weighs a sequence alike alone and packed, and so is its loss", () => {
    const objective = maskedDiffusion(kitTokens);
    const packed = kitBatch(8, 4, 24, 3);
    const whole = computed(objective, packed);
    let sum = 0;
    let weight = 0;
    for (const { example, row, start, length } of packed.sequences) {
      const first = row * packed.length + start;
      const alone: TokenBatch = {
        rows: 1,
        length,
        ids: packed.ids.slice(first, first + length),
        segments: new Int32Array(length).fill(1),
        positions: packed.positions.slice(first, first + length),
        sequences: [{ example, row: 0, start: 0, length }],
      };
      const ids = (batch: TokenBatch): ArrayLike<number> | undefined =>
        objective.prepare(batch, moment).feeds["ids"]?.data;
      expect(ids(alone)).toEqual((ids(packed) as Int32Array).slice(first, first + length));
      const one = computed(objective, alone);
      sum += one.loss;
      weight += one.weight;
    }
    expect(weight).toBe(whole.weight);
    expect(sum).toBeCloseTo(whole.loss, 8);
  });

  it("leaves a row's draws to the row: what else is in the batch does not matter, spread or not", () => {
    const batch = kitBatch(8, 6, 24, 3);
    for (const lowDiscrepancy of [false, true]) {
      const ids = (given: TokenBatch): Int32Array =>
        maskedDiffusion(kitTokens, { lowDiscrepancy }).prepare(given, moment).feeds["ids"]?.data as Int32Array;
      expect(ids(rowsAt(batch, [4, 1]))).toEqual(
        Int32Array.from([...ids(batch).slice(96, 120), ...ids(batch).slice(24, 48)]),
      );
    }
  });

  it.each<[MaskedDiffusionOptions, RegExp]>([
    [{ noise: "square" as never }, /^masked-diffusion: noise: expected one of linear, cosine, got "square"/],
    [{ weight: "half" as never }, /^masked-diffusion: weight: expected one of nelbo, none, got "half"/],
    [{ smallest: 0 }, /^masked-diffusion: smallest: expected a time above 0 and below 1, got 0\. Usual is 1e-3/],
    [{ smallest: 1 }, /got 1\./],
    [{ lowDiscrepancy: 1 as never }, /^masked-diffusion: lowDiscrepancy: expected true or false, got 1/],
    [{ zLoss: -1 }, /^masked-diffusion: zLoss: expected a weight of 0 or more/],
    [
      { rate: 0.3 } as never,
      /unknown option "rate"\. It takes: noise, weight, smallest, lowDiscrepancy, labelSmoothing, zLoss/,
    ],
  ])("refuses %j", (options, message) => expect(() => maskedDiffusion(kitTokens, options)).toThrow(message));

  it("refuses tokens without a mask", () => {
    expect(() => maskedDiffusion({ ...kitTokens, special: { pad: 0, unknown: 1 } })).toThrow(
      /^masked-diffusion: the tokenizer has no mask token/,
    );
  });

  it("leaves evaluation as it is, whatever the draw of training", () => {
    const batch = kitBatch(8, 4, 24, 2);
    const prepare = (lowDiscrepancy: boolean) =>
      maskedDiffusion(kitTokens, { lowDiscrepancy }).prepare(batch, { ...moment, evaluation: true });
    expect(prepare(true)).toEqual(prepare(false));
    expect(prepare(false).feeds["ids"]).not.toEqual(encoderFeeds(batch)["ids"]);
  });
});
