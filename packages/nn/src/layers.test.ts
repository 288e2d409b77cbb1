import { gelu, Graph, interpret, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { dropoutLayer } from "./dropout.ts";
import { embeddingLayer } from "./embedding.ts";
import { feedForward } from "./feed-forward.ts";
import { gatedFeedForward } from "./gated-feed-forward.ts";
import { layerNormLayer, rmsNormLayer } from "./layer-norm.ts";
import { linear, project } from "./linear.ts";
import { rootScope, type Scope } from "./scope.ts";

function run(
  build: (scope: Scope, x: Tensor<"f32">) => Tensor,
  shape: readonly number[],
  x: readonly number[],
  parameters: Readonly<Record<string, readonly number[]>>,
): number[] {
  const scope = rootScope(new Graph());
  const y = build(scope.at("layer"), scope.graph.input("x", "f32", shape));
  return Array.from(interpret([y], { x, ...parameters })[0]?.data ?? []);
}

describe("linear", () => {
  const weight = [1, 2, 3, 4, 5, 6];
  const bias = [10, 20, 30];

  it("is x W^T + b, W stored [out, in], over any leading axes", () => {
    const expected = [1 * 1 + 2 * -1 + 10, 3 - 4 + 20, 5 - 6 + 30];
    for (const shape of [[2], [1, 2], [1, 1, 2]]) {
      expect(run((s, x) => linear(s, x, 3), shape, [1, -1], { "layer.weight": weight, "layer.bias": bias })).toEqual(
        expected,
      );
    }
  });

  it("makes one 2-D matmul of a batch", () => {
    const scope = rootScope(new Graph());
    const y = linear(scope, scope.graph.input("x", "f32", [4, 5, 2]), 3, { bias: false });
    expect(y.shape).toEqual([4, 5, 3]);
    expect(y.args[0]?.shape).toEqual([20, 3]);
    expect([...scope.parameters.keys()]).toEqual(["weight"]);
  });

  it("shares a weight through project", () => {
    const scope = rootScope(new Graph());
    const x = scope.graph.input("x", "f32", [1, 2]);
    expect(project(x, scope.param("weight", [3, 2], { init: { kind: "ones" } }))).toBe(
      linear(scope, x, 3, { bias: false }),
    );
  });
});

describe("embeddingLayer", () => {
  it("takes rows by id", () => {
    const scope = rootScope(new Graph());
    const y = embeddingLayer(scope.at("table"), scope.graph.input("ids", "i32", [1, 3]), { vocab: 3, hidden: 2 });
    expect(Array.from(interpret([y], { ids: [2, 0, 2], "table.weight": [1, 2, 3, 4, 5, 6] })[0]?.data ?? [])).toEqual([
      5, 6, 1, 2, 5, 6,
    ]);
  });
});

describe("norms", () => {
  it("normalise the last axis", () => {
    const y = run((s, x) => layerNormLayer(s, x, 0), [1, 2], [1, 3], { "layer.weight": [2, 2], "layer.bias": [0, 1] });
    expect(y).toEqual([-2, 3]);
    expect(
      run((s, x) => layerNormLayer(s, x, 0, { kind: "ones" }, { bias: false }), [1, 2], [1, 3], {
        "layer.weight": [2, 2],
      }),
    ).toEqual([-2, 2]);
    expect(run((s, x) => rmsNormLayer(s, x, 0), [1, 2], [3, 3], { "layer.weight": [1, 2] })).toEqual([1, 2]);
  });
});

describe("feedForward", () => {
  it("is up, activation, down, under the names it is told", () => {
    const scope = rootScope(new Graph());
    const x = scope.graph.input("x", "f32", [1, 2, 4]);
    expect(feedForward(scope, x, { intermediate: 8, activation: gelu }).shape).toEqual([1, 2, 4]);
    feedForward(scope, x, { intermediate: 8, activation: gelu, up: "mlp.Wi", down: "mlp.Wo", linear: { bias: false } });
    expect([...scope.parameters.keys()]).toEqual([
      "intermediate.dense.weight",
      "intermediate.dense.bias",
      "output.dense.weight",
      "output.dense.bias",
      "mlp.Wi.weight",
      "mlp.Wo.weight",
    ]);
  });
});

describe("gatedFeedForward", () => {
  const options = {
    intermediate: 2,
    activation: (x: Tensor<"f32">): Tensor<"f32"> => x.max(0),
    up: "Wi",
    down: "Wo",
    linear: { bias: false },
  } as const;

  it("activates the first half and multiplies it by the second", () => {
    // up(x) = [3, -3, 6, 9]. The input of down is [relu(3) * 6, relu(-3) * 9] = [18, 0].
    const y = run((s, x) => gatedFeedForward(s, x, options), [1, 1], [3], {
      "layer.Wi.weight": [1, -1, 2, 3],
      "layer.Wo.weight": [1, 5],
    });
    expect(y).toEqual([18]);
  });

  it("may start its two projections differently", () => {
    const scope = rootScope(new Graph());
    gatedFeedForward(scope, scope.graph.input("x", "f32", [1, 4]), {
      ...options,
      downLinear: { init: { kind: "zeros" } },
    });
    expect([...scope.parameters.values()].map(({ name, shape, init }) => [name, shape, init.kind])).toEqual([
      ["Wi.weight", [4, 4], "normal"],
      ["Wo.weight", [4, 2], "zeros"],
      ["Wo.bias", [4], "zeros"],
    ]);
  });
});

describe("dropoutLayer", () => {
  const drop = (scope: Scope, x: Tensor<"f32">, rate: number): Tensor<"f32"> => dropoutLayer(scope.at("a"), x, rate);

  it("does nothing without randomness or rate", () => {
    const still = rootScope(new Graph());
    const x = still.graph.input("x", "f32", [8]);
    expect(drop(still, x, 0.5)).toBe(x);
    const training = rootScope(still.graph, { random: { key: still.graph.input("key", "u32", [2]) } });
    expect(drop(training, x, 0)).toBe(x);
  });

  it("draws by key and by layer", () => {
    const graph = new Graph();
    const scope = rootScope(graph, { random: { key: graph.input("key", "u32", [2]) } });
    const x = graph.input("x", "f32", [256]);
    const at = (step: number, path = "a"): number[] =>
      Array.from(
        interpret([dropoutLayer(scope.at(path), x, 0.25)], { key: [7, step], x: new Array<number>(256).fill(1) })[0]
          ?.data ?? [],
      );
    expect(at(1)).toEqual(at(1));
    expect(at(1)).not.toEqual(at(2));
    expect(at(1)).not.toEqual(at(1, "b"));
    expect(new Set(at(1))).toEqual(new Set([0, Math.fround(4 / 3)]));
    expect(Math.abs(at(1).filter((v) => v === 0).length / 256 - 0.25)).toBeLessThan(0.1);
  });
});
