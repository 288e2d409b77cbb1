/** Cases of the base ops. The table is total: an op without a row is a compile error. */
import type { DType, Graph, Op, Tensor } from "@cloze/graph";
import { ANY, F32, FLOATS, NUMBERS, type Case, type Draw, type OpClass } from "../case.ts";

type Build = Case["build"];
type Options = Partial<Pick<Case, "inputs" | "gradient" | "dtypes">>;

const make = (
  name: string,
  tolerance: OpClass,
  dtypes: readonly DType[],
  build: Build,
  options: Options = {},
): Case => ({ name, tolerance, dtypes, build, ...options });

const SHAPES: readonly (readonly [string, readonly number[]])[] = [
  ["scalar", []],
  ["vector", [7]],
  ["cube", [2, 3, 5]],
];

/** f(x) on a scalar, a vector and a cube. */
const unary = (
  op: Op,
  tolerance: OpClass,
  dtypes: readonly DType[],
  f: (x: Tensor) => Tensor,
  draw?: Draw,
  gradient = true,
): Case[] =>
  SHAPES.map(([what, shape]) =>
    make(`${op} > ${what}`, tolerance, dtypes, (g, d) => f(g.input("x", d, shape)), {
      gradient,
      ...(draw ? { inputs: { x: draw } } : {}),
    }),
  );

const PAIRS: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ["same shape", [4, 5], [4, 5]],
  ["scalar on the right", [4, 5], []],
  ["row", [3, 4, 5], [5]],
  ["column and row", [4, 1], [1, 5]],
  ["middle axis", [3, 1, 5], [3, 4, 5]],
];

/** f(x, y) on every kind of broadcast, and f(x, x). */
const binary = (
  op: Op,
  tolerance: OpClass,
  dtypes: readonly DType[],
  f: (x: Tensor, y: Tensor) => Tensor,
  inputs: Readonly<Record<string, Draw>> = {},
  gradient = true,
): Case[] => [
  ...PAIRS.map(([what, a, b]) =>
    make(`${op} > ${what}`, tolerance, dtypes, (g, d) => f(g.input("x", d, a), g.input("y", d, b)), {
      inputs,
      gradient,
    }),
  ),
  make(
    `${op} > with itself`,
    tolerance,
    dtypes,
    (g, d) => {
      const x = g.input("x", d, [6]);
      return f(x, x);
    },
    { inputs, gradient: false },
  ),
];

/** Numbers at least 0.4 apart, so that a maximum has no ties. */
const APART: Draw = { values: [0.3, -1.2, 2.4, -0.7, 1.6, -2.1, 0.9, 3.2, -1.7, 2.0, -0.1] };
const POSITIVE: Draw = { uniform: [0.5, 3] };

const x2 = (g: Graph, d: DType): Tensor => g.input("x", d, [3, 4]);

const REDUCTIONS: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ["last axis", [4, 7], [1]],
  ["first axis", [4, 7], [0]],
  ["middle axis", [2, 5, 3], [1]],
  ["outer axes", [2, 5, 3], [0, 2]],
  ["all", [3, 4], [0, 1]],
];

export const opCases: { readonly [P in Op]: readonly Case[] } = {
  input: [
    make("input > straight through", "exact", ANY, (g, d) => g.input("x", d, [2, 3])),
    make("input > twice", "exact", ANY, (g, d) => [g.input("x", d, [2]), g.input("x", d, [2])]),
  ],
  const: [
    make("const > alone", "exact", NUMBERS, (g, d) => g.const(3, d)),
    make("const > full", "exact", ANY, (g, d) => g.full([2, 3], 1, d)),
    make(
      "const > beside an input",
      "exact",
      NUMBERS,
      (g, d) =>
        x2(g, d)
          .add(0)
          .add(g.full([3, 4], 2, d)),
      { gradient: false, inputs: { x: { below: 5 } } },
    ),
    make("const > infinite", "exact", F32, (g, d) => [g.const(Infinity, d), g.const(-Infinity, d)]),
  ],
  iota: [
    make("iota > vector", "exact", ["i32"], (g) => g.iota([5], 0)),
    make("iota > middle axis", "exact", ["i32"], (g) => g.iota([2, 3, 4], 1)),
  ],
  randomBits: [
    make(
      "randomBits > 32 bits",
      "exact",
      ["u32"],
      (g) => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [3, 5], bits: 32, stream: 7 }),
      { inputs: { key: { values: [17, 4_000_000_000] } } },
    ),
    make(
      "randomBits > 24 bits, odd count",
      "exact",
      ["u32"],
      (g) => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [7], bits: 24, stream: 4_294_967_295 }),
      { inputs: { key: { values: [3, 0] } } },
    ),
    make("randomBits > one", "exact", ["u32"], (g) =>
      g.node("randomBits", [g.input("key", "u32", [2])], { shape: [], bits: 1, stream: 0 }),
    ),
    ...(
      [
        ["a row of an odd length", [3, 5]],
        ["rows of four", [2, 3, 8]],
        ["rows with two middle axes", [2, 3, 5, 12]],
        ["rows with two middle axes, odd", [3, 2, 4, 7]],
        ["one number a row", [6]],
        ["five axes", [2, 2, 3, 2, 4]],
      ] as const
    ).map(([name, shape]) =>
      make(
        `randomBits > by row, ${name}`,
        "exact",
        ["u32"],
        (g) => g.node("randomBits", [g.input("key", "u32", [shape[0], 2])], { shape, bits: 32, stream: 3_000_000_001 }),
        { inputs: { key: { values: [17, 4_000_000_000, 0, 1, 4_294_967_295, 4_294_967_295, 5, 6, 7, 8, 9, 10] } } },
      ),
    ),
    make(
      "randomBits > by row, keys of slots",
      "exact",
      ["u32"],
      (g) => {
        const keys = g.input("key", "u32", [2, 2]) as Tensor<"u32">;
        const slots = keys.gather(g.input("row", "i32", [3])).add(g.input("place", "u32", [3, 2]));
        return g.node("randomBits", [slots], { shape: [3, 6], bits: 24, stream: 2 });
      },
      {
        inputs: {
          key: { values: [17, 4_294_967_295, 3, 9] },
          row: { values: [1, 0, 0] },
          place: { values: [0, 3, 0, 1, 0, 7] },
        },
      },
    ),
    make(
      "randomBits > as uniform floats",
      "exact",
      F32,
      (g) =>
        g
          .node("randomBits", [g.input("key", "u32", [2])], { shape: [64], bits: 24, stream: 1 })
          .cast("f32")
          .mul(2 ** -24),
      { inputs: { key: { values: [5, 9] } } },
    ),
  ],
  neg: unary("neg", "exact", [...FLOATS, "i32"], (x) => x.neg()),
  abs: unary("abs", "exact", [...FLOATS, "i32"], (x) => x.abs()),
  exp: unary("exp", "transcendental", FLOATS, (x) => x.exp()),
  log: unary("log", "transcendental", FLOATS, (x) => x.log(), POSITIVE),
  sqrt: unary("sqrt", "transcendental", FLOATS, (x) => x.sqrt(), POSITIVE),
  sin: unary("sin", "transcendental", FLOATS, (x) => x.sin(), { uniform: [-4, 4] }),
  cos: unary("cos", "transcendental", FLOATS, (x) => x.cos(), { uniform: [-4, 4] }),
  tanh: unary("tanh", "transcendental", FLOATS, (x) => x.tanh()),
  erf: unary("erf", "transcendental", FLOATS, (x) => x.erf()),
  floor: [
    ...unary("floor", "exact", FLOATS, (x) => x.floor()),
    make("floor > of negatives and whole numbers", "exact", FLOATS, (g, d) => g.input("x", d, [6]).floor(), {
      inputs: { x: { values: [-1.5, -1, -0.25, 0, 0.75, 2] } },
    }),
  ],
  not: unary("not", "exact", ["bool"], (x) => x.not()),
  detach: unary("detach", "exact", ANY, (x) => x.detach()),
  cast: [
    make("cast > to f32", "exact", ANY, (g, d) => x2(g, d).cast("f32")),
    make("cast > to i32", "exact", ["f32", "f16", "bf16", "u32", "bool"], (g, d) => x2(g, d).cast("i32")),
    make("cast > to bool", "exact", NUMBERS, (g, d) => x2(g, d).cast("bool"), {
      inputs: { x: { values: [0, 1, 2, 0, 5] } },
    }),
    make("cast > i32 to u32", "exact", ["i32"], (g) => g.input("x", "i32", [4]).cast("u32"), {
      inputs: { x: { values: [0, 1, 7, 2147483647] } },
    }),
    make("cast > u32 to f32", "exact", ["u32"], (g) => g.input("x", "u32", [4]).cast("f32"), {
      inputs: { x: { values: [0, 1, 16777216, 4294967040] } },
    }),
    make("cast > f32 to f16", "exact", ["f16"], (g) => g.input("x", "f32", [8]).cast("f16"), {
      inputs: { x: { values: [1, 1.0005, -0.3333, 65504, 3e-5, 1000.3, 2049, 2051] } },
    }),
    make("cast > f32 to bf16", "exact", ["bf16"], (g) => g.input("x", "f32", [6]).cast("bf16"), {
      inputs: { x: { values: [1, 1.005, -0.3333, 1e30, 257, 259] } },
    }),
  ],
  add: binary("add", "arithmetic", NUMBERS, (x, y) => x.add(y)),
  sub: binary("sub", "arithmetic", [...FLOATS, "i32"], (x, y) => x.sub(y)),
  mul: binary("mul", "arithmetic", NUMBERS, (x, y) => x.mul(y)),
  div: [
    ...binary("div", "arithmetic", FLOATS, (x, y) => x.div(y), { y: POSITIVE }),
    make("div > toward zero", "exact", ["i32"], (g, d) => g.input("x", d, [6]).div(g.input("y", d, [6])), {
      inputs: { x: { values: [7, -7, 7, -7, 6, 0] }, y: { values: [2, 2, -2, -2, 3, 5] } },
    }),
    make("div > unsigned", "exact", ["u32"], (g, d) => g.input("x", d, [3]).div(g.input("y", d, [3])), {
      inputs: { x: { values: [7, 4294967295, 5] }, y: { values: [2, 3, 9] } },
    }),
  ],
  max: [
    ...binary("max", "exact", NUMBERS, (x, y) => x.max(y), {
      x: APART,
      y: { values: [0.5, -0.9, 1.1, -1.4, 2.2, 0.05, -2.6] },
    }),
    make("max > ties share the gradient", "exact", FLOATS, (g, d) => g.input("x", d, [4]).max(g.input("y", d, [4])), {
      inputs: { x: { values: [1, 2] }, y: { values: [1, 0, 1, 2] } },
    }),
  ],
  min: [
    ...binary("min", "exact", NUMBERS, (x, y) => x.min(y), {
      x: APART,
      y: { values: [0.5, -0.9, 1.1, -1.4, 2.2, 0.05, -2.6] },
    }),
    make("min > ties share the gradient", "exact", FLOATS, (g, d) => g.input("x", d, [4]).min(g.input("y", d, [4])), {
      inputs: { x: { values: [1, 2] }, y: { values: [1, 0, 1, 2] } },
    }),
  ],
  and: binary("and", "exact", ["bool"], (x, y) => x.and(y)),
  or: binary("or", "exact", ["bool"], (x, y) => x.or(y)),
  less: binary("less", "exact", NUMBERS, (x, y) => x.less(y), {
    x: { values: [0, 1, 2] },
    y: { values: [1, 1, 0, 2] },
  }),
  equal: binary("equal", "exact", ANY, (x, y) => x.equal(y), { x: { values: [0, 1, 2] }, y: { values: [1, 1, 0, 2] } }),
  select: [
    make("select > same shape", "exact", ANY, (g, d) =>
      g.input("c", "bool", [3, 4]).select(x2(g, d), g.input("y", d, [3, 4])),
    ),
    make("select > condition broadcast", "exact", NUMBERS, (g, d) =>
      g.input("c", "bool", [3, 1]).select(x2(g, d), g.input("y", d, [4])),
    ),
    make("select > branches broadcast", "exact", NUMBERS, (g, d) =>
      g.input("c", "bool", [2, 3, 4]).select(g.input("x", d, []), g.input("y", d, [3, 1])),
    ),
    make("select > constant branch", "exact", FLOATS, (g, d) => g.input("c", "bool", [3, 4]).select(x2(g, d), 0)),
  ],
  reduceSum: [
    ...REDUCTIONS.map(([what, shape, axes]) =>
      make(`reduceSum > ${what}`, "reduction", NUMBERS, (g, d) => g.input("x", d, shape).sum(axes, true)),
    ),
    make("reduceSum > axis dropped", "reduction", FLOATS, (g, d) => g.input("x", d, [3, 4]).sum(0)),
    make("reduceSum > long row", "reduction", F32, (g, d) => g.input("x", d, [2, 5000]).sum(-1)),
  ],
  reduceMax: [
    ...REDUCTIONS.map(([what, shape, axes]) =>
      make(`reduceMax > ${what}`, "exact", [...FLOATS, "i32"], (g, d) => g.input("x", d, shape).reduceMax(axes, true), {
        inputs: { x: APART },
        gradient: false,
      }),
    ),
    make("reduceMax > gradient to the largest", "exact", FLOATS, (g, d) => g.input("x", d, [2, 5]).reduceMax(-1), {
      inputs: { x: APART },
    }),
    make("reduceMax > ties share the gradient", "arithmetic", FLOATS, (g, d) => g.input("x", d, [2, 4]).reduceMax(-1), {
      inputs: { x: { values: [1, 3, 3, 0, 2, 2, 1, 2] } },
    }),
  ],
  argMax: [
    make("argMax > last axis", "exact", [...FLOATS, "i32"], (g, d) => g.input("x", d, [4, 7]).argMax(-1), {
      inputs: { x: APART },
    }),
    make("argMax > first axis", "exact", FLOATS, (g, d) => g.input("x", d, [4, 7]).argMax(0), { inputs: { x: APART } }),
    make("argMax > first of equals", "exact", FLOATS, (g, d) => g.input("x", d, [2, 4]).argMax(1), {
      inputs: { x: { values: [1, 3, 3, 0, 2, 2, 1, 2] } },
    }),
  ],
  reshape: [
    make("reshape > flatten", "exact", ANY, (g, d) => x2(g, d).reshape([12])),
    make("reshape > split", "exact", FLOATS, (g, d) => g.input("x", d, [6, 4]).reshape([2, 3, 2, 2])),
    make("reshape > to a scalar", "exact", FLOATS, (g, d) => g.input("x", d, [1, 1]).reshape([])),
  ],
  permute: [
    make("permute > transpose", "exact", ANY, (g, d) => x2(g, d).transpose()),
    make("permute > heads", "exact", FLOATS, (g, d) => g.input("x", d, [2, 3, 4, 5]).permute([0, 2, 1, 3])),
    make("permute > rotate", "exact", FLOATS, (g, d) => g.input("x", d, [2, 3, 4]).permute([2, 0, 1])),
  ],
  broadcast: [
    make("broadcast > scalar", "reduction", NUMBERS, (g, d) => g.input("x", d, []).broadcast([2, 3])),
    make("broadcast > new leading axes", "reduction", FLOATS, (g, d) => g.input("x", d, [3]).broadcast([4, 2, 3])),
    make("broadcast > middle axis", "reduction", ANY, (g, d) => g.input("x", d, [2, 1, 3]).broadcast([2, 4, 3])),
  ],
  slice: [
    make("slice > middle", "exact", ANY, (g, d) => g.input("x", d, [5, 4]).slice(0, 1, 3)),
    make("slice > last axis", "exact", FLOATS, (g, d) => g.input("x", d, [2, 3, 6]).slice(-1, 2, 6)),
    make("slice > every axis", "exact", FLOATS, (g, d) =>
      g.node("slice", [g.input("x", d, [4, 5])], { start: [1, 2], stop: [3, 5] }),
    ),
  ],
  pad: [
    make("pad > with zeros", "exact", NUMBERS, (g, d) => g.input("x", d, [2, 3]).pad([1, 0], [0, 2])),
    make("pad > with a value", "exact", FLOATS, (g, d) => g.input("x", d, [3]).pad([2], [1], -1)),
  ],
  concat: [
    make("concat > first axis", "exact", ANY, (g, d) => x2(g, d).concat([g.input("y", d, [2, 4])], 0)),
    make("concat > last axis of three", "exact", FLOATS, (g, d) =>
      x2(g, d).concat([g.input("y", d, [3, 1]), g.input("z", d, [3, 2])], -1),
    ),
    make("concat > one tensor twice", "arithmetic", FLOATS, (g, d) => {
      const x = x2(g, d);
      return x.concat([x], 0);
    }),
  ],
  matmul: [
    ...[false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) =>
        make(
          `matmul > ${transposeA ? "transposed" : "plain"} x ${transposeB ? "transposed" : "plain"}`,
          "contraction",
          FLOATS,
          (g, d) =>
            g
              .input("x", d, transposeA ? [5, 3] : [3, 5])
              .matmul(g.input("y", d, transposeB ? [4, 5] : [5, 4]), { transposeA, transposeB }),
        ),
      ),
    ),
    make("matmul > batched", "contraction", FLOATS, (g, d) =>
      g.input("x", d, [2, 3, 4, 5]).matmul(g.input("y", d, [2, 3, 5, 6])),
    ),
    make("matmul > batched, both transposed", "contraction", FLOATS, (g, d) =>
      g.input("x", d, [2, 5, 3]).matmul(g.input("y", d, [2, 4, 5]), { transposeA: true, transposeB: true }),
    ),
    make("matmul > odd sizes", "contraction", F32, (g, d) =>
      g.input("x", d, [17, 33]).matmul(g.input("y", d, [33, 19])),
    ),
    make("matmul > one row, one column", "contraction", F32, (g, d) =>
      g.input("x", d, [1, 9]).matmul(g.input("y", d, [9, 1])),
    ),
    make("matmul > larger", "contraction", F32, (g, d) =>
      g.input("x", d, [65, 130]).matmul(g.input("y", d, [130, 70])),
    ),
    make("matmul > accumulates wider", "contraction", ["f16", "bf16"], (g, d) =>
      g.input("x", d, [3, 64]).matmul(g.input("y", d, [64, 4]), { dtype: "f32" }),
    ),
    make("matmul > with itself", "contraction", F32, (g, d) => {
      const x = g.input("x", d, [4, 4]);
      return x.matmul(x, { transposeB: true });
    }),
  ],
  gather: [
    make("gather > rows", "exact", ANY, (g, d) => g.input("x", d, [5, 3]).gather(g.input("ids", "i32", [4])), {
      inputs: { ids: { below: 5 } },
      gradient: false,
    }),
    make(
      "gather > gradient adds equal rows",
      "reduction",
      FLOATS,
      (g, d) => g.input("x", d, [5, 3]).gather(g.input("ids", "i32", [2, 3])),
      { inputs: { ids: { values: [1, 4, 1, 0, 1, 4] } } },
    ),
    make(
      "gather > scalars of a vector",
      "exact",
      FLOATS,
      (g, d) => g.input("x", d, [6]).gather(g.input("ids", "i32", [3])),
      { inputs: { ids: { values: [5, 0, 3] } } },
    ),
    make("gather > one index", "exact", FLOATS, (g, d) => g.input("x", d, [6, 2]).gather(g.input("ids", "i32", [])), {
      inputs: { ids: { values: [4] } },
    }),
  ],
  scatterAdd: [
    make(
      "scatterAdd > distinct rows",
      "exact",
      ["f32", "i32"],
      (g, d) => g.input("x", d, [3, 2]).scatterAdd(g.input("ids", "i32", [3]), 5),
      { inputs: { ids: { values: [4, 0, 2] } } },
    ),
    make(
      "scatterAdd > equal rows",
      "reduction",
      FLOATS,
      (g, d) => g.input("x", d, [2, 3, 2]).scatterAdd(g.input("ids", "i32", [2, 3]), 4),
      { inputs: { ids: { values: [1, 3, 1, 0, 1, 3] } } },
    ),
    make(
      "scatterAdd > scalars",
      "reduction",
      FLOATS,
      (g, d) => g.input("x", d, [9]).scatterAdd(g.input("ids", "i32", [9]), 3),
      { inputs: { ids: { below: 3 } } },
    ),
    make(
      "scatterAdd > many on few",
      "reduction",
      F32,
      (g, d) => g.input("x", d, [500, 3]).scatterAdd(g.input("ids", "i32", [500]), 7),
      { inputs: { ids: { below: 7 } } },
    ),
  ],
  composite: [
    make(
      "composite > of another's making",
      "composite",
      FLOATS,
      (g, d) =>
        g.call(
          { name: "test: x^2 + y", expand: ([x, y]) => [(x as Tensor).square().add(y as Tensor)] },
          [x2(g, d), g.input("y", d, [4])],
          {},
        )[0] as Tensor,
    ),
    make("composite > two outputs", "composite", FLOATS, (g, d) =>
      g.call(
        {
          name: "test: sum and difference",
          expand: ([x, y]) => [(x as Tensor).add(y as Tensor), (x as Tensor).sub(y as Tensor)],
        },
        [x2(g, d), g.input("y", d, [4])],
        {},
      ),
    ),
  ],
};
