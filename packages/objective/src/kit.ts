/**
 * The kit that tests any objective: determinism, resume, independence of batching, padding and ranks, declared feeds
 * and weights, gradient. Objectives over sentence pairs and compositions must pass the same checks.
 *
 * Call it inside a vitest file. The kit makes its own batches of random sequences (or pairs, if the objective asks for
 * pairs) and its own tiny model. It computes with the interpreter, so it needs no backend.
 */
import { grad, interpret, showType, type Tensor } from "@cloze/graph";
import { RandomStream } from "@cloze/random";
import { initialize, openTrace, type FeedTypes, type Scope } from "@cloze/nn";
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import { kitModel } from "./kit-model.ts";
import { evaluationMask } from "./evaluation-mask.ts";
import { checkModel } from "./model-parts.ts";
import { feedTypes, type LossTerms, type Moment, type Objective, type Prepared, type TokenSet } from "./objective.ts";
import { predictSlots } from "./predict-slots.ts";
import { tokenLoss } from "./token-loss.ts";
import { shareFeed, shareFeeds, totalLoss } from "./total-loss.ts";

export { kitModel } from "./kit-model.ts";

export interface ObjectiveKitOptions {
  /** Makes the objective for the kit's own small vocabulary. */
  readonly create: (tokens: TokenSet) => Objective;
  /**
   * False for an objective that draws nothing: its feeds must then be the same for every seed and step. Default true.
   */
  readonly draws?: boolean;
  /** Further checks of the caller on one prepared batch (masking statistics and so on). */
  readonly inspect?: (prepared: Prepared, batch: TokenBatch, tokens: TokenSet) => void;
}

/** 5 special tokens (pad, unknown, start, end, mask) and 12 regular ones. */
export const kitTokens: TokenSet = {
  vocabulary: ["<pad>", "<unk>", "<cls>", "<eos>", "<mask>", ..."ACDEFGHIKLMN"],
  special: { pad: 0, unknown: 1, start: 2, end: 3, mask: 4 },
  specialIds: new Set([0, 1, 2, 3, 4]),
  regularIds: Array.from({ length: 12 }, (_, i) => i + 5),
};

/** Random sequences in rows: `perRow` sequences in each row, then padding. */
export function kitBatch(seed: number, rows: number, length: number, perRow: number): TokenBatch {
  const stream = new RandomStream(seed).split("kit");
  const ids = new Int32Array(rows * length);
  const segments = new Int32Array(rows * length);
  const positions = new Int32Array(rows * length);
  const sequences: PackedSequence[] = [];
  for (let row = 0; row < rows; row++) {
    let start = 0;
    for (let s = 0; s < perRow; s++) {
      const draw = stream.split(row).split(s);
      const room = Math.floor(length / perRow);
      const size = Math.max(3, room - draw.below(4, 0));
      for (let i = 0; i < size; i++) {
        const at = row * length + start + i;
        ids[at] = i === 0 ? 2 : i === size - 1 ? 3 : 5 + draw.below(12, i + 1);
        segments[at] = s + 1;
        positions[at] = i;
      }
      sequences.push({ example: row * perRow + s, row, start, length: size });
      start += size;
    }
  }
  return { rows, length, ids, segments, positions, sequences };
}

/**
 * The rows of `kitBatch` as pairs: a second `<eos>` inside each sequence, token types, and random labels. The last
 * sequence stays a single text.
 */
export function kitPairs(seed: number, rows: number, length: number, perRow: number): TokenBatch {
  const batch = kitBatch(seed, rows, length, perRow);
  const stream = new RandomStream(seed).split("pairs");
  const types = new Int32Array(rows * length);
  const ids = batch.ids.slice();
  const sequences = batch.sequences.map((s, i): PackedSequence => {
    if (i === batch.sequences.length - 1) return s;
    const second = 2 + stream.below(s.length - 3, 2 * i);
    const first = s.row * length + s.start;
    ids[first + second - 1] = 3;
    types.fill(1, first + second, first + s.length);
    return { ...s, pair: { second, label: stream.below(2, 2 * i + 1) === 0 ? 0 : 1 } };
  });
  return { ...batch, ids, types, sequences };
}

/** Rows `first` up to, not including, `last`, as a new batch. */
export function rowsOf(batch: TokenBatch, first: number, last: number): TokenBatch {
  return rowsAt(
    batch,
    Array.from({ length: last - first }, (_, i) => first + i),
  );
}

/** These rows of a batch, as a new batch. */
export function rowsAt(batch: TokenBatch, rows: readonly number[]): TokenBatch {
  const { length } = batch;
  const part = (x: Int32Array): Int32Array =>
    Int32Array.from(rows.flatMap((row) => Array.from(x.subarray(row * length, (row + 1) * length))));
  return {
    rows: rows.length,
    length,
    ids: part(batch.ids),
    segments: part(batch.segments),
    positions: part(batch.positions),
    ...(batch.types && { types: part(batch.types) }),
    sequences: rows.flatMap((row, at) => batch.sequences.filter((s) => s.row === row).map((s) => ({ ...s, row: at }))),
  };
}

/** The same rows with `extra` columns of padding at the end. */
export function paddedBy(batch: TokenBatch, extra: number): TokenBatch {
  const length = batch.length + extra;
  const wider = (x: Int32Array): Int32Array => {
    const out = new Int32Array(batch.rows * length);
    for (let r = 0; r < batch.rows; r++) out.set(x.subarray(r * batch.length, (r + 1) * batch.length), r * length);
    return out;
  };
  return {
    ...batch,
    length,
    ids: wider(batch.ids),
    segments: wider(batch.segments),
    positions: wider(batch.positions),
    ...(batch.types && { types: wider(batch.types) }),
  };
}

interface Traced {
  readonly terms: LossTerms;
  /** The loss to minimise: the sum of this part, with its further terms multiplied by their shares. */
  readonly total: Tensor<"f32">;
  readonly scope: Scope;
}

function trace(objective: Objective, types: FeedTypes, vocab: number): Traced {
  const { scope, feeds } = openTrace(types);
  const terms = objective.loss(scope, kitModel(vocab), feeds);
  return { scope, terms, total: totalLoss(terms, feeds).sum };
}

type Env = Record<string, ArrayLike<number>>;

function environment({ scope }: Traced, prepared: Prepared, seed = 1): Env {
  const env: Env = {};
  for (const [name, value] of Object.entries(initialize(scope.parameters, seed)))
    env[name] = Float64Array.from(value.data as Float32Array, (x) => x * 20);
  for (const [name, value] of Object.entries(prepared.feeds)) env[name] = value.data;
  return env;
}

interface Measured {
  readonly sum: number;
  readonly weight: number;
}

/** The terms of the loss, each summed over the parts of one global batch, and the total to minimise. */
function measure(
  objective: Objective,
  parts: readonly TokenBatch[],
  moment: Moment,
): { readonly terms: Readonly<Record<string, Measured>>; readonly total: number } {
  const made = parts.map((batch) => objective.prepare(batch, moment));
  const shares = shareFeeds(made);
  const terms: Record<string, Measured> = {};
  let total = 0;
  for (const { feeds, weights } of made) {
    const prepared: Prepared = { feeds: { ...feeds, ...shares } };
    const traced = trace(objective, feedTypes(prepared), kitTokens.vocabulary.length);
    const named = { loss: traced.terms.loss, ...traced.terms.further };
    const env = environment(traced, prepared);
    const names = Object.keys(named);
    // Shares are rounded to f32. The comparison uses exact shares instead.
    for (const feed of Object.keys(shares))
      env[feed] = [1 / made.reduce((n, p) => n + (p.weights?.[feed.slice(shareFeed("").length)] ?? 0), 0)];
    const values = interpret([traced.total, ...Object.values(named).flatMap(({ sum, weight }) => [sum, weight])], env, {
      precision: "f64",
    }).map(({ data }) => data[0] as number);
    total += values[0] as number;
    for (const [i, name] of names.entries()) {
      const sum = values[1 + 2 * i] as number;
      const weight = values[2 + 2 * i] as number;
      const before = terms[name] ?? { sum: 0, weight: 0 };
      if (weights !== undefined)
        expect(weights[name], `prepare's weight of ${name}, against the graph's`).toBeCloseTo(weight, 6);
      terms[name] = { sum: before.sum + sum, weight: before.weight + weight };
    }
  }
  return { terms, total };
}

function expectSame(got: ReturnType<typeof measure>, whole: ReturnType<typeof measure>): void {
  expect(Object.keys(got.terms)).toEqual(Object.keys(whole.terms));
  for (const [name, { sum, weight }] of Object.entries(whole.terms)) {
    expect(weight, `weight of ${name}`).toBeGreaterThan(0);
    expect(got.terms[name]?.weight, `weight of ${name}`).toBeCloseTo(weight, 10);
    expect(got.terms[name]?.sum, `sum of ${name}`).toBeCloseTo(sum, 8);
  }
  expect(got.total).toBeCloseTo(whole.total, 8);
}

/** Runs the kit, a vitest suite for one objective. */
export function testObjective({ create, inspect, draws = true }: ObjectiveKitOptions): void {
  const objective = create(kitTokens);
  const training: Moment = { seed: 3, step: 5, evaluation: false };
  const batchOf = typeof objective.rows === "object" ? kitPairs : kitBatch;
  const whole = batchOf(1, 6, 24, 2);

  describe(`objective ${objective.name}`, () => {
    it("requires a part that models have", () =>
      checkModel(objective, kitModel(kitTokens.vocabulary.length), "the kit's model"));

    it("prepares the same feeds again, and leaves the batch as it was", () => {
      const before = structuredClone(whole);
      const first = objective.prepare(whole, training);
      const second = create(kitTokens).prepare(whole, training);
      expect(second).toEqual(first);
      expect(whole).toEqual(before);
    });

    it("prepares a step alike whether those before it were prepared or not: a resumed run goes on as it would have", () => {
      const resumed = create(kitTokens);
      const steps = [4, 5, 6].map((step) => objective.prepare(whole, { ...training, step }));
      expect(resumed.prepare(whole, { ...training, step: 6 })).toEqual(steps[2]);
      expect(resumed.prepare(whole, { ...training, step: 4 })).toEqual(steps[0]);
    });

    it(draws ? "draws anew for another step and another seed" : "draws nothing: every step and seed are alike", () => {
      const feeds = objective.prepare(whole, training).feeds;
      for (const other of [
        { ...training, step: 6 },
        { ...training, seed: 4 },
      ]) {
        if (draws) expect(objective.prepare(whole, other).feeds).not.toEqual(feeds);
        else expect(objective.prepare(whole, other).feeds).toEqual(feeds);
      }
    });

    it("evaluates on the same corruption whatever the seed and the step", () => {
      const one = objective.prepare(whole, { seed: 1, step: 0, evaluation: true });
      expect(objective.prepare(whole, { seed: 9, step: 77, evaluation: true }).feeds).toEqual(one.feeds);
    });

    if (objective.comparable) {
      it("evaluates on the mask that all runs are compared by, with the plain cross entropy", () => {
        const evaluation: Moment = { ...training, evaluation: true };
        const masked = evaluationMask(whole, kitTokens);
        const { feeds } = objective.prepare(whole, evaluation);
        expect(feeds["ids"]).toEqual(masked.feeds["ids"]);
        const plain: Objective<"masked-lm"> = {
          name: objective.name,
          requires: "masked-lm",
          options: {},
          prepare: (batch) => evaluationMask(batch, kitTokens),
          loss: (scope, model, slots) => tokenLoss(objective.name).terms(predictSlots(scope, model, slots)),
        };
        const { loss } = measure(objective, [whole], evaluation).terms;
        const expected = measure(plain, [whole], evaluation).terms["loss"] as Measured;
        expect(loss?.weight).toBe(expected.weight);
        expect(loss?.sum).toBeCloseTo(expected.sum, 8);
      });
    }

    it("declares feeds whose data fits their shape", () => {
      for (const [name, { dtype, shape, data }] of Object.entries(objective.prepare(whole, training).feeds)) {
        expect(data.length, `${name}: ${showType({ dtype, shape })}`).toBe(shape.reduce((n, d) => n * d, 1));
      }
    });

    it.each([2, 3])("gives the same loss whole and in %i parts: micro-batches and ranks", (parts) => {
      const total = measure(objective, [whole], training);
      const size = whole.rows / parts;
      const each = Array.from({ length: parts }, (_, i) => i);
      expectSame(
        measure(
          objective,
          each.map((i) => rowsOf(whole, i * size, (i + 1) * size)),
          training,
        ),
        total,
      );
      expectSame(
        measure(
          objective,
          each.map((rank) =>
            rowsAt(
              whole,
              Array.from({ length: size }, (_, i) => i * parts + rank),
            ),
          ),
          training,
        ),
        total,
      );
    });

    it("gives the same loss with more padding", () => {
      expectSame(measure(objective, [paddedBy(whole, 9)], training), measure(objective, [whole], training));
    });

    it("has the gradient that finite differences give", () => {
      const { feeds, ...more } = objective.prepare(rowsOf(whole, 0, 2), training);
      const prepared: Prepared = { ...more, feeds: { ...feeds, ...shareFeeds([{ feeds, ...more }]) } };
      const traced = trace(objective, feedTypes(prepared), kitTokens.vocabulary.length);
      const env = environment(traced, prepared);
      const parameters = [...traced.scope.parameters.values()];
      const grads = interpret(
        grad(
          traced.total,
          parameters.map((p) => p.tensor),
        ),
        env,
        { precision: "f64" },
      );
      const loss = (): number => interpret([traced.total], env, { precision: "f64" })[0]?.data[0] as number;
      for (const [i, p] of parameters.entries()) {
        const values = env[p.name] as Float64Array;
        const h = 1e-5;
        for (const at of [0, Math.floor(values.length / 2), values.length - 1]) {
          const old = values[at] as number;
          values[at] = old + h;
          const up = loss();
          values[at] = old - h;
          const down = loss();
          values[at] = old;
          expect(grads[i]?.data[at], `${p.name}[${at}]`).toBeCloseTo((up - down) / (2 * h), 5);
        }
      }
    });

    if (inspect)
      it("corrupts as it says", () =>
        inspect(objective.prepare(batchOf(2, 64, 64, 2), training), batchOf(2, 64, 64, 2), kitTokens));
  });
}
