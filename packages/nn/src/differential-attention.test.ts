import {
  attentionComposite,
  grad,
  Graph,
  interpret,
  isOp,
  lower,
  order,
  program,
  programRoots,
  type Tensor,
} from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { differentialLambdaInit } from "./differential-attention.ts";
import { initialize } from "./init.ts";
import { rootScope, type Scope } from "./scope.ts";
import {
  attend,
  attentionProbabilities,
  mergeHeads,
  queryKeyValue,
  selfAttention,
  splitHeads,
  type Heads,
  type SelfAttentionOptions,
} from "./self-attention.ts";
import { transformerLayers } from "./transformer-layer.ts";

const seq = 5;
const hidden = 16;
const heads = 4;
const headDim = hidden / heads;
const layer = 2;
const options: SelfAttentionOptions = { heads, differential: { layer } };
const sequence = Array.from({ length: seq * hidden }, (_, i) => Math.sin(3 * i));

const numbers = ({ parameters }: Scope): Record<string, number[]> => {
  const wide = new Map(
    [...parameters].map(([name, { shape }]) => [name, { shape, init: { kind: "normal", std: 0.7 } as const }]),
  );
  return Object.fromEntries(Object.entries(initialize(wide, 1)).map(([name, { data }]) => [name, Array.from(data)]));
};

/**
 * The results of `build` for the sequence, in f64, with parameters far from zero. `given` replaces parameters by name.
 */
function run(
  build: (scope: Scope, x: Tensor<"f32">, segments: Tensor<"i32">) => readonly Tensor[],
  given: Readonly<Record<string, readonly number[]>> = {},
): number[][] {
  const graph = new Graph();
  const scope = rootScope(graph);
  const roots = build(scope, graph.input("x", "f32", [1, seq, hidden]), graph.input("segments", "i32", [1, seq]));
  return interpret(
    roots,
    { x: sequence, segments: [1, 1, 1, 2, 2], ...numbers(scope), ...given },
    { precision: "f64" },
  ).map(({ data }) => Array.from(data));
}

const close = (a: readonly number[], b: readonly number[], within = 1e-12): void => {
  expect(a.length).toBe(b.length);
  a.forEach((v, i) => expect(Math.abs(v - (b[i] as number))).toBeLessThan(within));
};
const vectors = (a: number, b: number): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(
    [
      ["lambda_q1", a],
      ["lambda_k1", 1],
      ["lambda_q2", b],
      ["lambda_k2", 1],
      ["subln.weight", 1],
    ].map(([name, v]) => [
      name as string,
      Array.from({ length: name === "subln.weight" ? 2 * headDim : headDim }, () => v as number),
    ]),
  );

describe("differential attention", () => {
  it("is called for by depth as published", () => {
    expect([0, 1, 27].map((i) => Number(differentialLambdaInit(i).toFixed(4)))).toEqual([0.2, 0.3555, 0.7998]);
  });

  it("declares four vectors and a gain beside the projections", () => {
    const scope = rootScope(new Graph());
    selfAttention(scope, scope.graph.input("x", "f32", [2, 3, hidden]), options);
    const more = [...scope.parameters]
      .filter(([name]) => !/^(query|key|value)/.test(name))
      .map(([name, { shape }]) => [name, ...shape]);
    expect(more).toEqual([
      ["lambda_q1", headDim],
      ["lambda_k1", headDim],
      ["lambda_q2", headDim],
      ["lambda_k2", headDim],
      ["subln.weight", 2 * headDim],
    ]);
  });

  it("is what its maps say, normed: a pair's values are its two heads'", () => {
    const [ours, maps, values] = run(
      (scope, x, segments) => {
        const given = { ...options, segments };
        const parts = queryKeyValue(scope, x, given);
        return [attend(scope, parts, given), attentionProbabilities(scope, parts, given), parts.v];
      },
      { "subln.weight": Array.from({ length: 2 * headDim }, (_, c) => 1 + c) },
    ) as [number[], number[], number[]];
    const start = differentialLambdaInit(layer);
    const expected: number[] = [];
    for (let i = 0; i < seq; i++) {
      for (let pair = 0; pair < heads / 2; pair++) {
        const row = Array.from({ length: 2 * headDim }, (_, c) => {
          const head = 2 * pair + Math.floor(c / headDim);
          return Array.from(
            { length: seq },
            (__, j) =>
              (maps[(pair * seq + i) * seq + j] as number) *
              (values[(head * seq + j) * headDim + (c % headDim)] as number),
          ).reduce((a, b) => a + b);
        });
        const size = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + 1e-5);
        expected.push(...row.map((v, c) => (v / size) * (1 + c) * (1 - start)));
      }
    }
    close(ours, expected);
  });

  it(
    "weighs the second map by exp(lq1 . lk1) - exp(lq2 . lk2) and where it starts: rows of the maps sum to the " +
      "rest of 1",
    () => {
      for (const [a, b] of [
        [0, 0],
        [0.1, -0.2],
      ] as const) {
        const [maps = []] = run(
          (scope, x, segments) => [
            attentionProbabilities(scope, queryKeyValue(scope, x, { ...options, segments }), { ...options, segments }),
            selfAttention(scope, x, options),
          ],
          vectors(a, b),
        );
        const rest = 1 - (Math.exp(headDim * a) - Math.exp(headDim * b) + differentialLambdaInit(layer));
        for (let row = 0; row < maps.length / seq; row++)
          expect(maps.slice(row * seq, (row + 1) * seq).reduce((x, y) => x + y)).toBeCloseTo(rest, 12);
        expect(maps.some((v) => v < 0)).toBe(true);
      }
    },
  );

  it("of two maps that are the same is that map, normed", () => {
    const alike = (x: Tensor<"f32">): Tensor<"f32"> => x.slice(1, 0, 1).broadcast([1, heads, seq, headDim]);
    const [ours = [], plain = []] = run(
      (scope, x) => {
        const { q, k, v } = queryKeyValue(scope, x, options);
        const parts: Heads = { q: alike(q), k: alike(k), v };
        const one = splitHeads(attend(scope, parts, { heads }), heads / 2);
        return [
          attend(scope, parts, options),
          mergeHeads(
            one.div(
              one
                .square()
                .mean(-1, true)
                .add(1e-5 / (1 - differentialLambdaInit(layer)) ** 2)
                .sqrt(),
            ),
          ),
        ];
      },
      vectors(0, 0),
    );
    close(
      ours,
      plain.map((v) => v * (1 - differentialLambdaInit(layer))),
      1e-9,
    );
  });

  it("keeps segments apart, forward and backward", () => {
    const [, first = []] = run((scope, x, segments) => {
      const y = selfAttention(scope, x, { ...options, segments });
      return [
        y,
        grad(
          y
            .slice(1, 0, 3)
            .square()
            .mul(scope.graph.iota([1, 3, hidden], 2).cast("f32"))
            .sum(),
          [x],
        )[0] as Tensor,
      ];
    });
    expect(first.slice(0, 3 * hidden).some((v) => Math.abs(v) > 1e-3)).toBe(true);
    expect(first.slice(3 * hidden).every((v) => v === 0)).toBe(true);
  });

  it("shares one set of scores where attention is expanded: 2 products of a map with values, not 2 maps more", () => {
    const products = (more: Partial<SelfAttentionOptions>): number => {
      const graph = new Graph();
      const x = graph.input("x", "f32", [1, seq, hidden]);
      const y = attend(
        rootScope(graph),
        { q: splitHeads(x, heads), k: splitHeads(x.exp(), heads), v: splitHeads(x.sin(), heads) },
        { heads, ...more },
      );
      return order(programRoots(lower(program(graph, { state: [], outputs: { y } }), {}))).filter(
        ({ op }) => op === "matmul",
      ).length;
    };
    expect([products({}), products({ differential: { layer } })]).toEqual([2, 3]);
  });

  it("is two attention composites whose queries, keys and values are of one shape, as kernels take them", () => {
    const graph = new Graph();
    const y = selfAttention(rootScope(graph), graph.input("x", "f32", [2, seq, hidden]), {
      ...options,
      window: 2,
      softcap: 3,
    });
    const calls = order([y])
      .filter((x) => isOp(x, "composite"))
      .filter((x) => x.attrs.composite === attentionComposite);
    expect(calls.map(({ args }) => args.slice(0, 3).map(({ shape }) => shape))).toEqual(
      [0, 1].map(() => [0, 1, 2].map(() => [2, heads, seq, headDim])),
    );
    expect(calls.map((x) => x.attrs.params)).toEqual(
      [0, 1].map(() => expect.objectContaining({ window: 2, softcap: 3 }) as unknown),
    );
  });

  it("drops the same of a map for both halves of its values", () => {
    const graph = new Graph();
    const scope = rootScope(graph, { random: { key: graph.input("key", "u32", [2]) } });
    const x = graph.input("x", "f32", [1, seq, hidden]);
    const { q, k, v } = queryKeyValue(scope, x, options);
    const even = v.slice(1, 0, 1).broadcast([1, heads, seq, headDim]);
    const [out] = interpret(
      [splitHeads(attend(scope, { q, k, v: even }, { ...options, dropoutRate: 0.5 }), heads)],
      { x: sequence, key: [1, 2], ...numbers(scope), "subln.weight": Array.from({ length: 2 * headDim }, () => 1) },
      { precision: "f64" },
    );
    const all = Array.from(out?.data ?? []);
    const size = seq * headDim;
    expect(all.length).toBe(heads * size);
    close(all.slice(0, size), all.slice(size, 2 * size));
    expect(all.slice(0, size)).not.toEqual(all.slice(2 * size, 3 * size));
  });

  it("knows the depth of each layer of a stack", () => {
    const graph = new Graph();
    const scope = rootScope(graph);
    const x = graph.input("x", "f32", [1, seq, hidden]);
    const { probabilities } = transformerLayers(scope, x, 2, {
      norm: "pre",
      eps: 1e-5,
      heads,
      intermediate: 4,
      activation: (y) => y,
      differential: { layer: 7 },
    });
    const flat = Object.fromEntries(
      Object.entries(numbers(scope)).map(([name, values]) => [
        name,
        name.includes("lambda") ? values.map(() => 0) : values,
      ]),
    );
    const maps = interpret(probabilities(), { x: sequence, ...flat }, { precision: "f64" });
    maps.forEach(({ data }, i) =>
      expect(
        Array.from(data)
          .slice(0, seq)
          .reduce((a, b) => a + b),
      ).toBeCloseTo(1 - differentialLambdaInit(i), 12),
    );
  });

  it("refuses an odd number of heads", () => {
    const scope = rootScope(new Graph());
    expect(() => selfAttention(scope, scope.graph.input("x", "f32", [1, 2, 12]), { ...options, heads: 3 })).toThrow(
      "differential attention: expected an even number of heads, which are taken in pairs, got 3.",
    );
  });
});
