import { Graph, interpret, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { accumulate, accumulators } from "./accumulate.ts";
import { adamw } from "./adamw.ts";
import { clipScale } from "./clip.ts";
import { gradients } from "./optimizer.ts";
import type { ParameterFacts } from "./parameter.ts";
import { decayGroups, groupOf, layerGroups } from "./parameter-group.ts";

describe("clipScale", () => {
  const graph = new Graph();
  const weight = graph.input("weight", "f32", []);
  const sums = new Map([
    ["a", graph.input("a", "f32", [2])],
    ["b", graph.input("b", "f32", [])],
  ]);
  const run = (maxNorm: number | undefined, w: number, a: readonly number[], b: number): number[] => {
    const { scale, norm } = clipScale(sums, { weight, ...(maxNorm !== undefined && { maxNorm }) });
    return interpret([scale, norm], { a, b: [b], weight: [w] }, { precision: "f64" }).map((v) => v.data[0] as number);
  };

  it("divides by the weight and leaves small gradients alone", () => {
    expect(run(4, 2, [2, 4], 4)).toEqual([0.5, 3]);
    expect(run(undefined, 2, [20, 40], 40)).toEqual([0.5, 30]);
  });

  it("scales large ones to the largest norm", () => {
    const [scale, norm] = run(1, 2, [2, 4], 4) as [number, number];
    expect(norm).toBe(3);
    expect(scale).toBeCloseTo(0.5 / 3, 6);
  });

  it("is 0 and not NaN without weight", () => {
    expect(run(1, 0, [0, 0], 0)).toEqual([0, 0]);
    expect(run(undefined, 0, [0, 0], 0)).toEqual([0, 0]);
  });

  it("passes on what is not finite", () => {
    expect(run(1, 1, [NaN, 0], 0)[1]).toBeNaN();
    expect(run(1, 1, [Infinity, 0], 0)).toEqual([0, Infinity]);
  });
});

describe("parameter groups", () => {
  it("do not decay vectors", () => {
    const groups = decayGroups(0.1);
    expect(groupOf(groups, { name: "dense.bias", shape: [4] }).weightDecay).toBe(0);
    expect(groupOf(groups, { name: "LayerNorm.weight", shape: [4] }).weightDecay).toBe(0);
    expect(groupOf(groups, { name: "dense.weight", shape: [4, 4] }).weightDecay).toBe(0.1);
    // A bias of rank 2, as XLNet has it, says what it is.
    expect(groupOf(groups, { name: "r_w_bias", shape: [4, 2], kind: "vector" }).weightDecay).toBe(0);
  });

  it("by layer: the rate falls with depth, vectors do not decay, what is frozen is said so", () => {
    const parameters: readonly ParameterFacts[] = [
      { name: "bert.embeddings.LayerNorm.weight", shape: [2], depth: 0 },
      { name: "bert.encoder.layer.0.output.dense.weight", shape: [2, 2], depth: 1 },
      { name: "bert.encoder.layer.10.output.dense.bias", shape: [2], depth: 11 },
      { name: "bert.encoder.layer.1.output.dense.weight", shape: [2, 2], depth: 2 },
      { name: "classifier.weight", shape: [2, 2] },
    ];
    const groups = layerGroups(parameters, { weightDecay: 0.1, lrDecay: 0.5, freeze: 1 });
    expect(parameters.map((parameter) => groupOf(groups, parameter))).toMatchObject([
      { frozen: true },
      { frozen: true },
      { weightDecay: 0, lrScale: 0.5 },
      { weightDecay: 0.1, lrScale: 0.5 ** 10 },
      { weightDecay: 0.1, lrScale: 1 },
    ]);
    expect(() => layerGroups(parameters, { weightDecay: 0, freeze: 12 })).toThrow(
      /freeze from 0 \(the embeddings\) to 11 \(all layers\), got 12/,
    );
    expect(() => layerGroups(parameters, { weightDecay: 0, lrDecay: 0 })).toThrow(/lrDecay above 0/);
  });

  it("are an error for a parameter without one", () => {
    expect(() => groupOf([{ minRank: 2, weightDecay: 0.1 }], { name: "dense.bias", shape: [4] })).toThrow(
      /none for "dense.bias" \[4\]/,
    );
  });
});

describe("adamw", () => {
  const scalar = (t: number, lr: number): number[] =>
    Object.values(adamw({ beta2: 0.98 }).hostScalars(t, lr)).map(({ data }) => data[0] as number);

  it("folds the bias corrections into two scalars", () => {
    const [lr, step, epsHat] = scalar(1, 0.1) as [number, number, number];
    expect(lr).toBe(Math.fround(0.1));
    expect(step).toBeCloseTo((0.1 * Math.sqrt(0.02)) / 0.1, 7);
    expect(epsHat).toBeCloseTo(1e-8 * Math.sqrt(0.02), 15);
    expect(scalar(100_000, 0.1)[1]).toBeCloseTo(0.1, 7);
  });

  it("leaves parameters without a gradient alone, and keeps no state for them", () => {
    const graph = new Graph();
    const tensor = graph.input("w", "f32", [2]);
    const frozen = graph.input("frozen", "f32", [2]);
    const loss = tensor.square().sum();
    const parameters = new Map([
      ["w", { tensor }],
      ["frozen", { tensor: frozen }],
    ]);
    const { state, updates } = adamw().update({
      graph,
      parameters,
      gradients: gradients(loss, new Map([["w", { tensor }]])),
      gradScale: graph.const(1, "f32"),
    });
    expect(Object.keys(updates)).toEqual(["w", "adamw.m.w", "adamw.v.w"]);
    expect(state.length).toBe(2);
  });

  it("refuses what has no meaning", () => {
    expect(() => adamw({ beta1: 1 })).toThrow(/beta1 in \[0, 1\), got 1/);
    expect(() => adamw({ eps: 0 })).toThrow(/eps above 0/);
    expect(() => adamw({ weightDecay: -1 })).toThrow(/weightDecay: expected a number of 0 or more, got -1/);
    expect(() => adamw({ weightDecay: 0.1, groups: decayGroups(0.1) })).toThrow(/got both/);
    expect(() => adamw().hostScalars(0, 0.1)).toThrow(/counted from 1, got t = 0/);
  });
});

describe("accumulate", () => {
  it("wants every gradient and every sum", () => {
    const graph = new Graph();
    const tensor = graph.input("w", "f32", [2]);
    const acc = accumulators(graph, new Map([["w", { tensor }]]), ["loss"]);
    const loss: Tensor<"f32"> = tensor.sum();
    expect(() => accumulate(acc, new Map(), { loss })).toThrow(/gradient of "w"/);
    expect(() => accumulate(acc, new Map([["w", tensor]]), {})).toThrow(/the sum "loss"/);
    expect(Object.keys(accumulate(acc, new Map([["w", tensor]]), { loss }))).toEqual(["grad.w", "sum.loss"]);
  });
});
