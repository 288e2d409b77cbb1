import { kitBatch, kitTokens, testObjective } from "@cloze/objective/kit";
import type { TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import { mlm } from "../src/index.ts";

const { special, specialIds } = kitTokens;

/** Counts of masked, kept, random and all predicted positions of a batch. */
function outcome(
  batch: TokenBatch,
  feeds: ReturnType<ReturnType<typeof mlm>["prepare"]>["feeds"],
): { masked: number; kept: number; random: number; predicted: number } {
  const index = feeds["slots.index"]?.data as Int32Array;
  const target = feeds["slots.target"]?.data as Int32Array;
  const weight = feeds["slots.weight"]?.data as Float32Array;
  const ids = feeds["ids"]?.data as Int32Array;
  const counts = { masked: 0, kept: 0, random: 0, predicted: 0 };
  for (let i = 0; i < index.length; i++) {
    if (weight[i] === 0) continue;
    const at = index[i] as number;
    const now = ids[at] as number;
    expect(batch.ids[at]).toBe(target[i]);
    expect(specialIds.has(target[i] as number)).toBe(false);
    counts.predicted++;
    if (now === special.mask) counts.masked++;
    else if (now === target[i]) counts.kept++;
    else {
      expect(specialIds.has(now)).toBe(false);
      counts.random++;
    }
  }
  return counts;
}

const maskable = (batch: TokenBatch): number => batch.ids.reduce((n, id) => n + (specialIds.has(id) ? 0 : 1), 0);

testObjective({
  create: (tokens) => mlm(tokens),
  inspect: (prepared, batch) => {
    const { masked, kept, random, predicted } = outcome(batch, prepared.feeds);
    const n = maskable(batch);
    // Each sequence chooses floor(0.15 n + u) tokens. So the total differs from 15 % by less than the number of
    // sequences.
    expect(Math.abs(predicted - 0.15 * n)).toBeLessThan(3 * Math.sqrt(batch.sequences.length));
    const sd = (p: number): number => 4 * Math.sqrt((p * (1 - p)) / predicted);
    expect(Math.abs(masked / predicted - 0.8)).toBeLessThan(sd(0.8));
    // One in 12 random draws returns the same token.
    expect(Math.abs(random / predicted - 0.1 * (11 / 12))).toBeLessThan(sd(0.1));
    expect(Math.abs(kept / predicted - (0.1 + 0.1 / 12))).toBeLessThan(sd(0.1));
  },
});

testObjective({ create: (tokens) => mlm(tokens, { rate: 0.4, replace: "mask" }) });

testObjective({ create: (tokens) => mlm(tokens, { labelSmoothing: 0.1, zLoss: 1e-2 }) });

describe("mlm", () => {
  const batch = kitBatch(5, 32, 64, 2);
  const moment = { seed: 1, step: 0, evaluation: false };

  it("masks everything chosen when told to", () => {
    const { masked, predicted } = outcome(batch, mlm(kitTokens, { replace: "mask" }).prepare(batch, moment).feeds);
    expect(masked).toBe(predicted);
  });

  it("evaluates on 15 % mask tokens whatever its own rate", () => {
    const rates = [mlm(kitTokens), mlm(kitTokens, { rate: 0.5 })].map((o) =>
      outcome(batch, o.prepare(batch, { ...moment, evaluation: true }).feeds),
    );
    expect(rates[0]).toEqual(rates[1]);
    expect(rates[0]?.masked).toBe(rates[0]?.predicted);
    expect(Math.abs((rates[0]?.predicted ?? 0) / maskable(batch) - 0.15)).toBeLessThan(0.02);
  });

  it("masks a sequence alike in evaluation wherever it stands", () => {
    const objective = mlm(kitTokens);
    const evaluation = { ...moment, evaluation: true };
    const rows = batch.rows;
    const order = Array.from({ length: rows }, (_, i) => (i * 7 + 3) % rows);
    const turn = (x: Int32Array): Int32Array =>
      Int32Array.from(order.flatMap((row) => Array.from(x.subarray(row * batch.length, (row + 1) * batch.length))));
    const moved: TokenBatch = {
      ...batch,
      ids: turn(batch.ids),
      segments: turn(batch.segments),
      positions: turn(batch.positions),
      sequences: batch.sequences.map((s, i) => ({ ...s, row: order.indexOf(s.row), example: 1000 - i })),
    };
    const masked = objective.prepare(batch, evaluation).feeds["ids"]?.data as Int32Array;
    expect(objective.prepare(moved, evaluation).feeds["ids"]?.data).toEqual(turn(masked));
    expect(objective.prepare(moved, moment).feeds["ids"]?.data).not.toEqual(
      turn(objective.prepare(batch, moment).feeds["ids"]?.data as Int32Array),
    );
  });

  it("says which options are in force", () => {
    expect(mlm(kitTokens).options).toEqual({ rate: 0.15, replace: "bert", unit: "token" });
    expect(mlm(kitTokens, { labelSmoothing: 0.1, zLoss: 1e-4 }).options).toEqual({
      rate: 0.15,
      replace: "bert",
      unit: "token",
      labelSmoothing: 0.1,
      zLoss: 1e-4,
    });
  });

  it("follows a rate schedule", () => {
    const objective = mlm(kitTokens, { rate: { 0: 0.1, 100: 0.3 } });
    const share = (step: number): number =>
      outcome(batch, objective.prepare(batch, { ...moment, step }).feeds).predicted / maskable(batch);
    expect([share(0), share(50), share(400)].map((x) => Math.round(x * 20) / 20)).toEqual([0.1, 0.2, 0.3]);
  });

  it("follows a rate over shares of the run, in slots of one size, and asks how far the run has come", () => {
    const objective = mlm(kitTokens, { rate: "0:0.4,1:0.1" });
    const feedsAt = (done: number): ReturnType<typeof objective.prepare>["feeds"] =>
      objective.prepare(batch, { ...moment, progress: { step: moment.step, share: done } }).feeds;
    const shares = [0, 0.5, 1].map((done) => outcome(batch, feedsAt(done)).predicted / maskable(batch));
    shares.forEach((share, i) => expect(Math.abs(share - ([0.4, 0.25, 0.1][i] as number))).toBeLessThan(0.03));
    expect(feedsAt(0)["slots.index"]?.shape).toEqual(feedsAt(1)["slots.index"]?.shape);
    expect(() => objective.prepare(batch, moment)).toThrow(
      /mlm: rate: expected progress that says what share of the run is done/,
    );
    expect(objective.prepare(batch, { ...moment, evaluation: true }).feeds).toEqual(
      mlm(kitTokens).prepare(batch, { ...moment, evaluation: true }).feeds,
    );
  });

  it("gives an unusual batch more slots rather than a cut", () => {
    const dense = kitBatch(9, 8, 64, 16);
    const objective = mlm(kitTokens, { rate: 0.9 });
    const usual = objective.prepare(kitBatch(9, 8, 64, 1), moment).feeds["slots.index"]?.shape[0] as number;
    const { predicted } = outcome(dense, objective.prepare(dense, moment).feeds);
    expect(predicted).toBeGreaterThan(0);
    expect(usual).toBeGreaterThanOrEqual(Math.ceil(0.9 * 8 * 64));
  });

  it.each([
    [{ rate: 0 }, /rate: expected a share between 0 and 1, got 0/],
    [{ rate: 1.5 }, /got 1.5/],
    [{ replace: { mask: 0.9, random: 0.2 } }, /mask \+ random <= 1/],
    [{ labelSmoothing: 1 }, /^mlm: labelSmoothing: expected a share from 0 to below 1, got 1/],
    [{ rates: 0.15 } as never, /unknown option "rates". It takes: rate, replace, unit, labelSmoothing, zLoss/],
  ])("refuses %j", (options, message) => {
    expect(() => mlm(kitTokens, options)).toThrow(message);
  });

  it("refuses a vocabulary without a mask token", () => {
    expect(() => mlm({ ...kitTokens, special: { pad: 0, unknown: 1 } })).toThrow(/no mask token/);
  });
});
