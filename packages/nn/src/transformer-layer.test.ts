import { gelu, Graph, interpret, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import {
  feedForward,
  initialize,
  layerNormLayer,
  multiHeadAttention,
  normal02,
  pooler,
  positionEmbedding,
  rootScope,
  segmentEmbedding,
  sinusoidalPositions,
  tokenEmbedding,
  tokenTable,
  transformerLayer,
  transformerLayers,
  zeros,
  type Scope,
  type TransformerLayerOptions,
} from "./index.ts";

const [batch, seq, hidden] = [2, 3, 8];

/** Values of the tensors that `build` returns, in f64, from initial weights of a seed and inputs that all differ. */
function values(
  build: (scope: Scope, x: Tensor<"f32">, positions: Tensor<"i32">) => readonly Tensor[],
  positions: readonly number[] = [0, 1, 2, 0, 1, 2],
): { readonly names: string[]; readonly numbers: number[][] } {
  const graph = new Graph();
  const scope = rootScope(graph);
  const x = graph.input("x", "f32", [batch, seq, hidden]);
  const roots = build(scope, x, graph.input("positions", "i32", [batch, seq]));
  const weights = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 5)).map(([name, { data }]) => [
      name,
      Float32Array.from(data, (w) => w * 10),
    ]),
  );
  const feeds = { x: Float32Array.from({ length: batch * seq * hidden }, (_, i) => Math.sin(i * i)), positions };
  return {
    names: [...scope.parameters.keys()],
    numbers: interpret(roots, { ...weights, ...feeds }, { precision: "f64" }).map(({ data }) => Array.from(data)),
  };
}

const options: TransformerLayerOptions = { norm: "post", eps: 1e-5, heads: 2, intermediate: 12, activation: gelu };
const close = (a: readonly number[] | undefined, b: readonly number[] | undefined): void => {
  expect(a?.length).toBe(b?.length);
  a?.forEach((v, i) => expect(v).toBeCloseTo(b?.[i] ?? NaN, 12));
};

describe("transformerLayer", () => {
  const linearNames = (name: string): string[] => [`${name}.weight`, `${name}.bias`];
  const projections = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
  ].flatMap(linearNames);

  it.each([
    { norm: "post", first: "attention.output.LayerNorm", second: "output.LayerNorm", is: "norm(x + f(x))" },
    { norm: "pre", first: "attention.LayerNorm", second: "LayerNorm", is: "x + f(norm(x))" },
  ] as const)("$norm-norm is $is", ({ norm, first, second }) => {
    const {
      names,
      numbers: [layer, byHand],
    } = values((scope, x) => {
      const { states } = transformerLayer(scope, x, { ...options, norm });
      const normed = (name: string, y: Tensor<"f32">): Tensor<"f32"> => layerNormLayer(scope.at(name), y, options.eps);
      const attend = (y: Tensor<"f32">): Tensor<"f32"> => multiHeadAttention(scope.at("attention"), y, options).states;
      const feed = (y: Tensor<"f32">): Tensor<"f32"> => feedForward(scope, y, options);
      if (norm === "post") {
        const y = normed(first, x.add(attend(x)));
        return [states, normed(second, y.add(feed(y)))];
      }
      const y = x.add(attend(normed(first, x)));
      return [states, y.add(feed(normed(second, y)))];
    });
    expect([...names].sort()).toEqual([...projections, ...[first, second].flatMap(linearNames)].sort());
    close(layer, byHand);
  });

  it("drops out only when training, attention and both blocks in streams of their own", () => {
    const draw = (rates: Partial<TransformerLayerOptions>): string => {
      const graph = new Graph();
      const scope = rootScope(graph, { random: { key: graph.input("key", "u32", [2]) } });
      const x = graph.input("x", "f32", [batch, seq, hidden]);
      const { states } = transformerLayer(scope, x, { ...options, ...rates });
      const feeds = { key: [1, 2], x: new Float32Array(batch * seq * hidden).map((_, i) => Math.cos(i)) };
      const weights = Object.fromEntries(
        Object.entries(initialize(scope.parameters, 5)).map(([name, { data }]) => [name, data]),
      );
      return Array.from(interpret([states], { ...weights, ...feeds })[0]?.data ?? []).join();
    };
    expect(
      new Set([
        draw({}),
        draw({ dropoutRate: 0.5 }),
        draw({ outputDropoutRate: 0.5 }),
        draw({ dropoutRate: 0.5, outputDropoutRate: 0.5 }),
      ]).size,
    ).toBe(4);
    expect(draw({ outputDropoutRate: 0.5 })).toBe(draw({ outputDropoutRate: 0.5 }));
  });
});

describe("transformerLayers", () => {
  it("stand one upon the other, each in a scope of its own", () => {
    const {
      names,
      numbers: [stacked, byHand, map],
    } = values((scope, x) => {
      const { states, probabilities } = transformerLayers(scope.at("layer"), x, 2, options);
      const below = transformerLayer(scope.at("layer.0"), x, options).states;
      expect([states.length, states[0] === x]).toEqual([3, true]);
      return [
        states[2] as Tensor,
        transformerLayer(scope.at("layer.1"), below, options).states,
        probabilities()[1] as Tensor,
      ];
    });
    expect(names.filter((name) => name.endsWith("query.weight"))).toEqual([
      "layer.0.attention.self.query.weight",
      "layer.1.attention.self.query.weight",
    ]);
    close(stacked, byHand);
    // Each row of probabilities sums to 1.
    for (let i = 0; i < batch * 2 * seq; i++)
      expect((map ?? []).slice(i * seq, (i + 1) * seq).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  });
});

describe("input embeddings", () => {
  it("look rows up; the row of padding starts at zero", () => {
    const {
      numbers: [token, place, table],
    } = values((scope, _, positions) => [
      tokenEmbedding(scope.at("word"), positions, { vocab: 4, hidden, padId: 1 }),
      positionEmbedding(scope.at("place"), positions, { count: 3, hidden }),
      tokenTable(scope.at("word"), { vocab: 4, hidden, padId: 1 }),
    ]);
    expect(token?.slice(hidden, 2 * hidden).every((v) => v === 0)).toBe(true);
    expect(token?.slice(0, hidden)).toEqual(table?.slice(0, hidden));
    expect(place?.slice(0, hidden)).toEqual(place?.slice(3 * hidden, 4 * hidden));
  });

  it("of segments are those of type 0 where no types are given", () => {
    const {
      numbers: [given, absent],
    } = values((scope, x, positions) => {
      const options = { count: 2, hidden };
      return [
        x.add(segmentEmbedding(scope, positions.mul(0), options)),
        x.add(segmentEmbedding(scope, undefined, options)),
      ];
    });
    close(given, absent);
  });
});

describe("sinusoidalPositions", () => {
  const places = [0, 1, 2, 7, 100, 511];
  const at = (p: number, c: number, base = 10_000): number => p / base ** ((2 * c) / hidden);

  it.each([
    ["interleaved", undefined],
    ["halves", 500],
  ] as const)("%s, base %s, is the formula", (layout, base) => {
    const {
      numbers: [ours],
    } = values(
      (_, __, positions) => [sinusoidalPositions(positions, { hidden, layout, ...(base && { base }) })],
      places,
    );
    const expected = places.flatMap((p) =>
      Array.from({ length: hidden }, (_, i) => {
        const [c, odd] = layout === "halves" ? [i % (hidden / 2), i >= hidden / 2] : [i >> 1, i % 2 === 1];
        return odd ? Math.cos(at(p, c, base)) : Math.sin(at(p, c, base));
      }),
    );
    close(ours, expected);
  });

  it("wants an even size", () => {
    expect(() => sinusoidalPositions(new Graph().input("p", "i32", [1, 2]), { hidden: 7 })).toThrow(
      "expected an even hidden size (sines and cosines come in pairs), got 7",
    );
  });
});

describe("pooler", () => {
  it("is tanh of a dense layer", () => {
    const {
      names,
      numbers: [ours, byHand],
    } = values((scope, x) => {
      const first = x.slice(1, 0, 1).reshape([batch, hidden]);
      const dense = scope.at("pooler.dense");
      const weight = dense.param("weight", [hidden, hidden], { init: normal02 });
      const bias = dense.param("bias", [hidden], { init: zeros });
      return [pooler(scope.at("pooler"), first), first.matmul(weight.transpose()).add(bias).tanh()];
    });
    expect(names).toEqual(["pooler.dense.weight", "pooler.dense.bias"]);
    close(ours, byHand);
  });
});
