/**
 * Cases of every composite, with values from closed forms in plain JavaScript over arrays. No value comes from a graph.
 */
import {
  adamwStep,
  barrier,
  crossEntropy,
  dropout,
  embedding,
  gelu,
  geluTanh,
  layerNorm,
  logSumExp,
  newtonSchulz,
  randomBits,
  relu,
  rmsNorm,
  rope,
  sigmoid,
  silu,
  softmax,
  type Graph,
  type Tensor,
} from "../src/index.ts";
import { threefry2x32 } from "@cloze/random";
import { noise, type Env } from "./finite-differences.ts";

type Read = (x: Tensor) => Tensor;
type T = Tensor<"f32">;

export interface CompositeCase {
  readonly name: string;
  readonly build: (g: Graph, read: Read) => Tensor | readonly Tensor[];
  readonly env: Env;
  readonly want: readonly number[];
  /** False where the function has a kink, or steps, on purpose. */
  readonly gradient?: false;
}

const f = (g: Graph, r: Read, name: string, shape: readonly number[]): T => r(g.input(name, "f32", shape)) as T;
const some = (n: number, by = 1, from = 0): number[] => Array.from({ length: n }, (_, i) => by * noise(i + from));
const rows = (list: readonly number[], width: number): number[][] =>
  Array.from({ length: list.length / width }, (_, i) => list.slice(i * width, (i + 1) * width));
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const mean = (list: readonly number[]): number => sum(list) / list.length;
const at = (list: readonly number[], i: number): number => list[i] as number;

const soft = (x: readonly number[]): number[] => {
  const m = Math.max(...x);
  const e = x.map((v) => Math.exp(v - m));
  const s = sum(e);
  return e.map((v) => v / s);
};
const lse = (x: readonly number[]): number => {
  const m = Math.max(...x);
  return m + Math.log(sum(x.map((v) => Math.exp(v - m))));
};
/** P(X <= x) for a standard normal X, by Simpson's rule. */
function cdf(x: number): number {
  const n = 2000;
  const h = x / n;
  const pdf = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let total = pdf(0) + pdf(x);
  for (let i = 1; i < n; i++) total += (i % 2 === 1 ? 4 : 2) * pdf(i * h);
  return 0.5 + (total * h) / 3;
}

const X = some(12);
const activations: readonly (readonly [string, (x: T) => T, (x: number) => number])[] = [
  ["gelu", gelu, (x) => x * cdf(x)],
  ["geluTanh", geluTanh, (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
  ["silu", silu, (x) => x / (1 + Math.exp(-x))],
  ["sigmoid", sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  ["relu", relu, (x) => Math.max(x, 0)],
];

const W = some(4, 0.5, 50);
const B = some(4, 0.5, 60);
const normed = (x: readonly number[], eps: number): number[] => {
  const m = mean(x);
  const v = mean(x.map((e) => (e - m) ** 2));
  return x.map((e, i) => ((e - m) / Math.sqrt(v + eps)) * at(W, i) + at(B, i));
};
const rms = (x: readonly number[], eps: number, w?: readonly number[]): number[] => {
  const r = Math.sqrt(mean(x.map((e) => e * e)) + eps);
  return x.map((e, i) => (e / r) * (w ? at(w, i) : 1));
};

/** Half-split rotation of one head vector. */
const turned = (x: readonly number[], position: number, base: number): number[] => {
  const half = x.length / 2;
  return x.map((v, i) => {
    const c = i % half;
    const angle = position * base ** (-c / half);
    return i < half
      ? v * Math.cos(angle) - at(x, i + half) * Math.sin(angle)
      : v * Math.cos(angle) + at(x, i - half) * Math.sin(angle);
  });
};

/** The textbook form of AdamW: bias-corrected moments, decoupled decay. */
function adamw(p: number, g: number, m: number, v: number, t: number): readonly [number, number, number] {
  const [lr, b1, b2, eps, decay] = [0.01, 0.9, 0.99, 1e-6, 0.1];
  const m2 = b1 * m + (1 - b1) * g;
  const v2 = b2 * v + (1 - b2) * g * g;
  return [p - lr * decay * p - (lr * (m2 / (1 - b1 ** t))) / (Math.sqrt(v2 / (1 - b2 ** t)) + eps), m2, v2];
}
const ADAM = { p: some(3), grad: some(3, 1, 5), m: some(3, 1, 9), v: some(3, 1, 12).map((x) => x * x), t: 3 };
const CORRECTION = Math.sqrt(1 - 0.99 ** ADAM.t);
const ROTATED = rows(some(16), 4);
const POSITIONS = [0, 1, 7, 300];
const KEPT = Array.from(randomBits([5, 9], 3, 12, 24)).map((b) => (b < 0.25 * 2 ** 24 ? 0 : 1 / 0.75));
const ROW_KEYS = [1, 2, 3, 4, 4_000_000_000, 5];
const KEPT_BY_ROW = X.map((_, i) => {
  const [row, j] = [Math.floor(i / 4), i % 4];
  const key = [((ROW_KEYS[2 * row] as number) ^ 3) >>> 0, ROW_KEYS[2 * row + 1] as number] as const;
  return (threefry2x32(key, [Math.floor(j / 2), 0])[j % 2] as number) >>> 8 < 0.25 * 2 ** 24 ? 0 : 1 / 0.75;
});
const LOGITS = rows(some(10, 3), 5);
const TARGETS = [4, 0];

/** X <- aX + (bA + cA^2) X five times on a 2 x 2 diagonal matrix: each singular value changes independently. */
const polynomial = (s: number): number => {
  let x = s;
  for (let i = 0; i < 5; i++) x = 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5;
  return x;
};

export const compositeCases: readonly CompositeCase[] = [
  ...activations.map(([name, build, want]): CompositeCase => ({
    name,
    build: (g, r) => build(f(g, r, "x", [3, 4])),
    env: { x: X },
    want: X.map(want),
  })),
  {
    name: "sigmoid far out",
    build: (g, r) => sigmoid(f(g, r, "x", [3])),
    env: { x: [-1000, 1000, 0] },
    want: [0, 1, 0.5],
    gradient: false,
  },
  {
    name: "softmax of rows",
    build: (g, r) => softmax(f(g, r, "x", [3, 4])),
    env: { x: X },
    want: rows(X, 4).flatMap(soft),
  },
  {
    name: "softmax along the first axis",
    build: (g, r) => softmax(f(g, r, "x", [3, 4]), 0),
    env: { x: X },
    want: X.map((_, i) => at(soft([0, 1, 2].map((k) => at(X, (i % 4) + 4 * k))), Math.floor(i / 4))),
  },
  {
    name: "softmax of large numbers",
    build: (g, r) => softmax(f(g, r, "x", [1, 3])),
    env: { x: [1000, 1000, -1000] },
    want: [0.5, 0.5, 0],
  },
  { name: "logSumExp", build: (g, r) => logSumExp(f(g, r, "x", [3, 4])), env: { x: X }, want: rows(X, 4).map(lse) },
  {
    name: "logSumExp of large numbers",
    build: (g, r) => logSumExp(f(g, r, "x", [2])),
    env: { x: [1000, 1000] },
    want: [1000 + Math.LN2],
  },
  {
    name: "layerNorm",
    build: (g, r) => layerNorm(f(g, r, "x", [3, 4]), f(g, r, "w", [4]), f(g, r, "b", [4]), 1e-3),
    env: { x: X, w: W, b: B },
    want: rows(X, 4).flatMap((x) => normed(x, 1e-3)),
  },
  {
    name: "layerNorm of a cube",
    build: (g, r) => layerNorm(f(g, r, "x", [1, 3, 4]), f(g, r, "w", [4]), f(g, r, "b", [4])),
    env: { x: X, w: W, b: B },
    want: rows(X, 4).flatMap((x) => normed(x, 1e-5)),
  },
  {
    name: "layerNorm of a vector",
    build: (g, r) => layerNorm(f(g, r, "x", [4]), f(g, r, "w", [4]), f(g, r, "b", [4])),
    env: { x: X.slice(0, 4), w: W, b: B },
    want: normed(X.slice(0, 4), 1e-5),
  },
  {
    name: "rmsNorm with gain",
    build: (g, r) => rmsNorm(f(g, r, "x", [3, 4]), f(g, r, "w", [4])),
    env: { x: X, w: W },
    want: rows(X, 4).flatMap((x) => rms(x, 1e-6, W)),
  },
  {
    name: "rmsNorm without",
    build: (g, r) => rmsNorm(f(g, r, "x", [3, 4]), undefined, 1e-2),
    env: { x: X },
    want: rows(X, 4).flatMap((x) => rms(x, 1e-2)),
  },
  {
    name: "embedding",
    build: (g, r) => embedding(f(g, r, "table", [3, 2]), g.input("ids", "i32", [2, 2])),
    env: { table: some(6), ids: [2, 0, 2, 1] },
    want: [2, 0, 2, 1].flatMap((i) => some(6).slice(2 * i, 2 * i + 2)),
  },
  {
    name: "crossEntropy",
    build: (g, r) => crossEntropy(f(g, r, "logits", [2, 5]), g.input("targets", "i32", [2])),
    env: { logits: LOGITS.flat(), targets: TARGETS },
    want: LOGITS.map((l, i) => -Math.log(at(soft(l), at(TARGETS, i)))),
  },
  {
    name: "crossEntropy of large logits",
    build: (g, r) => crossEntropy(f(g, r, "logits", [1, 3]), g.input("targets", "i32", [1])),
    env: { logits: [1000, 0, -1000], targets: [2] },
    want: [2000],
  },
  {
    name: "barrier",
    build: (g, r) => barrier(f(g, r, "x", [3, 4]), f(g, r, "after", [2])),
    env: { x: X, after: [1, 2] },
    want: X,
  },
  {
    name: "dropout",
    build: (g, r) => dropout(f(g, r, "x", [3, 4]), { rate: 0.25, stream: 3, key: g.input("key", "u32", [2]) }),
    env: { x: X, key: [5, 9] },
    want: X.map((x, i) => x * at(KEPT, i)),
  },
  {
    name: "dropout by row",
    build: (g, r) => dropout(f(g, r, "x", [3, 4]), { rate: 0.25, stream: 3, key: g.input("key", "u32", [3, 2]) }),
    env: { x: X, key: ROW_KEYS },
    want: X.map((x, i) => x * at(KEPT_BY_ROW, i)),
  },
  {
    name: "dropout of rate 0",
    build: (g, r) => dropout(f(g, r, "x", [3, 4]), { rate: 0, stream: 3, key: g.input("key", "u32", [2]) }),
    env: { x: X },
    want: X,
  },
  {
    name: "rope",
    build: (g, r) => rope(f(g, r, "x", [2, 1, 2, 4]), g.input("p", "i32", [2, 2]), 100),
    env: { x: ROTATED.flat(), p: POSITIONS },
    want: ROTATED.flatMap((x, i) => turned(x, at(POSITIONS, i), 100)),
  },
  {
    name: "rope with shared positions",
    build: (g, r) => rope(f(g, r, "x", [2, 1, 2, 4]), g.input("p", "i32", [1, 2])),
    env: { x: ROTATED.flat(), p: [2, 5] },
    want: ROTATED.flatMap((x, i) => turned(x, i % 2 === 0 ? 2 : 5, 10_000)),
  },
  {
    name: "newtonSchulz of a diagonal",
    build: (g, r) => newtonSchulz(f(g, r, "x", [2, 2])),
    env: { x: [3, 0, 0, 4] },
    want: [polynomial(0.6 / (1 + 2e-8)), 0, 0, polynomial(0.8 / (1 + 2e-8))],
  },
  {
    name: "newtonSchulz of a tall one",
    build: (g, r) => newtonSchulz(f(g, r, "x", [3, 2])),
    env: { x: [3, 0, 0, 4, 0, 0] },
    want: [polynomial(0.6 / (1 + 2e-8)), 0, 0, polynomial(0.8 / (1 + 2e-8)), 0, 0],
  },
  {
    name: "adamw",
    build: (g, r) => {
      const scalar = (name: string): T => g.input(name, "f32", []);
      const out = adamwStep(
        f(g, r, "p", [3]),
        f(g, r, "grad", [3]),
        f(g, r, "m", [3]),
        f(g, r, "v", [3]),
        { lr: scalar("lr"), step: scalar("step"), epsHat: scalar("epsHat"), gradScale: scalar("gradScale") },
        { beta1: 0.9, beta2: 0.99, decay: 0.1 },
      );
      return [out.p, out.m, out.v];
    },
    env: {
      p: ADAM.p,
      grad: ADAM.grad.map((x) => 2 * x),
      m: ADAM.m,
      v: ADAM.v,
      lr: [0.01],
      step: [(0.01 * CORRECTION) / (1 - 0.9 ** ADAM.t)],
      epsHat: [1e-6 * CORRECTION],
      gradScale: [0.5],
    },
    want: [0, 1, 2].flatMap((k) =>
      ADAM.p.map((p, i) => at(adamw(p, at(ADAM.grad, i), at(ADAM.m, i), at(ADAM.v, i), ADAM.t), k)),
    ),
  },
];
