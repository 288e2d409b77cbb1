import { grad, Graph, interpret, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { initialize } from "./init.ts";
import { rotary } from "./rotary.ts";
import { rootScope, type Scope } from "./scope.ts";
import {
  attend,
  attentionProbabilities,
  fusedQueryKeyValue,
  mergeHeads,
  queryKeyValue,
  selfAttention,
  splitHeads,
  type SelfAttentionOptions,
} from "./self-attention.ts";

const seq = 5;
const hidden = 8;
const heads = 2;
const sequence = Array.from({ length: seq * hidden }, (_, i) => Math.sin(3 * i));

interface Inputs {
  readonly x: Tensor<"f32">;
  readonly segments: Tensor<"i32">;
  readonly positions: Tensor<"i32">;
}

function run(
  build: (scope: Scope, inputs: Inputs) => Tensor,
  feeds: Readonly<Record<string, readonly number[]>>,
): number[] {
  const graph = new Graph();
  const scope = rootScope(graph);
  const y = build(scope, {
    x: graph.input("x", "f32", [1, seq, hidden]),
    segments: graph.input("segments", "i32", [1, seq]),
    positions: graph.input("positions", "i32", [1, seq]),
  });
  const parameters = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [name, Array.from(data, (v) => 30 * v)]),
  );
  return Array.from(
    interpret(
      [y],
      { x: sequence, segments: [1, 1, 1, 2, 2], positions: [0, 1, 2, 0, 1], ...feeds, ...parameters },
      { precision: "f64" },
    )[0]?.data ?? [],
  );
}

const attended =
  (more: Partial<SelfAttentionOptions>) =>
  (scope: Scope, { x, segments, positions }: Inputs): Tensor =>
    selfAttention(scope, x, { heads, segments, rope: { positions }, ...more });

describe("selfAttention", () => {
  it("declares query, key and value", () => {
    const scope = rootScope(new Graph());
    selfAttention(scope.at("self"), scope.graph.input("x", "f32", [2, 3, 4]), { heads: 2 });
    expect([...scope.parameters.keys()]).toEqual(
      ["query", "key", "value"].flatMap((part) => [`self.${part}.weight`, `self.${part}.bias`]),
    );
  });

  it("keeps segments apart: one does not feel the other", () => {
    const plain = run(attended({}), {});
    const changed = sequence.map((v, i) => (i >= 3 * hidden ? v + 1 : v));
    const other = run(attended({}), { x: changed });
    expect(other.slice(0, 3 * hidden)).toEqual(plain.slice(0, 3 * hidden));
    expect(other.slice(3 * hidden)).not.toEqual(plain.slice(3 * hidden));
  });

  it("sees distances, not places, through rotary positions", () => {
    const far = run(attended({}), { positions: [7, 8, 9, 4, 5] });
    const plain = run(attended({}), {});
    far.forEach((v, i) => expect(Math.abs(v - (plain[i] as number))).toBeLessThan(1e-9));
    const bent = run(attended({}), { positions: [0, 2, 4, 0, 2] });
    expect(Math.max(...bent.map((v, i) => Math.abs(v - (plain[i] as number))))).toBeGreaterThan(1e-3);
  });

  it.each([{}, { softcap: 0.1 }, { window: 1 }])("shows the probabilities it weighs by: %o", (more) => {
    const options = (inputs: Inputs): SelfAttentionOptions => ({
      heads,
      segments: inputs.segments,
      rope: { positions: inputs.positions },
      ...more,
    });
    const rebuilt = run((scope, inputs) => {
      const parts = queryKeyValue(scope, inputs.x, options(inputs));
      return mergeHeads(attentionProbabilities(scope, parts, options(inputs)).matmul(parts.v));
    }, {});
    const plain = run(attended(more), {});
    rebuilt.forEach((v, i) => expect(Math.abs(v - (plain[i] as number))).toBeLessThan(1e-12));
  });

  it("is the same from one projection whose rows are those of queries, keys and values", () => {
    const graph = new Graph();
    const scope = rootScope(graph);
    const x = graph.input("x", "f32", [1, seq, hidden]);
    const options: SelfAttentionOptions = { heads, rope: { positions: graph.input("positions", "i32", [1, seq]) } };
    const roots = [
      attend(scope, fusedQueryKeyValue(scope.at("Wqkv"), x, options), options),
      selfAttention(scope, x, options),
    ];
    const parts = ["query", "key", "value"];
    const numbers = (size: number, kind: string): [string, number[]][] =>
      parts.map((part, i) => [`${part}.${kind}`, Array.from({ length: size }, (_, k) => Math.cos(k * (i + 2)))]);
    const weights = numbers(hidden * hidden, "weight");
    const biases = numbers(hidden, "bias");
    const joined = (all: [string, number[]][]): number[] => all.flatMap(([, values]) => values);
    const feeds = {
      x: sequence,
      positions: [0, 1, 2, 3, 4],
      ...Object.fromEntries([...weights, ...biases]),
      "Wqkv.weight": joined(weights),
      "Wqkv.bias": joined(biases),
    };
    const [fused, apart] = interpret(roots, feeds, { precision: "f64" });
    expect(scope.parameters.get("Wqkv.weight")?.shape).toEqual([3 * hidden, hidden]);
    expect(apart?.data.length).toBe(seq * hidden);
    Array.from(apart?.data ?? []).forEach((v, i) =>
      expect(Math.abs(v - (fused?.data[i] as number))).toBeLessThan(1e-12),
    );
  });

  it("refuses heads that do not divide the hidden size", () => {
    const scope = rootScope(new Graph());
    expect(() => selfAttention(scope, scope.graph.input("x", "f32", [1, 2, 10]), { heads: 4 })).toThrow(
      /4 heads divide, got 10/,
    );
  });
});

describe("splitHeads and mergeHeads", () => {
  it("are inverses, and a head is a run of channels", () => {
    const graph = new Graph();
    const x = graph.input("x", "f32", [1, seq, hidden]);
    const split = splitHeads(x, heads);
    const [first, back] = interpret([split.slice(1, 0, 1), mergeHeads(split)], { x: sequence });
    expect(split.shape).toEqual([1, heads, seq, hidden / heads]);
    expect(Array.from(first?.data ?? []).slice(0, 4)).toEqual(sequence.slice(0, 4).map(Math.fround));
    expect(Array.from(back?.data ?? [])).toEqual(sequence.map(Math.fround));
  });
});

describe("rotary", () => {
  const graph = new Graph();
  const x = graph.input("x", "f32", [2, 1, 3, 4]);
  const positions = graph.input("positions", "i32", [2, 3]);
  const feeds = { x: Array.from({ length: 24 }, (_, i) => Math.cos(5 * i)), positions: [0, 1, 7, 3, 2, 1] };
  const values = (y: Tensor): number[] => Array.from(interpret([y], feeds, { precision: "f64" })[0]?.data ?? []);
  const close = (a: readonly number[], b: readonly number[]): void =>
    a.forEach((v, i) => expect(Math.abs(v - (b[i] as number))).toBeLessThan(1e-12));

  it("by the formula's frequencies is rope, forward and backward", () => {
    const byBase = rotary(x, { positions, base: 100 });
    const byFrequency = rotary(x, { positions, frequencies: [1, 0.1] });
    close(values(byFrequency), values(byBase));
    const slope = (y: Tensor<"f32">): number[] => values(grad(y.mul(y.exp()).sum(), [x])[0] as Tensor);
    close(slope(byFrequency), slope(byBase));
  });

  it("takes one row of positions for all of a batch", () => {
    const shared = graph.input("positions1", "i32", [1, 3]);
    const y = rotary(x, { positions: shared, frequencies: [1, 0.1] });
    expect(
      Array.from(interpret([y], { ...feeds, positions1: [0, 1, 7] }, { precision: "f64" })[0]?.data ?? []).slice(0, 12),
    ).toEqual(values(rotary(x, { positions, frequencies: [1, 0.1] })).slice(0, 12));
  });

  it("refuses frequencies that do not fit", () => {
    expect(() => rotary(x, { positions, frequencies: [1] })).toThrow(/half the head dimension 4, got 1/);
  });
});
