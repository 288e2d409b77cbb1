/**
 * The kit that tests an objective, anyone's: determinism, independence of batching, padding and ranks, declared feeds, gradient.
 *
 * Call it inside a vitest file. It builds its own batches of random sequences and a tiny model of its own, and computes with the
 * interpreter, so it needs no backend.
 */
import { grad, Graph, interpret, showType, type Tensor, type TensorType } from "@cloze/graph";
import { embeddingLayer, initialize, linear, rootScope, type MaskedLm, type Scope } from "@cloze/nn";
import { RandomStream } from "@cloze/random";
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import { feedTypes, type LossTerms, type Moment, type Objective, type Prepared, type TokenSet } from "./objective.ts";

export interface ObjectiveKitOptions {
  /** Makes the objective for the kit's own small vocabulary. */
  readonly create: (tokens: TokenSet) => Objective;
  /** Checks of its own on one prepared batch (masking statistics and the like). */
  readonly inspect?: (prepared: Prepared, batch: TokenBatch, tokens: TokenSet) => void;
}

/** 5 special tokens (pad, unknown, start, end, mask) and 12 regular ones. */
export const kitTokens: TokenSet = {
  vocabulary: ["<pad>", "<unk>", "<cls>", "<eos>", "<mask>", ..."ACDEFGHIKLMN"],
  special: { pad: 0, unknown: 1, start: 2, end: 3, mask: 4 },
  specialIds: new Set([0, 1, 2, 3, 4]),
  regularIds: Array.from({ length: 12 }, (_, i) => i + 5),
};

/** Random sequences in rows: `perRow` sequences packed in each, the rest padding. */
export function kitBatch(seed: number, rows: number, length: number, perRow: number): TokenBatch {
  const stream = new RandomStream(seed).split("kit");
  const ids = new Int32Array(rows * length), segments = new Int32Array(rows * length), positions = new Int32Array(rows * length);
  const sequences: PackedSequence[] = [];
  for (let row = 0; row < rows; row++) {
    let start = 0;
    for (let s = 0; s < perRow; s++) {
      const draw = stream.split(row).split(s), room = Math.floor(length / perRow), size = Math.max(3, room - draw.below(4, 0));
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

/** Rows `first` to before `last` of a batch, as a batch of their own. */
export function rowsOf(batch: TokenBatch, first: number, last: number): TokenBatch {
  const part = (x: Int32Array): Int32Array => x.slice(first * batch.length, last * batch.length);
  return {
    rows: last - first, length: batch.length, ids: part(batch.ids), segments: part(batch.segments), positions: part(batch.positions),
    sequences: batch.sequences.filter((s) => s.row >= first && s.row < last).map((s) => ({ ...s, row: s.row - first })),
  };
}

/** The same rows with `extra` columns of padding at their end. */
export function paddedBy(batch: TokenBatch, extra: number): TokenBatch {
  const length = batch.length + extra;
  const wider = (x: Int32Array): Int32Array => {
    const out = new Int32Array(batch.rows * length);
    for (let r = 0; r < batch.rows; r++) out.set(x.subarray(r * batch.length, (r + 1) * batch.length), r * length);
    return out;
  };
  return { ...batch, length, ids: wider(batch.ids), segments: wider(batch.segments), positions: wider(batch.positions) };
}

/** A model with context small enough for finite differences: each token sees the mean of its segment. */
export function kitModel(vocab: number): MaskedLm {
  const hidden = 6;
  return {
    hidden,
    vocab,
    encode: (scope, { ids, segments }) => {
      const [rows, length] = ids.shape as [number, number];
      const x = embeddingLayer(scope.at("embedding"), ids, { vocab, hidden });
      const same = segments.reshape([rows, length, 1]).equal(segments.reshape([rows, 1, length])).cast("f32");
      const context = same.div(same.sum(-1, true)).matmul(x);
      return linear(scope.at("mix"), x.add(context), hidden).tanh();
    },
    predict: (scope, x) => linear(scope.at("head"), x, vocab),
  };
}

interface Traced {
  readonly terms: LossTerms;
  readonly scope: Scope;
}

function trace(objective: Objective, types: Readonly<Record<string, TensorType>>, vocab: number): Traced {
  const graph = new Graph(), scope = rootScope(graph);
  const feeds: Record<string, Tensor> = {};
  for (const [name, { dtype, shape }] of Object.entries(types)) feeds[name] = graph.input(name, dtype, shape);
  return { scope, terms: objective.loss(scope, kitModel(vocab), feeds) };
}

type Env = Record<string, ArrayLike<number>>;

function environment({ scope }: Traced, prepared: Prepared, seed = 1): Env {
  const env: Env = {};
  for (const [name, value] of Object.entries(initialize(scope.parameters, seed))) env[name] = Float64Array.from(value.data as Float32Array, (x) => x * 20);
  for (const [name, value] of Object.entries(prepared.feeds)) env[name] = value.data;
  return env;
}

function lossOf(objective: Objective, batch: TokenBatch, moment: Moment): { sum: number; weight: number } {
  const prepared = objective.prepare(batch, moment), traced = trace(objective, feedTypes(prepared), kitTokens.vocabulary.length);
  const [sum, weight] = interpret([traced.terms.loss.sum, traced.terms.loss.weight], environment(traced, prepared), { precision: "f64" });
  return { sum: sum?.data[0] as number, weight: weight?.data[0] as number };
}

/** Runs the kit: a vitest suite for one objective. */
export function testObjective({ create, inspect }: ObjectiveKitOptions): void {
  const objective = create(kitTokens), training: Moment = { seed: 3, step: 5, evaluation: false };
  const whole = kitBatch(1, 6, 24, 2);

  describe(`objective ${objective.name}`, () => {
    it("prepares the same feeds again, and leaves the batch as it was", () => {
      const before = structuredClone(whole), first = objective.prepare(whole, training), second = create(kitTokens).prepare(whole, training);
      expect(second.feeds).toEqual(first.feeds);
      expect(whole).toEqual(before);
    });

    it("draws anew for another step and another seed", () => {
      const feeds = objective.prepare(whole, training).feeds;
      expect(objective.prepare(whole, { ...training, step: 6 }).feeds).not.toEqual(feeds);
      expect(objective.prepare(whole, { ...training, seed: 4 }).feeds).not.toEqual(feeds);
    });

    it("evaluates on the same corruption whatever the seed and the step", () => {
      const one = objective.prepare(whole, { seed: 1, step: 0, evaluation: true });
      expect(objective.prepare(whole, { seed: 9, step: 77, evaluation: true }).feeds).toEqual(one.feeds);
    });

    it("declares feeds whose data fits their shape", () => {
      for (const [name, { dtype, shape, data }] of Object.entries(objective.prepare(whole, training).feeds)) {
        expect(data.length, `${name}: ${showType({ dtype, shape })}`).toBe(shape.reduce((n, d) => n * d, 1));
      }
    });

    it.each([2, 3])("gives the same loss whole and in %i parts: micro-batches and ranks", (parts) => {
      const total = lossOf(objective, whole, training), size = whole.rows / parts;
      const pieces = Array.from({ length: parts }, (_, i) => lossOf(objective, rowsOf(whole, i * size, (i + 1) * size), training));
      expect(total.weight).toBeGreaterThan(0);
      expect(pieces.reduce((s, p) => s + p.weight, 0)).toBeCloseTo(total.weight, 10);
      expect(pieces.reduce((s, p) => s + p.sum, 0)).toBeCloseTo(total.sum, 8);
    });

    it("gives the same loss with more padding", () => {
      const total = lossOf(objective, whole, training), padded = lossOf(objective, paddedBy(whole, 9), training);
      expect(padded.weight).toBeCloseTo(total.weight, 10);
      expect(padded.sum).toBeCloseTo(total.sum, 8);
    });

    it("has the gradient that finite differences give", () => {
      const prepared = objective.prepare(rowsOf(whole, 0, 2), training), traced = trace(objective, feedTypes(prepared), kitTokens.vocabulary.length);
      const env = environment(traced, prepared), { sum } = traced.terms.loss, parameters = [...traced.scope.parameters.values()];
      const grads = interpret(grad(sum, parameters.map((p) => p.tensor)), env, { precision: "f64" });
      const loss = (): number => interpret([sum], env, { precision: "f64" })[0]?.data[0] as number;
      for (const [i, p] of parameters.entries()) {
        const values = env[p.name] as Float64Array, h = 1e-5;
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

    if (inspect) it("corrupts as it says", () => inspect(objective.prepare(kitBatch(2, 64, 64, 2), training), kitBatch(2, 64, 64, 2), kitTokens));
  });
}
