// The loss as an estimate of the bound, on a model small enough for an exact sum: three tokens, eight masks, and a
// made-up loss of each token behind each mask.
import { kitTokens } from "@cloze/objective/kit";
import { RandomStream } from "@cloze/random";
import type { TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import { maskedDiffusion, NOISE, type MaskedDiffusionOptions, type NoiseSchedule } from "../src/index.ts";

const N = 3;
const LENGTH = N + 2;
const tokens = [0, 1, 2];
const masks = Array.from({ length: 2 ** N }, (_, mask) => mask);
const hides = (mask: number, i: number): boolean => (mask >> i) % 2 === 1;
const countOf = (mask: number): number => tokens.filter((i) => hides(mask, i)).length;

/** -log p(token i | the visible tokens), in nats. */
const nats = (mask: number, i: number): number => 0.2 + 3 * new RandomStream(9).split(mask).uniform(i);

/** Integral over p from `low` to 1 of p^(k-1) (1-p)^(N-k). */
function integral(k: number, low: number): number {
  const choose = [[1], [1, 1], [1, 2, 1]][N - k] as readonly number[];
  return choose.reduce((sum, c, j) => sum + ((-1) ** j * c * (1 - low ** (k + j))) / (k + j), 0);
}

/** The exact expectation of one sequence's loss: over every mask, and over time from `smallest` to 1. */
function bound(smallest: number, noise: NoiseSchedule): number {
  const low = NOISE[noise].share(smallest);
  const sum = masks
    .filter((mask) => mask > 0)
    .reduce(
      (n, mask) =>
        n + integral(countOf(mask), low) * tokens.filter((i) => hides(mask, i)).reduce((m, i) => m + nats(mask, i), 0),
      0,
    );
  return sum / (1 - smallest);
}

/** One sequence of three tokens, `perRow` times in each of `rows` rows. Each copy is an example of its own. */
function copies(rows: number, perRow: number): TokenBatch {
  const length = LENGTH * perRow;
  const at = Array.from({ length: rows * perRow }, (_, example) => ({
    example,
    row: Math.floor(example / perRow),
    start: (example % perRow) * LENGTH,
    length: LENGTH,
  }));
  const repeated = (values: readonly number[]): Int32Array => Int32Array.from(at.flatMap(() => values));
  return {
    rows,
    length,
    ids: repeated([2, 5, 6, 7, 3]),
    segments: Int32Array.from(at.flatMap(({ start }) => new Array<number>(LENGTH).fill(start / LENGTH + 1))),
    positions: repeated([0, 1, 2, 3, 4]),
    sequences: at,
  };
}

/** The losses of all sequences over some steps, computed from the feeds. */
function losses(options: MaskedDiffusionOptions, batch: TokenBatch, steps: number): number[] {
  const objective = maskedDiffusion(kitTokens, options);
  const found: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { feeds } = objective.prepare(batch, { seed: 1, step, evaluation: false });
    const hidden = new Uint8Array(batch.sequences.length);
    const sums = new Float64Array(batch.sequences.length);
    const index = feeds["slots.index"]?.data as Int32Array;
    const weight = feeds["slots.weight"]?.data as Float32Array;
    const used = Array.from(weight.keys()).filter((slot) => (weight[slot] as number) > 0);
    const placeOf = (slot: number): { sequence: number; i: number } => ({
      sequence: Math.floor((index[slot] as number) / LENGTH),
      i: ((index[slot] as number) % LENGTH) - 1,
    });
    for (const { sequence, i } of used.map(placeOf)) hidden[sequence] = (hidden[sequence] as number) | (1 << i);
    for (const slot of used) {
      const { sequence, i } = placeOf(slot);
      sums[sequence] = (sums[sequence] as number) + (weight[slot] as number) * nats(hidden[sequence] as number, i);
    }
    found.push(...sums);
  }
  return found;
}

const mean = (x: readonly number[]): number => x.reduce((n, v) => n + v, 0) / x.length;
const deviation = (x: readonly number[]): number => Math.sqrt(mean(x.map((v) => (v - mean(x)) ** 2)));

describe("the bound", () => {
  it("is the mean over all orders of predicting one token after another", () => {
    const orders = tokens.flatMap((a) => tokens.filter((b) => b !== a).map((b) => [a, b, N - a - b]));
    const chains = orders.map((order) =>
      order.reduce(
        (n, token, done) =>
          n +
          nats(
            order.slice(done).reduce((mask, i) => mask | (1 << i), 0),
            token,
          ),
        0,
      ),
    );
    for (const noise of ["linear", "cosine"] as const) expect(bound(0, noise)).toBeCloseTo(mean(chains), 12);
  });

  it.each<[string, MaskedDiffusionOptions, number]>([
    ["linear", {}, 1],
    ["linear and cut off early", { smallest: 0.1 }, 1],
    ["cosine", { noise: "cosine" }, 1],
    ["linear and spread over rows", { lowDiscrepancy: true }, 4],
  ])("is what the loss is in the mean: %s", (_, options, perRow) => {
    const found = losses(options, copies(256 / perRow, perRow), 60);
    const expected = bound(options.smallest ?? 1e-3, options.noise ?? "linear");
    const rows = Array.from({ length: found.length / perRow }, (_x, r) =>
      mean(found.slice(r * perRow, (r + 1) * perRow)),
    );
    const error = deviation(rows) / Math.sqrt(rows.length);
    expect(error).toBeLessThan(0.02 * expected);
    expect(Math.abs(mean(found) - expected)).toBeLessThan(4 * error);
  });

  it("is told from an unweighted loss by the same test", () => {
    const found = losses({ weight: "none" }, copies(256, 1), 20);
    expect(Math.abs(mean(found) - bound(1e-3, "linear"))).toBeGreaterThan(
      10 * (deviation(found) / Math.sqrt(found.length)),
    );
  });

  it("has rows that are alike where times are spread over them: what is masked of a row varies half as much", () => {
    const batch = copies(64, 8);
    const masked = (lowDiscrepancy: boolean): number[] =>
      Array.from({ length: 40 }, (_, step) => {
        const { feeds } = maskedDiffusion(kitTokens, { lowDiscrepancy }).prepare(batch, {
          seed: 1,
          step,
          evaluation: false,
        });
        const ids = feeds["ids"]?.data as Int32Array;
        return Array.from(
          { length: batch.rows },
          (_x, row) =>
            ids.slice(row * batch.length, (row + 1) * batch.length).filter((id) => id === kitTokens.special.mask)
              .length,
        );
      }).flat();
    // 24 tokens of share t have variance 24 E[t (1 - t)] = 4. Eight independent times add 8 * 9 / 12 = 6; eight evenly
    // spread times add 24^2 / 64 / 12 = 0.75.
    expect(deviation(masked(false)) ** 2).toBeCloseTo(10, 0);
    expect(deviation(masked(true)) ** 2).toBeCloseTo(4.75, 0);
  });
});
