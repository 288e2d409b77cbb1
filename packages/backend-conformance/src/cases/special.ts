/**
 * Cases at the limits: NaN and infinities, empty tensors, large sizes.
 *
 * The policy: arithmetic, exp, sqrt, comparisons and reductions follow IEEE 754. max, min and reduceMax give NaN where
 * an argument is NaN. Two results are undefined: argMax over NaN, and a cast to an integer type of NaN or of a number
 * that does not fit.
 */
import type { Graph, Tensor } from "@cloze/graph";
import { F32, type Case, type Draw, type OpClass } from "../case.ts";

const make = (
  name: string,
  tolerance: OpClass,
  build: (g: Graph) => Tensor | readonly Tensor[],
  inputs: Readonly<Record<string, Draw>> = {},
  gradient = false,
): Case => ({ name, tolerance, dtypes: F32, build, inputs, gradient });
const f = (g: Graph, name: string, shape: readonly number[]): Tensor<"f32"> => g.input(name, "f32", shape);

const WILD: Draw = { values: [NaN, Infinity, -Infinity, 0, 1, -2, 3e38, -1e-20] };
const ONE_NAN: Draw = { values: [1, NaN, 3, 2, 5, 4, 0, -1] };
const INFINITE: Draw = { values: [1, Infinity, 3, -Infinity, 5, 4, 0, -1] };

export const specialCases: readonly Case[] = [
  make(
    "special > arithmetic with NaN and infinities",
    "arithmetic",
    (g) => {
      const x = f(g, "x", [8]);
      const y = f(g, "y", [8]);
      return [x.add(y), x.sub(x), x.mul(y), x.div(y), x.neg(), x.abs()];
    },
    { x: WILD, y: { values: [1, 1, Infinity, 2, 0, 0, 2, 1] } },
  ),
  make(
    "special > exp, sqrt and tanh of infinities",
    "transcendental",
    (g) => {
      const x = f(g, "x", [8]);
      return [x.exp(), x.abs().sqrt(), x.tanh()];
    },
    { x: { values: [NaN, Infinity, -Infinity, 0, 1, -2, 100, -100] } },
  ),
  make("special > log of zero and of negatives", "transcendental", (g) => f(g, "x", [4]).log(), {
    x: { values: [0, -1, 1, Infinity] },
  }),
  make(
    "special > comparisons with NaN",
    "exact",
    (g) => {
      const x = f(g, "x", [8]);
      const y = f(g, "y", [8]);
      return [x.less(y), x.equal(y), x.equal(x), y.less(x)];
    },
    { x: WILD, y: { values: [NaN, Infinity, 0, 0, 2, -2, 1, 1] } },
  ),
  make(
    "special > select does not touch the other branch",
    "exact",
    (g) => g.input("c", "bool", [8]).select(f(g, "x", [8]), 0),
    { x: WILD, c: { values: [0, 0, 0, 1, 1, 1, 1, 1] } },
  ),
  make(
    "special > max and min with NaN",
    "exact",
    (g) => [f(g, "x", [8]).max(f(g, "y", [8])), f(g, "x", [8]).min(f(g, "y", [8]))],
    { x: ONE_NAN, y: { values: [0, 1, 2, 3] } },
  ),
  make("special > reductions over NaN", "exact", (g) => [f(g, "x", [2, 4]).sum(-1), f(g, "x", [2, 4]).reduceMax(-1)], {
    x: ONE_NAN,
  }),
  make(
    "special > reductions over infinities",
    "exact",
    (g) => [f(g, "x", [2, 4]).sum(-1), f(g, "x", [2, 4]).reduceMax(-1)],
    { x: INFINITE },
  ),
  make(
    "special > is it finite",
    "exact",
    (g) => {
      const x = f(g, "x", [8]);
      return x.sub(x).equal(0);
    },
    { x: WILD },
  ),
  {
    ...make("special > overflow in f16", "exact", (g) => f(g, "x", [3]).cast("f16"), {
      x: { values: [1e5, -1e5, 65504] },
    }),
    dtypes: ["f16"],
  },
  make("special > large and small numbers", "arithmetic", (g) => f(g, "x", [4]).mul(1e30).mul(1e-30), {
    x: { values: [1, -2, 1e-7, 3e5] },
  }),

  make("empty > elementwise", "exact", (g) => f(g, "x", [0, 3]).add(f(g, "y", [3]))),
  make("empty > sum", "exact", (g) => [f(g, "x", [0, 3]).sum(0), f(g, "x", [0, 3]).sum(1)]),
  make("empty > concat", "exact", (g) => f(g, "x", [0, 3]).concat([f(g, "y", [2, 3])], 0)),
  make("empty > matmul over nothing", "exact", (g) => f(g, "x", [2, 0]).matmul(f(g, "y", [0, 3]))),

  make(
    "sizes > 70,000 rows",
    "reduction",
    (g) => {
      const x = f(g, "x", [70_000, 3]);
      return [x.sum(-1), x.sum(0)];
    },
    {},
    true,
  ),
  make("sizes > 70,000 columns", "reduction", (g) => {
    const x = f(g, "x", [3, 70_000]);
    return [x.reduceMax(-1), x.mul(0.01).sum(-1)];
  }),
  make(
    "sizes > 270,000 elements",
    "arithmetic",
    (g) =>
      f(g, "x", [270_001])
        .mul(f(g, "y", [270_001]))
        .add(0.5),
    {},
    true,
  ),
  make("sizes > 66,000 small matrices", "contraction", (g) =>
    f(g, "x", [66_000, 1, 2]).matmul(f(g, "y", [66_000, 2, 1])),
  ),
  make(
    "sizes > six axes",
    "reduction",
    (g) => f(g, "x", [2, 3, 2, 3, 2, 2]).permute([5, 3, 1, 0, 2, 4]).sum([1, 4]),
    {},
    true,
  ),
  make(
    "sizes > 20,000 rows gathered and scattered",
    "reduction",
    (g) => f(g, "x", [50, 4]).gather(g.input("ids", "i32", [20_000])),
    { ids: { below: 50 } },
    true,
  ),
];
