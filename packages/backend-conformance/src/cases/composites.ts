/** Cases of the composites: the shapes that models use, and inputs where a composite's own gradient is easily wrong. */
import {
  adamwStep,
  attention,
  barrier,
  crossEntropy,
  dropout,
  embedding,
  gelu,
  geluTanh,
  layerNorm,
  logSumExp,
  newtonSchulz,
  polarExpress,
  relu,
  rmsNorm,
  rope,
  sigmoid,
  silu,
  softmax,
  type AttentionOptions,
  type Graph,
  type Tensor,
} from "@cloze/graph";
import { F32, type Case, type Draw } from "../case.ts";

type T = Tensor<"f32">;
const f = (g: Graph, name: string, shape: readonly number[]): T => g.input(name, "f32", shape);
const make = (
  name: string,
  build: (g: Graph) => Tensor | readonly Tensor[],
  inputs: Readonly<Record<string, Draw>> = {},
): Case => ({ name, tolerance: "composite", dtypes: F32, build, inputs });

const key = (g: Graph): Tensor<"u32"> => g.input("key", "u32", [2]);
const KEY: Draw = { values: [11, 3] };
const ROW_KEYS = { key: { values: [11, 3, 4_000_000_000, 7] } };
const WIDE: Draw = { uniform: [-12, 12] };

/** Sizes: `[batch, heads, queries, keys, headDim]`. `options` builds the attention options in the case's graph. */
const attend = (
  what: string,
  [batch, heads, queries, keys, headDim]: readonly [number, number, number, number, number],
  options: (g: Graph) => AttentionOptions = () => ({}),
  inputs: Readonly<Record<string, Draw>> = {},
): Case =>
  make(
    `attention > ${what}`,
    (g) =>
      attention(
        f(g, "q", [batch, heads, queries, headDim]),
        f(g, "k", [batch, heads, keys, headDim]),
        f(g, "v", [batch, heads, keys, headDim]),
        options(g),
      ),
    inputs,
  );

export const compositeCases: readonly Case[] = [
  ...(
    [
      ["gelu", gelu],
      ["geluTanh", geluTanh],
      ["silu", silu],
      ["sigmoid", sigmoid],
      ["relu", relu],
    ] as const
  ).flatMap(([name, activation]) => [
    make(`${name} > cube`, (g) => activation(f(g, "x", [2, 3, 5]))),
    make(`${name} > large arguments`, (g) => activation(f(g, "x", [16])), { x: WIDE }),
  ]),
  make("softmax > last axis", (g) => softmax(f(g, "x", [2, 3, 7]))),
  make("softmax > first axis", (g) => softmax(f(g, "x", [5, 3]), 0)),
  make("softmax > large arguments", (g) => softmax(f(g, "x", [3, 6])), { x: { uniform: [-90, 90] } }),
  make("softmax > long row", (g) => softmax(f(g, "x", [3, 1030]))),
  make("logSumExp > last axis", (g) => logSumExp(f(g, "x", [3, 6])), { x: WIDE }),
  make("layerNorm > rows", (g) => layerNorm(f(g, "x", [2, 3, 8]), f(g, "weight", [8]), f(g, "bias", [8]))),
  make("layerNorm > odd width", (g) => layerNorm(f(g, "x", [5, 37]), f(g, "weight", [37]), f(g, "bias", [37]), 1e-12)),
  make("rmsNorm > with gain", (g) => rmsNorm(f(g, "x", [2, 3, 8]), f(g, "weight", [8]))),
  make("rmsNorm > without gain", (g) => rmsNorm(f(g, "x", [4, 7]))),
  make("embedding > repeated ids", (g) => embedding(f(g, "table", [7, 5]), g.input("ids", "i32", [2, 4])), {
    ids: { below: 7 },
  }),
  make("crossEntropy > rows", (g) => crossEntropy(f(g, "logits", [6, 9]), g.input("targets", "i32", [6])), {
    targets: { below: 9 },
  }),
  make("crossEntropy > large logits", (g) => crossEntropy(f(g, "logits", [4, 33]), g.input("targets", "i32", [4])), {
    logits: { uniform: [-60, 60] },
    targets: { below: 33 },
  }),
  make("dropout > cube", (g) => dropout(f(g, "x", [2, 5, 7]), { rate: 0.3, stream: 5, key: key(g) }), { key: KEY }),
  make(
    "dropout > by row",
    (g) => dropout(f(g, "x", [2, 5, 8]), { rate: 0.3, stream: 5, key: g.input("key", "u32", [2, 2]) }),
    ROW_KEYS,
  ),
  make("barrier > twice the same", (g) => {
    const x = f(g, "x", [3, 5]);
    const once = x.exp().sum(0);
    const again = barrier(x, once).exp().sum(0);
    return [once, again.sub(once), barrier(once, again)];
  }),
  make("rope > own positions", (g) => rope(f(g, "x", [2, 2, 5, 6]), g.input("positions", "i32", [2, 5])), {
    positions: { below: 40 },
  }),
  make("rope > shared positions", (g) => rope(f(g, "x", [2, 3, 4, 8]), g.iota([1, 4], 1))),
  make("newtonSchulz > wide", (g) => newtonSchulz(f(g, "x", [4, 6]))),
  make("newtonSchulz > tall", (g) => newtonSchulz(f(g, "x", [7, 3]))),
  make("newtonSchulz > Polar Express", (g) => polarExpress(f(g, "x", [5, 4]), 2)),
  make(
    "adamw > with decay",
    (g) => {
      const s = (name: string): T => f(g, name, []);
      return Object.values(
        adamwStep(
          f(g, "p", [3, 4]),
          f(g, "grad", [3, 4]),
          f(g, "m", [3, 4]),
          f(g, "v", [3, 4]),
          { lr: s("lr"), step: s("step"), epsHat: s("epsHat"), gradScale: s("gradScale") },
          { beta1: 0.9, beta2: 0.98, decay: 0.01 },
        ),
      );
    },
    {
      v: { uniform: [0.5, 1.5] },
      lr: { values: [0.01] },
      step: { values: [0.02] },
      epsHat: { values: [1e-3] },
      gradScale: { values: [0.5] },
    },
  ),

  attend("plain", [2, 2, 4, 4, 8]),
  attend("head dim 20", [1, 3, 5, 5, 20]),
  attend("head dim 24", [1, 2, 6, 6, 24]),
  attend("odd head dim", [1, 2, 3, 3, 5]),
  attend("fewer queries than keys", [2, 2, 3, 7, 4]),
  attend("one key", [1, 2, 3, 1, 4]),
  attend("longer than a tile", [1, 1, 70, 70, 8]),
  attend("own scale", [1, 2, 4, 4, 4], () => ({ scale: 0.7 })),
  attend("key padding", [2, 2, 5, 5, 4], (g) => ({ keyPadding: g.input("padding", "bool", [2, 5]) }), {
    padding: { values: [1, 1, 1, 0, 0, 1, 1, 1, 1, 0] },
  }),
  attend("no key to see", [2, 1, 3, 3, 4], (g) => ({ keyPadding: g.input("padding", "bool", [2, 3]) }), {
    padding: { values: [0, 0, 0, 1, 1, 0] },
  }),
  attend("segments", [2, 2, 6, 6, 4], (g) => ({ segments: g.input("segments", "i32", [2, 6]) }), {
    segments: { values: [0, 0, 1, 1, 1, 2, 0, 1, 1, 1, 2, 2] },
  }),
  attend("causal", [1, 2, 6, 6, 4], () => ({ causal: true })),
  attend("window", [1, 2, 9, 9, 4], () => ({ window: 2 })),
  attend("causal window", [1, 1, 9, 9, 4], () => ({ causal: true, window: 3 })),
  attend(
    "window, in a band",
    [2, 2, 70, 70, 4],
    (g) => ({ window: 3, segments: g.input("segments", "i32", [2, 70]) }),
    { segments: { values: Array.from({ length: 140 }, (_, i) => Math.floor(Math.sqrt(5 * (i % 70)))) } },
  ),
  attend(
    "causal window, in a band, with dropout and softcap",
    [1, 2, 75, 75, 5],
    (g) => ({ causal: true, window: 33, softcap: 2, dropout: { rate: 0.2, stream: 4, key: key(g) } }),
    { key: KEY },
  ),
  attend("bias", [2, 2, 3, 4, 4], (g) => ({ bias: f(g, "bias", [2, 2, 3, 4]) })),
  attend("bias over batch", [2, 2, 3, 3, 4], (g) => ({ bias: f(g, "bias", [1, 2, 3, 3]) })),
  attend("bias over batch and heads", [2, 2, 3, 3, 4], (g) => ({ bias: f(g, "bias", [1, 1, 3, 3]) })),
  attend("softcap", [1, 2, 4, 4, 8], () => ({ softcap: 2 })),
  attend(
    "dropout by row",
    [2, 3, 5, 7, 8],
    (g) => ({ dropout: { rate: 0.25, stream: 3, key: g.input("key", "u32", [2, 2]) } }),
    ROW_KEYS,
  ),
  attend(
    "dropout by row, longer than a tile",
    [2, 1, 70, 70, 4],
    (g) => ({ dropout: { rate: 0.25, stream: 3, key: g.input("key", "u32", [2, 2]) } }),
    ROW_KEYS,
  ),
  attend("dropout", [2, 2, 4, 4, 8], (g) => ({ dropout: { rate: 0.25, stream: 3, key: key(g) } }), { key: KEY }),
  attend(
    "everything at once",
    [2, 2, 6, 6, 4],
    (g) => ({
      keyPadding: g.input("padding", "bool", [2, 6]),
      segments: g.input("segments", "i32", [2, 6]),
      bias: f(g, "bias", [1, 2, 6, 6]),
      causal: true,
      window: 3,
      softcap: 5,
      dropout: { rate: 0.2, stream: 1, key: key(g) },
    }),
    { padding: { values: [1, 1, 1, 1, 1, 0] }, segments: { values: [0, 0, 0, 1, 1, 1] }, key: KEY },
  ),
  {
    ...make("attention > 16-bit inputs", () => []),
    dtypes: ["f16", "bf16"],
    build: (g, d) => {
      const x = (name: string): T => g.input(name, d, [2, 2, 5, 8]) as Tensor as T;
      return attention(x("q"), x("k"), x("v"), { causal: true });
    },
  },
];
