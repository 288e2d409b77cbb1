/** AdamW, clipping and accumulation against torch: goldens of tooling/golden/optim.py. */
import { readFileSync } from "node:fs";
import { Graph, interpret, program, type Program, type Shape, type Tensor } from "@cloze/graph";
import { accumulate, accumulators, adamw, clipScale, resetAccumulators, type ParameterGroup } from "@cloze/optim";
import { describe, expect, it } from "vitest";

type Numbers = Readonly<Record<string, readonly number[]>>;

interface Golden {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly maxNorm: number;
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly start: Numbers;
  readonly steps: readonly {
    readonly lr: number;
    readonly weight: number;
    readonly norm: number;
    readonly gradientSums: Numbers;
    readonly parameters: Numbers;
  }[];
  readonly last: { readonly m: Numbers; readonly v: Numbers };
}

const golden = JSON.parse(readFileSync(new URL("golden/adamw.json", import.meta.url), "utf8")) as Golden;
const { beta1, beta2, eps, maxNorm } = golden;
const groups: readonly ParameterGroup[] = [
  { maxRank: 1, weightDecay: 0 },
  { name: "^table\\.", weightDecay: 0.2, lrScale: 0.5 },
  { weightDecay: 0.1 },
];
const optimizer = adamw({ beta1, beta2, eps, groups });

/** Runs a program and replaces its state, as a backend does. */
function step(
  p: Program,
  state: Record<string, ArrayLike<number>>,
  feeds: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, ArrayLike<number>> {
  const names = Object.keys(p.updates);
  const outputs = Object.keys(p.outputs);
  const values = interpret(
    [...Object.values(p.updates), ...Object.values(p.outputs)],
    { ...state, ...feeds },
    { precision: "f64" },
  );
  names.forEach((name, i) => {
    state[name] = values[i]?.data ?? [];
  });
  return Object.fromEntries(outputs.map((name, i) => [name, values[names.length + i]?.data ?? []]));
}

const hostScalars = (t: number, lr: number): Numbers =>
  Object.fromEntries(Object.entries(optimizer.hostScalars(t, lr)).map(([name, { data }]) => [name, Array.from(data)]));

function parametersOn(graph: Graph): Map<string, { readonly tensor: Tensor<"f32"> }> {
  return new Map(
    Object.entries(golden.shapes).map(([name, shape]) => [name, { tensor: graph.input(name, "f32", shape) }]),
  );
}

function zeroState(tensors: readonly Tensor[], names: readonly string[]): Record<string, ArrayLike<number>> {
  return Object.fromEntries(
    tensors.map((x, i) => [names[i] as string, new Array<number>(x.shape.reduce((n, d) => n * d, 1)).fill(0)]),
  );
}

const worst = (a: ArrayLike<number>, b: readonly number[]): number =>
  b.reduce((most, v, i) => Math.max(most, Math.abs(v - (a[i] ?? NaN))), a.length === b.length ? 0 : Infinity);

describe("adamw", () => {
  it("equals torch.optim.AdamW with clip_grad_norm_ over 20 steps, groups and all", () => {
    const graph = new Graph();
    const parameters = parametersOn(graph);
    const gradients = new Map(
      [...parameters].map(([name, { tensor }]) => [name, graph.input(`gradient.${name}`, "f32", tensor.shape)]),
    );
    const { scale, norm } = clipScale(gradients, { maxNorm, weight: graph.input("weight", "f32", []) });
    const { state: moments, updates } = optimizer.update({ graph, parameters, gradients, gradScale: scale });
    const p = program(graph, {
      state: [...[...parameters.values()].map((x) => x.tensor), ...moments],
      outputs: { norm },
      updates,
    });
    const state: Record<string, ArrayLike<number>> = {
      ...golden.start,
      ...zeroState(
        moments,
        optimizer.stateNames([...parameters].map(([name, { tensor }]) => ({ name, shape: tensor.shape }))),
      ),
    };

    golden.steps.forEach(({ lr, weight, norm: expected, gradientSums, parameters: after }, i) => {
      const feeds = Object.fromEntries(Object.entries(gradientSums).map(([name, data]) => [`gradient.${name}`, data]));
      const out = step(p, state, { ...feeds, weight: [weight], ...hostScalars(i + 1, lr) });
      expect(Math.abs((out.norm?.[0] ?? NaN) - expected)).toBeLessThan(1e-9);
      for (const [name, data] of Object.entries(after))
        expect(worst(state[name] ?? [], data), `${name}, step ${i + 1}`).toBeLessThan(1e-6);
    });
    for (const name of parameters.keys()) {
      expect(worst(state[`adamw.m.${name}`] ?? [], golden.last.m[name] ?? [])).toBeLessThan(1e-6);
      expect(worst(state[`adamw.v.${name}`] ?? [], golden.last.v[name] ?? [])).toBeLessThan(1e-6);
    }
  });

  it("gives the same through accumulation of uneven parts", () => {
    const graph = new Graph();
    const parameters = parametersOn(graph);
    const acc = accumulators(graph, parameters);
    const parts = new Map(
      [...parameters].map(([name, { tensor }]) => [name, graph.input(`gradient.${name}`, "f32", tensor.shape)]),
    );
    const add = program(graph, {
      state: acc.state,
      outputs: { weight: graph.input("weight", "f32", []) },
      updates: accumulate(acc, parts, {
        loss: graph.input("loss", "f32", []),
        weight: graph.input("weight", "f32", []),
      }),
    });
    const weight = acc.sums.get("weight") as Tensor<"f32">;
    const loss = acc.sums.get("loss") as Tensor<"f32">;
    const { scale, norm } = clipScale(acc.gradients, { maxNorm, weight });
    const { state: moments, updates } = optimizer.update({
      graph,
      parameters,
      gradients: acc.gradients,
      gradScale: scale,
    });
    const tensors = [...parameters.values()].map((x) => x.tensor);
    const apply = program(graph, {
      state: [...tensors, ...moments, ...acc.state],
      outputs: { norm, loss: loss.div(weight) },
      updates: { ...updates, ...resetAccumulators(acc) },
    });
    const state: Record<string, ArrayLike<number>> = {
      ...golden.start,
      ...zeroState(
        moments,
        optimizer.stateNames([...parameters].map(([name, { tensor }]) => ({ name, shape: tensor.shape }))),
      ),
      ...zeroState(acc.state, [...[...parameters.keys()].map((name) => `grad.${name}`), "sum.loss", "sum.weight"]),
    };

    golden.steps.forEach(({ lr, weight: whole, norm: expected, gradientSums, parameters: after }, i) => {
      for (const share of [0.25, 0, 0.75]) {
        const feeds = Object.fromEntries(
          Object.entries(gradientSums).map(([name, data]) => [`gradient.${name}`, data.map((v) => v * share)]),
        );
        step(add, state, { ...feeds, weight: [whole * share], loss: [2 * whole * share] });
      }
      const out = step(apply, state, hostScalars(i + 1, lr));
      expect(Math.abs((out.norm?.[0] ?? NaN) - expected)).toBeLessThan(1e-9);
      expect(out.loss?.[0]).toBeCloseTo(2, 12);
      for (const [name, data] of Object.entries(after))
        expect(worst(state[name] ?? [], data), `${name}, step ${i + 1}`).toBeLessThan(1e-6);
      expect(Array.from(state["grad.dense.bias"] ?? [])).toEqual([0, 0, 0, 0]);
      expect(Array.from(state["sum.weight"] ?? [])).toEqual([0]);
    });
  });
});
