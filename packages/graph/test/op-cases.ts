/**
 * Cases of every base op, with values computed by hand or from a closed form in plain JavaScript, never by the
 * interpreter. The table is total: an op without cases does not compile.
 *
 * allow long: a table of a row for each op.
 */
import type { Graph, Op, Tensor } from "../src/index.ts";
import { noise, type Env } from "./finite-differences.ts";

export interface OpCase {
  readonly name: string;
  readonly build: (g: Graph, read: (x: Tensor) => Tensor) => Tensor;
  readonly env?: Env;
  readonly want: readonly number[];
  readonly shape?: readonly number[];
  /** Relative tolerance; 0 means equal. Default 2e-7: a little more than half a unit in the last place of f32. */
  readonly tolerance?: number;
  /** Compare the gradient with finite differences. */
  readonly gradient?: true;
}

const INF = Infinity;
type Read = (x: Tensor) => Tensor;
const some = (n: number, f: (i: number) => number = noise): number[] => Array.from({ length: n }, (_, i) => f(i));
const f32 = (g: Graph, r: Read, name: string, shape: readonly number[]): Tensor => r(g.input(name, "f32", shape));
const i32 = (g: Graph, name: string, shape: readonly number[]): Tensor<"i32"> => g.input(name, "i32", shape);

/** f over a [2, 3] with gradient, and over special values without gradient. */
function unary(
  op: (x: Tensor) => Tensor,
  f: (x: number) => number,
  special: readonly (readonly [x: number, y: number])[],
  domain: (i: number) => number = noise,
): readonly OpCase[] {
  const xs = some(6, domain).map(Math.fround);
  return [
    {
      name: "of a matrix",
      build: (g, r) => op(f32(g, r, "x", [2, 3])),
      env: { x: xs },
      want: xs.map(f),
      shape: [2, 3],
      gradient: true,
    },
    {
      name: "of a scalar",
      build: (g, r) => op(f32(g, r, "x", [])),
      env: { x: xs.slice(0, 1) },
      want: xs.slice(0, 1).map(f),
      shape: [],
      gradient: true,
    },
    { name: "of nothing", build: (g, r) => op(f32(g, r, "x", [0, 3])), env: { x: [] }, want: [], shape: [0, 3] },
    {
      name: "special values",
      build: (g, r) => op(f32(g, r, "x", [special.length])),
      env: { x: special.map(([x]) => x) },
      want: special.map(([, y]) => y),
    },
  ];
}

/** f over every broadcast of [2, 3] and related shapes with gradient, and over special values without gradient. */
function binary(
  op: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
  special: readonly (readonly [a: number, b: number, y: number])[],
  gradient = true,
): readonly OpCase[] {
  const a = some(6, (i) => noise(i)).map(Math.fround);
  const b = some(6, (i) => Math.sign(noise(i + 9)) * (0.6 + Math.abs(noise(i + 9)))).map(Math.fround);
  const pick = (list: readonly number[], i: number): number => list[i] as number;
  const rows = [0, 0, 0, 1, 1, 1];
  const columns = [0, 1, 2, 0, 1, 2];
  const more = gradient ? { gradient: true as const } : {};
  return [
    {
      name: "same shape",
      build: (g, r) => op(f32(g, r, "a", [2, 3]), f32(g, r, "b", [2, 3])),
      env: { a, b },
      want: a.map((x, i) => f(x, pick(b, i))),
      shape: [2, 3],
      ...more,
    },
    {
      name: "row against matrix",
      build: (g, r) => op(f32(g, r, "a", [3]), f32(g, r, "b", [2, 3])),
      env: { a: a.slice(0, 3), b },
      want: b.map((y, i) => f(pick(a, i % 3), y)),
      shape: [2, 3],
      ...more,
    },
    {
      name: "column against row",
      build: (g, r) => op(f32(g, r, "a", [2, 1]), f32(g, r, "b", [1, 3])),
      env: { a: a.slice(0, 2), b: b.slice(0, 3) },
      want: rows.map((m, i) => f(pick(a, m), pick(b, pick(columns, i)))),
      shape: [2, 3],
      ...more,
    },
    {
      name: "scalar on the left",
      build: (g, r) => op(f32(g, r, "a", []), f32(g, r, "b", [2, 3])),
      env: { a: a.slice(0, 1), b },
      want: b.map((y) => f(pick(a, 0), y)),
      shape: [2, 3],
      ...more,
    },
    {
      name: "number on the right",
      build: (g, r) => op(f32(g, r, "a", [4]), g.const(1.5, "f32")),
      env: { a: a.slice(0, 4) },
      want: a.slice(0, 4).map((x) => f(x, 1.5)),
      ...more,
    },
    {
      name: "one tensor twice",
      build: (g, r) => {
        const x = f32(g, r, "a", [3]);
        return op(x, x);
      },
      env: { a: a.slice(0, 3) },
      want: a.slice(0, 3).map((x) => f(x, x)),
    },
    {
      name: "one and nothing",
      build: (g, r) => op(f32(g, r, "a", [1]), f32(g, r, "b", [0])),
      env: { a: [1], b: [] },
      want: [],
      shape: [0],
    },
    {
      name: "special values",
      build: (g, r) => op(f32(g, r, "a", [special.length]), f32(g, r, "b", [special.length])),
      env: { a: special.map(([x]) => x), b: special.map(([, y]) => y) },
      want: special.map(([, , y]) => y),
    },
  ];
}

/** op over integers: [a, b, result]. */
const integers = (
  dtype: "i32" | "u32",
  op: (a: Tensor, b: Tensor) => Tensor,
  rows: readonly (readonly [number, number, number])[],
): OpCase => ({
  name: dtype,
  build: (g) => op(g.input("a", dtype, [rows.length]), g.input("b", dtype, [rows.length])),
  tolerance: 0,
  env: { a: rows.map(([a]) => a), b: rows.map(([, b]) => b) },
  want: rows.map(([, , y]) => y),
});
const logic = (op: (a: Tensor, b: Tensor) => Tensor, want: readonly number[]): readonly OpCase[] => [
  {
    name: "truth table",
    build: (g) => op(g.input("a", "bool", [4]), g.input("b", "bool", [4])),
    env: { a: [0, 0, 1, 1], b: [0, 1, 0, 1] },
    want,
    tolerance: 0,
  },
];

const x23 = (g: Graph, r: Read): Tensor => f32(g, r, "x", [2, 3]);
const X = some(6).map(Math.fround);
const MIN = -2147483648;
const matrix = (rows: number, columns: number, f: (i: number, j: number) => number): number[] =>
  Array.from({ length: rows * columns }, (_, n) => f(Math.floor(n / columns), n % columns));
const A = some(6).map(Math.fround);
const B = some(12, (i) => noise(i + 20)).map(Math.fround);
/** A [2, 3] times B [3, 4], from the definition. */
const PRODUCT = matrix(2, 4, (i, j) =>
  [0, 1, 2].reduce((sum, k) => sum + (A[3 * i + k] as number) * (B[4 * k + j] as number), 0),
);
const transposed = (list: readonly number[], rows: number, columns: number): number[] =>
  matrix(columns, rows, (i, j) => list[j * columns + i] as number);
const product = (ta: boolean, tb: boolean): OpCase => ({
  name: `${ta ? "transposed" : "plain"} x ${tb ? "transposed" : "plain"}`,
  gradient: true,
  tolerance: 1e-6,
  shape: [2, 4],
  want: PRODUCT,
  build: (g, r) =>
    f32(g, r, "a", ta ? [3, 2] : [2, 3]).matmul(f32(g, r, "b", tb ? [4, 3] : [3, 4]), {
      transposeA: ta,
      transposeB: tb,
    }),
  env: { a: ta ? transposed(A, 2, 3) : A, b: tb ? transposed(B, 3, 4) : B },
});

export const opCases: { readonly [P in Op]: readonly OpCase[] } = {
  input: [
    {
      name: "is what was given, rounded to its dtype",
      build: (g) => g.input("x", "f32", [2]),
      env: { x: [0.1, -2] },
      want: [Math.fround(0.1), -2],
      tolerance: 0,
    },
  ],
  const: [
    { name: "scalar", build: (g) => g.const(2.5, "f32"), want: [2.5], shape: [], tolerance: 0 },
    { name: "bool of any number", build: (g) => g.const(7, "bool"), want: [1], tolerance: 0 },
    { name: "full", build: (g) => g.full([2, 2], -1, "i32"), want: [-1, -1, -1, -1], shape: [2, 2], tolerance: 0 },
    { name: "not a number", build: (g) => g.const(NaN, "f32"), want: [NaN], tolerance: 0 },
  ],
  iota: [
    { name: "vector", build: (g) => g.iota([4], 0), want: [0, 1, 2, 3], tolerance: 0 },
    { name: "first axis", build: (g) => g.iota([2, 3], 0), want: [0, 0, 0, 1, 1, 1], tolerance: 0 },
    {
      name: "last axis, counted from the end",
      build: (g) => g.iota([2, 3], -1),
      want: [0, 1, 2, 0, 1, 2],
      tolerance: 0,
    },
    { name: "nothing", build: (g) => g.iota([2, 0], 1), want: [], shape: [2, 0], tolerance: 0 },
  ],
  // Threefry-2x32, 20 rounds, key 0, counter 0: the first known answer of Random123 (Salmon et al. 2011), kat_vectors.
  randomBits: [
    {
      name: "known answer, both words",
      build: (g) => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [2], bits: 32, stream: 0 }),
      env: { key: [0, 0] },
      want: [0x6b200159, 0x99ba4efe],
      tolerance: 0,
    },
    {
      name: "known answer, its highest 8 bits",
      build: (g) => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [1, 1], bits: 8, stream: 0 }),
      env: { key: [0, 0] },
      want: [0x6b],
      shape: [1, 1],
      tolerance: 0,
    },
    {
      name: "a key for each row, known answer for both",
      build: (g) => g.node("randomBits", [g.input("key", "u32", [2, 2])], { shape: [2, 1, 2], bits: 32, stream: 0 }),
      env: { key: [0, 0, 0, 0] },
      want: [0x6b200159, 0x99ba4efe, 0x6b200159, 0x99ba4efe],
      shape: [2, 1, 2],
      tolerance: 0,
    },
  ],
  neg: [
    ...unary(
      (x) => x.neg(),
      (x) => -x,
      [
        [INF, -INF],
        [NaN, NaN],
        [0, 0],
      ],
    ),
    { name: "i32", build: (g) => i32(g, "x", [3]).neg(), env: { x: [5, -7, MIN] }, want: [-5, 7, MIN], tolerance: 0 },
  ],
  abs: [
    ...unary((x) => x.abs(), Math.abs, [
      [-INF, INF],
      [NaN, NaN],
      [-0, 0],
    ]),
    { name: "i32", build: (g) => i32(g, "x", [3]).abs(), env: { x: [5, -7, MIN] }, want: [5, 7, MIN], tolerance: 0 },
  ],
  exp: unary((x) => x.exp(), Math.exp, [
    [-INF, 0],
    [INF, INF],
    [NaN, NaN],
    [0, 1],
    [100, INF],
    [-200, 0],
  ]),
  log: unary(
    (x) => x.log(),
    Math.log,
    [
      [0, -INF],
      [-1, NaN],
      [INF, INF],
      [1, 0],
    ],
    (i) => 0.5 + Math.abs(noise(i)),
  ),
  sqrt: unary(
    (x) => x.sqrt(),
    Math.sqrt,
    [
      [0, 0],
      [-1, NaN],
      [INF, INF],
      [4, 2],
    ],
    (i) => 0.5 + Math.abs(noise(i)),
  ),
  sin: unary((x) => x.sin(), Math.sin, [
    [0, 0],
    [INF, NaN],
  ]),
  cos: unary((x) => x.cos(), Math.cos, [
    [0, 1],
    [INF, NaN],
  ]),
  tanh: unary((x) => x.tanh(), Math.tanh, [
    [INF, 1],
    [-INF, -1],
    [30, 1],
    [NaN, NaN],
  ]),
  erf: unary(
    (x) => x.erf(),
    (x) => ERF(x),
    [
      [INF, 1],
      [-INF, -1],
      [NaN, NaN],
      [0, 0],
    ],
  ),
  floor: [
    {
      name: "toward minus infinity",
      build: (g, r) => f32(g, r, "x", [7]).floor(),
      env: { x: [-1.5, -1, -0.25, 0, 0.75, 2, 1e9] },
      want: [-2, -1, -1, 0, 0, 2, 1e9],
      tolerance: 0,
    },
    {
      name: "special values",
      build: (g, r) => f32(g, r, "x", [3]).floor(),
      env: { x: [INF, -INF, NaN] },
      want: [INF, -INF, NaN],
      tolerance: 0,
    },
    {
      name: "stops the gradient",
      build: (g, r) => {
        const x = f32(g, r, "x", [3]);
        return x.mul(2).add(x.floor());
      },
      env: { x: [0.5, 1.3, -2.2] },
      want: [1, 3.6, -7.4],
      gradient: true,
    },
  ],
  not: [
    {
      name: "truth table",
      build: (g) => g.input("x", "bool", [2]).not(),
      env: { x: [0, 1] },
      want: [1, 0],
      tolerance: 0,
    },
  ],
  detach: [{ name: "is the identity", build: (g, r) => x23(g, r).detach(), env: { x: X }, want: X, tolerance: 0 }],
  cast: [
    {
      name: "f32 to i32 truncates",
      build: (g, r) => f32(g, r, "x", [5]).cast("i32"),
      env: { x: [1.9, -1.9, 0.5, -0.5, 1e6] },
      want: [1, -1, 0, 0, 1e6],
      tolerance: 0,
    },
    {
      name: "f32 to bool",
      build: (g, r) => f32(g, r, "x", [4]).cast("bool"),
      env: { x: [0, -0, 0.1, NaN] },
      want: [0, 0, 1, 1],
      tolerance: 0,
    },
    {
      name: "i32 to f32",
      build: (g) => i32(g, "x", [3]).cast("f32"),
      env: { x: [-3, 0, 16777217] },
      want: [-3, 0, 16777216],
      tolerance: 0,
    },
    {
      name: "i32 to u32 wraps",
      build: (g) => i32(g, "x", [2]).cast("u32"),
      env: { x: [-1, 5] },
      want: [4294967295, 5],
      tolerance: 0,
    },
    {
      name: "u32 to i32 wraps",
      build: (g) => g.input("x", "u32", [2]).cast("i32"),
      env: { x: [4294967295, 5] },
      want: [-1, 5],
      tolerance: 0,
    },
    {
      name: "bool to f32",
      build: (g) => g.input("x", "bool", [2]).cast("f32"),
      env: { x: [0, 1] },
      want: [0, 1],
      tolerance: 0,
    },
    {
      name: "f32 to f16 rounds to even",
      build: (g, r) => f32(g, r, "x", [4]).cast("f16"),
      env: { x: [2049, 2051, 1e5, 1e-8] },
      want: [2048, 2052, INF, 0],
      tolerance: 0,
    },
    {
      name: "f32 to bf16 rounds to even",
      build: (g, r) => f32(g, r, "x", [3]).cast("bf16"),
      env: { x: [257, 259, 1e30] },
      want: [256, 260, 1.0002555517425873e30],
      tolerance: 0,
    },
    {
      name: "gradient through f16",
      build: (g, r) => x23(g, r).cast("f16").mul(2).cast("f32"),
      env: { x: [1, 2, -0.5, 0.25, 3, 0] },
      want: [2, 4, -1, 0.5, 6, 0],
      gradient: true,
    },
  ],
  add: [
    ...binary(
      (a, b) => a.add(b),
      (a, b) => a + b,
      [
        [INF, -INF, NaN],
        [INF, 1, INF],
        [3e38, 3e38, INF],
      ],
    ),
    integers("i32", (a, b) => a.add(b), [
      [2147483647, 1, MIN],
      [-5, 3, -2],
    ]),
    integers("u32", (a, b) => a.add(b), [[4294967295, 2, 1]]),
  ],
  sub: [
    ...binary(
      (a, b) => a.sub(b),
      (a, b) => a - b,
      [
        [INF, INF, NaN],
        [1, INF, -INF],
      ],
    ),
    integers("i32", (a, b) => a.sub(b), [[MIN, 1, 2147483647]]),
    integers("u32", (a, b) => a.sub(b), [[1, 2, 4294967295]]),
  ],
  mul: [
    ...binary(
      (a, b) => a.mul(b),
      (a, b) => a * b,
      [
        [INF, 0, NaN],
        [INF, -1, -INF],
        [1e-30, 1e-30, 0],
      ],
    ),
    integers("i32", (a, b) => a.mul(b), [
      [65536, 65536, 0],
      [-7, 6, -42],
      [2147483647, 3, 2147483645],
    ]),
    integers("u32", (a, b) => a.mul(b), [
      [4294967295, 4294967295, 1],
      [65535, 65537, 4294967295],
    ]),
  ],
  div: [
    ...binary(
      (a, b) => a.div(b),
      (a, b) => a / b,
      [
        [1, 0, INF],
        [-1, 0, -INF],
        [0, 0, NaN],
        [1, INF, 0],
      ],
    ),
    integers("i32", (a, b) => a.div(b), [
      [7, 2, 3],
      [-7, 2, -3],
      [7, -2, -3],
      [6, 3, 2],
    ]),
    integers("u32", (a, b) => a.div(b), [[4294967295, 2, 2147483647]]),
  ],
  max: [
    ...binary((a, b) => a.max(b), Math.max, [
      [NaN, 1, NaN],
      [1, NaN, NaN],
      [-INF, -5, -5],
    ]),
    integers("i32", (a, b) => a.max(b), [[-3, 2, 2]]),
    integers("u32", (a, b) => a.max(b), [[4294967295, 2, 4294967295]]),
  ],
  min: [
    ...binary((a, b) => a.min(b), Math.min, [
      [NaN, 1, NaN],
      [1, NaN, NaN],
      [INF, -5, -5],
    ]),
    integers("i32", (a, b) => a.min(b), [[-3, 2, -3]]),
    integers("u32", (a, b) => a.min(b), [[4294967295, 2, 2]]),
  ],
  and: logic((a, b) => a.and(b), [0, 0, 0, 1]),
  or: logic((a, b) => a.or(b), [0, 1, 1, 1]),
  less: [
    ...binary(
      (a, b) => a.less(b),
      (a, b) => Number(a < b),
      [
        [NaN, 1, 0],
        [1, NaN, 0],
        [-INF, INF, 1],
        [2, 2, 0],
      ],
      false,
    ),
    integers("i32", (a, b) => a.less(b), [[-1, 0, 1]]),
    integers("u32", (a, b) => a.less(b), [[4294967295, 0, 0]]),
    integers("i32", (a, b) => a.greater(b), [
      [1, 0, 1],
      [0, 0, 0],
    ]),
  ],
  equal: [
    ...binary(
      (a, b) => a.equal(b),
      (a, b) => Number(a === b),
      [
        [NaN, NaN, 0],
        [0, -0, 1],
        [INF, INF, 1],
      ],
      false,
    ),
    integers("i32", (a, b) => a.equal(b), [
      [3, 3, 1],
      [3, 4, 0],
    ]),
    ...logic((a, b) => a.equal(b), [1, 0, 0, 1]),
  ],
  select: [
    {
      name: "same shape",
      build: (g, r) => g.input("c", "bool", [2, 3]).select(x23(g, r), f32(g, r, "y", [2, 3])),
      env: { c: [1, 0, 1, 0, 0, 1], x: X, y: B.slice(0, 6) },
      want: [0, 1, 2, 3, 4, 5].map((i) => ([1, 0, 1, 0, 0, 1][i] ? X : B)[i] as number),
      gradient: true,
    },
    {
      name: "all three broadcast",
      build: (g, r) => g.input("c", "bool", [2, 1]).select(f32(g, r, "x", [3]), f32(g, r, "y", [])),
      env: { c: [1, 0], x: [1, 2, 3], y: [9] },
      want: [1, 2, 3, 9, 9, 9],
      shape: [2, 3],
      gradient: true,
    },
    {
      name: "condition alone is large",
      build: (g, r) => g.input("c", "bool", [4]).select(f32(g, r, "x", []), 5 * 0),
      env: { c: [1, 0, 0, 1], x: [3] },
      want: [3, 0, 0, 3],
      gradient: true,
    },
    {
      name: "does not touch the other branch",
      build: (g, r) => g.input("c", "bool", [2]).select(f32(g, r, "x", [2]), 0),
      env: { c: [0, 1], x: [NaN, 2] },
      want: [0, 2],
      tolerance: 0,
    },
    {
      name: "of integers",
      build: (g) => g.input("c", "bool", [2]).select(i32(g, "x", [2]), -1),
      env: { c: [0, 1], x: [7, 8] },
      want: [-1, 8],
      tolerance: 0,
    },
  ],
  reduceSum: [
    {
      name: "last axis, kept",
      build: (g, r) => x23(g, r).sum(-1, true),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [6, 15],
      shape: [2, 1],
      gradient: true,
    },
    {
      name: "first axis, dropped",
      build: (g, r) => x23(g, r).sum(0),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [5, 7, 9],
      shape: [3],
      gradient: true,
    },
    {
      name: "two axes out of order",
      build: (g, r) => f32(g, r, "x", [2, 3, 2]).sum([-1, 0]),
      env: { x: some(12, (i) => i) },
      want: [0 + 1 + 6 + 7, 2 + 3 + 8 + 9, 4 + 5 + 10 + 11],
      shape: [3],
      gradient: true,
    },
    {
      name: "all",
      build: (g, r) => x23(g, r).sum(),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [21],
      shape: [],
      gradient: true,
    },
    { name: "no axes", build: (g, r) => x23(g, r).sum([]), env: { x: X }, want: X, shape: [2, 3], tolerance: 0 },
    {
      name: "of nothing is zero",
      build: (g, r) => f32(g, r, "x", [2, 0]).sum(1),
      env: { x: [] },
      want: [0, 0],
      shape: [2],
      tolerance: 0,
    },
    { name: "mean", build: (g, r) => x23(g, r).mean(1), env: { x: [1, 2, 3, 4, 5, 6] }, want: [2, 5], gradient: true },
    {
      name: "mean of all",
      build: (g, r) => x23(g, r).mean(),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [3.5],
      gradient: true,
    },
    {
      name: "accumulates wider than f32",
      build: (g, r) => f32(g, r, "x", [3]).sum(),
      env: { x: [1e8, 1, -1e8] },
      want: [1],
      tolerance: 0,
    },
    {
      name: "of i32 wraps",
      build: (g) => i32(g, "x", [2]).sum(),
      env: { x: [2147483647, 1] },
      want: [MIN],
      tolerance: 0,
    },
  ],
  reduceMax: [
    {
      name: "last axis",
      build: (g, r) => x23(g, r).reduceMax(-1),
      env: { x: [1, 5, 3, -4, -6, -5] },
      want: [5, -4],
      shape: [2],
      gradient: true,
    },
    {
      name: "all, kept",
      build: (g, r) => x23(g, r).reduceMax(undefined, true),
      env: { x: [1, 5, 3, 4, 6, 2] },
      want: [6],
      shape: [1, 1],
      gradient: true,
    },
    {
      name: "first axis",
      build: (g, r) => x23(g, r).reduceMax(0),
      env: { x: [1, 5, 3, 4, 2, 6] },
      want: [4, 5, 6],
      gradient: true,
    },
    {
      name: "special values",
      build: (g, r) => f32(g, r, "x", [3, 2]).reduceMax(1),
      env: { x: [NaN, 1, -INF, -INF, 1, INF] },
      want: [NaN, -INF, INF],
      tolerance: 0,
    },
    { name: "of i32", build: (g) => i32(g, "x", [3]).reduceMax(), env: { x: [-5, -2, -9] }, want: [-2], tolerance: 0 },
  ],
  argMax: [
    {
      name: "last axis",
      build: (g, r) => x23(g, r).argMax(-1),
      env: { x: [1, 5, 3, 4, 2, 0] },
      want: [1, 0],
      shape: [2],
      tolerance: 0,
    },
    {
      name: "first axis",
      build: (g, r) => x23(g, r).argMax(0),
      env: { x: [1, 5, 3, 4, 2, 6] },
      want: [1, 0, 1],
      shape: [3],
      tolerance: 0,
    },
    {
      name: "middle axis",
      build: (g, r) => f32(g, r, "x", [2, 2, 2]).argMax(1),
      env: { x: [0, 3, 2, 1, 5, 5, 4, 6] },
      want: [1, 0, 0, 1],
      shape: [2, 2],
      tolerance: 0,
    },
    {
      name: "first of equals",
      build: (g, r) => f32(g, r, "x", [4]).argMax(0),
      env: { x: [1, 3, 3, 2] },
      want: [1],
      shape: [],
      tolerance: 0,
    },
  ],
  reshape: [
    {
      name: "keeps the order",
      build: (g, r) => x23(g, r).reshape([3, 2]),
      env: { x: X },
      want: X,
      shape: [3, 2],
      gradient: true,
    },
    {
      name: "what is left",
      build: (g, r) => x23(g, r).reshape([-1, 1, 2]),
      env: { x: X },
      want: X,
      shape: [3, 1, 2],
      gradient: true,
    },
    {
      name: "to a scalar",
      build: (g, r) => f32(g, r, "x", [1, 1]).reshape([]),
      env: { x: [4] },
      want: [4],
      shape: [],
      gradient: true,
    },
  ],
  permute: [
    {
      name: "transpose",
      build: (g, r) => x23(g, r).transpose(),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [1, 4, 2, 5, 3, 6],
      shape: [3, 2],
      gradient: true,
    },
    {
      name: "axis i is axis order[i]",
      build: (g, r) => f32(g, r, "x", [2, 1, 3]).permute([2, 0, 1]),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [1, 4, 2, 5, 3, 6],
      shape: [3, 2, 1],
      gradient: true,
    },
    {
      name: "swap of two axes from the end",
      build: (g, r) => f32(g, r, "x", [2, 2, 2]).transpose(0, -1),
      env: { x: [0, 1, 2, 3, 4, 5, 6, 7] },
      want: [0, 4, 2, 6, 1, 5, 3, 7],
      gradient: true,
    },
  ],
  broadcast: [
    {
      name: "new axes in front",
      build: (g, r) => f32(g, r, "x", [2]).broadcast([3, 2]),
      env: { x: [1, 2] },
      want: [1, 2, 1, 2, 1, 2],
      shape: [3, 2],
      gradient: true,
    },
    {
      name: "axis of size 1",
      build: (g, r) => f32(g, r, "x", [2, 1]).broadcast([2, 3]),
      env: { x: [1, 2] },
      want: [1, 1, 1, 2, 2, 2],
      gradient: true,
    },
    {
      name: "scalar",
      build: (g, r) => f32(g, r, "x", []).broadcast([2, 2]),
      env: { x: [7] },
      want: [7, 7, 7, 7],
      gradient: true,
    },
    {
      name: "to nothing",
      build: (g, r) => f32(g, r, "x", [1]).broadcast([0]),
      env: { x: [7] },
      want: [],
      shape: [0],
      gradient: true,
    },
  ],
  slice: [
    {
      name: "one axis",
      build: (g, r) => x23(g, r).slice(1, 1, 3),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [2, 3, 5, 6],
      shape: [2, 2],
      gradient: true,
    },
    {
      name: "axis from the end",
      build: (g, r) => x23(g, r).slice(-2, 1, 2),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [4, 5, 6],
      shape: [1, 3],
      gradient: true,
    },
    {
      name: "every axis",
      build: (g, r) => g.node("slice", [x23(g, r)], { start: [0, 1], stop: [1, 2] }),
      env: { x: [1, 2, 3, 4, 5, 6] },
      want: [2],
      shape: [1, 1],
      gradient: true,
    },
    {
      name: "nothing",
      build: (g, r) => x23(g, r).slice(0, 1, 1),
      env: { x: X },
      want: [],
      shape: [0, 3],
      gradient: true,
    },
  ],
  pad: [
    {
      name: "both sides",
      build: (g, r) => f32(g, r, "x", [2]).pad([1], [2], 9),
      env: { x: [1, 2] },
      want: [9, 1, 2, 9, 9],
      gradient: true,
    },
    {
      name: "two axes",
      build: (g, r) => f32(g, r, "x", [1, 2]).pad([1, 0], [0, 1]),
      env: { x: [1, 2] },
      want: [0, 0, 0, 1, 2, 0],
      shape: [2, 3],
      gradient: true,
    },
    {
      name: "with minus infinity",
      build: (g, r) => f32(g, r, "x", [1]).pad([1], [0], -INF),
      env: { x: [1] },
      want: [-INF, 1],
      tolerance: 0,
    },
  ],
  concat: [
    {
      name: "first axis",
      build: (g, r) => f32(g, r, "x", [1, 2]).concat([f32(g, r, "y", [2, 2])], 0),
      env: { x: [1, 2], y: [3, 4, 5, 6] },
      want: [1, 2, 3, 4, 5, 6],
      shape: [3, 2],
      gradient: true,
    },
    {
      name: "last axis of three",
      build: (g, r) => f32(g, r, "x", [2, 1]).concat([f32(g, r, "y", [2, 2]), f32(g, r, "z", [2, 0])], -1),
      env: { x: [1, 2], y: [3, 4, 5, 6], z: [] },
      want: [1, 3, 4, 2, 5, 6],
      shape: [2, 3],
      gradient: true,
    },
    {
      name: "one tensor twice",
      build: (g, r) => {
        const x = f32(g, r, "x", [2]);
        return x.concat([x], 0);
      },
      env: { x: [1, 2] },
      want: [1, 2, 1, 2],
      gradient: true,
    },
  ],
  matmul: [
    product(false, false),
    product(true, false),
    product(false, true),
    product(true, true),
    {
      name: "batched",
      build: (g, r) => f32(g, r, "a", [2, 1, 2]).matmul(f32(g, r, "b", [2, 2, 1])),
      env: { a: [1, 2, 3, 4], b: [5, 6, 7, 8] },
      want: [17, 53],
      shape: [2, 1, 1],
      gradient: true,
    },
    {
      name: "with itself",
      build: (g, r) => {
        const x = f32(g, r, "x", [2, 2]);
        return x.matmul(x, { transposeB: true });
      },
      env: { x: [1, 2, 3, 4] },
      want: [5, 11, 11, 25],
      gradient: true,
    },
    {
      name: "over nothing",
      build: (g, r) => f32(g, r, "a", [2, 0]).matmul(f32(g, r, "b", [0, 1])),
      env: { a: [], b: [] },
      want: [0, 0],
      tolerance: 0,
    },
    {
      name: "f16 in, f32 out",
      build: (g) => g.input("a", "f16", [1, 2]).matmul(g.input("b", "f16", [2, 1]), { dtype: "f32" }),
      env: { a: [2048, 1], b: [1, 1] },
      want: [2049],
      tolerance: 0,
    },
    {
      name: "f16 in, f16 out",
      build: (g) => g.input("a", "f16", [1, 2]).matmul(g.input("b", "f16", [2, 1])),
      env: { a: [2048, 1], b: [1, 1] },
      want: [2048],
      tolerance: 0,
    },
    {
      name: "gradient of f16 inputs",
      build: (g, r) =>
        x23(g, r)
          .cast("f16")
          .matmul(f32(g, r, "b", [3, 1]).cast("f16"), { dtype: "f32" }),
      env: { x: [1, 2, 3, 4, 5, 6], b: [1, -1, 2] },
      want: [5, 11],
      gradient: true,
    },
  ],
  gather: [
    {
      name: "rows",
      build: (g, r) => f32(g, r, "x", [3, 2]).gather(i32(g, "i", [4])),
      env: { x: [1, 2, 3, 4, 5, 6], i: [2, 0, 2, 1] },
      want: [5, 6, 1, 2, 5, 6, 3, 4],
      shape: [4, 2],
      gradient: true,
    },
    {
      name: "indices of any shape",
      build: (g, r) => f32(g, r, "x", [3]).gather(i32(g, "i", [2, 2])),
      env: { x: [1, 2, 3], i: [0, 1, 2, 0] },
      want: [1, 2, 3, 1],
      shape: [2, 2],
      gradient: true,
    },
    {
      name: "one",
      build: (g, r) => f32(g, r, "x", [3, 2]).gather(i32(g, "i", [])),
      env: { x: [1, 2, 3, 4, 5, 6], i: [1] },
      want: [3, 4],
      shape: [2],
      gradient: true,
    },
    {
      name: "none",
      build: (g, r) => f32(g, r, "x", [3, 2]).gather(i32(g, "i", [0])),
      env: { x: [1, 2, 3, 4, 5, 6], i: [] },
      want: [],
      shape: [0, 2],
    },
  ],
  scatterAdd: [
    {
      name: "adds what falls on one row",
      build: (g, r) => f32(g, r, "x", [3, 2]).scatterAdd(i32(g, "i", [3]), 4),
      env: { x: [1, 2, 3, 4, 5, 6], i: [2, 0, 2] },
      want: [3, 4, 0, 0, 6, 8, 0, 0],
      shape: [4, 2],
      gradient: true,
    },
    {
      name: "scalars",
      build: (g, r) => f32(g, r, "x", [2, 2]).scatterAdd(i32(g, "i", [2, 2]), 2),
      env: { x: [1, 2, 3, 4], i: [1, 1, 0, 1] },
      want: [3, 7],
      shape: [2],
      gradient: true,
    },
    {
      name: "integers",
      build: (g) => i32(g, "x", [3]).scatterAdd(i32(g, "i", [3]), 2),
      env: { x: [1, 2, 3], i: [1, 1, 0] },
      want: [3, 3],
      tolerance: 0,
    },
  ],
  composite: [
    {
      name: "is its expansion",
      build: (g, r) =>
        g.call(
          { name: "test: a * b + a", expand: ([a, b]) => [(a as Tensor).mul(b as Tensor).add(a as Tensor)] },
          [f32(g, r, "a", [2]), f32(g, r, "b", [2])],
          {},
        )[0] as Tensor,
      env: { a: [1, 2], b: [3, 4] },
      want: [4, 10],
      gradient: true,
    },
    {
      name: "one tensor in two places",
      build: (g, r) => {
        const x = f32(g, r, "a", [2]);
        return g.call(
          { name: "test: a * b", expand: ([a, b]) => [(a as Tensor).mul(b as Tensor)] },
          [x, x],
          {},
        )[0] as Tensor;
      },
      env: { a: [3, 4] },
      want: [9, 16],
      gradient: true,
    },
    {
      name: "an arg that depends on another",
      build: (g, r) => {
        const x = f32(g, r, "a", [2]);
        return g.call(
          { name: "test: a * b", expand: ([a, b]) => [(a as Tensor).mul(b as Tensor)] },
          [x, x.mul(x)],
          {},
        )[0] as Tensor;
      },
      env: { a: [3, 4] },
      want: [27, 64],
      gradient: true,
    },
    {
      name: "second of two outputs",
      build: (g, r) => {
        const x = f32(g, r, "a", [2]);
        const [s, d] = g.call(
          {
            name: "test: sum, difference",
            expand: ([a, b]) => [(a as Tensor).add(b as Tensor), (a as Tensor).sub(b as Tensor)],
          },
          [x, f32(g, r, "b", [2])],
          {},
        );
        return (s as Tensor).mul(0.5).mul(d as Tensor);
      },
      env: { a: [3, 4], b: [1, 6] },
      want: [4, -10],
      gradient: true,
    },
    {
      name: "one output is an arg",
      build: (g, r) =>
        g.call(
          { name: "test: the second", expand: ([, b]) => [b as Tensor] },
          [f32(g, r, "a", [2]), f32(g, r, "b", [2])],
          {},
        )[0] as Tensor,
      env: { a: [3, 4], b: [1, 6] },
      want: [1, 6],
      gradient: true,
    },
  ],
};

/** erf as an integral: Simpson's rule on exp(-t^2), 2000 steps. */
function ERF(x: number): number {
  const n = 2000;
  const h = x / n;
  const f = (t: number): number => Math.exp(-t * t);
  let sum = f(0) + f(x);
  for (let i = 1; i < n; i++) sum += (i % 2 === 1 ? 4 : 2) * f(i * h);
  return ((2 / Math.sqrt(Math.PI)) * sum * h) / 3;
}
