// Messages name the op, both types and the layer, and say what to try.
import { describe, expect, it } from "vitest";
import {
  attention,
  crossEntropy,
  dims,
  dropout,
  DTypeError,
  embedding,
  grad,
  Graph,
  layerNorm,
  newtonSchulz,
  pullback,
  rmsNorm,
  rope,
  ShapeError,
  softmax,
  type Tensor,
} from "./index.ts";

const g = new Graph();
const f = (...shape: number[]): Tensor<"f32"> => g.input(`f${shape.join("x")}`, "f32", shape);
const i = (...shape: number[]): Tensor<"i32"> => g.input(`i${shape.join("x")}`, "i32", shape);
const x = f(2, 3);

const messages: readonly (readonly [build: () => unknown, message: string])[] = [
  [() => x.add(f(4)), "add: expected shapes that broadcast together, got f32[2, 3] and f32[4]."],
  [
    () => x.matmul(f(2, 3)),
    "matmul: expected [..., m, k] x [..., k, n] with equal batch axes, got f32[2, 3] and f32[2, 3].",
  ],
  [
    () => x.matmul(f(2, 4), { transposeB: true }),
    "matmul: expected [..., m, k] x [..., k, n] with equal batch axes (transposeA=false, transposeB=true), got " +
      "f32[2, 3] and f32[2, 4].",
  ],
  [() => f(3).matmul(f(3)), "matmul: expected [..., m, k] x [..., k, n] with equal batch axes, got f32[3] and f32[3]."],
  [() => i(2).cast("bool").add(1), "add: expected a number tensor, got bool[2]. Cast it first."],
  [() => i(2).exp(), "exp: expected a float tensor, got i32[2]. Cast it first."],
  [() => i(2).mean(), "mean: expected a float tensor, got i32[2]. Cast it first."],
  [() => x.not(), "not: expected a bool tensor, got f32[2, 3]. Cast it first."],
  [() => x.sum(2), "reduceSum: expected ascending axes of f32[2, 3], got [2]."],
  [() => x.sum([0, 0]), "reduceSum: expected ascending axes of f32[2, 3], got [0, 0]."],
  [() => f(2, 0).reduceMax(1), "reduceMax: expected axes that are not empty, got f32[2, 0]."],
  [() => f(2, 0).argMax(1), "argMax: expected an axis that is not empty, got f32[2, 0]."],
  [() => x.argMax(5), "argMax: expected ascending axes of f32[2, 3], got [5]."],
  [() => x.reshape([4, 2]), "reshape: expected a shape of 6 elements, as f32[2, 3] has, got [4, 2] with 8."],
  [
    () => x.reshape([4, -1]),
    "reshape: expected a shape of 6 elements, as f32[2, 3] has, with at most one -1, got [4, -1].",
  ],
  [
    () => x.reshape([-1, -1]),
    "reshape: expected a shape of 6 elements, as f32[2, 3] has, with at most one -1, got [-1, -1].",
  ],
  [() => x.permute([0, 0]), "permute: expected each axis of f32[2, 3] once, got [0, 0]."],
  [() => f(3).transpose(), "permute: expected each axis of f32[3] once, got [-1]."],
  [() => x.broadcast([2, 4]), "broadcast: expected a shape that f32[2, 3] broadcasts to, got [2, 4]."],
  [() => x.slice(1, 2, 4), "slice: expected start <= stop inside f32[2, 3], got [0, 2] to [2, 4]."],
  [() => x.slice(2, 0, 1), "slice: expected an axis of f32[2, 3], got axis 2."],
  [() => x.pad([1], [1]), "pad: expected counts from 0 for each axis of f32[2, 3], got [1] before and [1] after."],
  [() => x.concat([f(3, 2)], 0), "concat: expected tensors equal but for axis 0, got f32[2, 3] and f32[3, 2]."],
  [() => f().gather(i(2)), "gather: expected a table with at least one axis, got f32[]."],
  [
    () => x.scatterAdd(i(3), 4),
    "scatterAdd: expected updates that begin with the shape of the indices i32[3], got f32[2, 3].",
  ],
  [() => g.iota([2], 1), "iota: expected an axis of [2], got axis 1."],
  [
    () => g.node("randomBits", [i(2)], { shape: [1], bits: 24, stream: 0 }),
    "randomBits: expected a key for each row, u32[1, 2], or one key u32[2] = (seed, step), got i32[2].",
  ],
  [
    () => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [1], bits: 33, stream: 0 }),
    "randomBits: expected 1 to 32 bits, got 33.",
  ],
  [
    () => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [1], bits: 24, stream: -1 }),
    "randomBits: expected a stream number, an integer from 0 to 2^32 - 1, got -1.",
  ],
  [() => g.input("broken", "f32", [2.5]), "input: expected a shape of whole numbers from 0, got [2.5]."],
  [() => x.less(0).select(x, f(4)), "select: expected shapes that broadcast together, got f32[2, 3] and f32[4]."],
  [
    () => grad(x, [x]),
    "grad: expected a scalar to differentiate, got f32[2, 3]. Sum it first, or pass cotangents to pullback().",
  ],
  [() => grad(i(), [x]), "grad: expected a float scalar, got i32[]."],
  [() => pullback([x], [f(3, 2)], [x]), "pullback: expected a cotangent of f32[2, 3], got f32[3, 2]."],
  [
    () => pullback([x], [x.cast("f16")], [x]),
    "pullback: expected a cotangent of f32[2, 3], got f16[2, 3]. Cast it first.",
  ],
  [() => layerNorm(x, f(4), f(3)), "layerNorm(weight): expected shape [hidden=3], got [4]."],
  [() => layerNorm(x, f(3), f(1)), "layerNorm(bias): expected shape [hidden=3], got [1]."],
  [() => layerNorm(f(), f(3), f(3)), "layerNorm: expected at least one axis, got f32[]."],
  [() => rmsNorm(x, f(2)), "rmsNorm(weight): expected shape [hidden=3], got [2]."],
  [() => softmax(x, 2), "softmax: expected an axis of f32[2, 3], got axis 2."],
  [() => embedding(f(3), i(2)), "embedding(table): expected shape [vocab, hidden], got [3]."],
  [() => crossEntropy(x, i(3)), "crossEntropy(targets): expected shape [n=2], got [3]."],
  [() => newtonSchulz(f(3)), "newtonSchulz: expected shape [rows, columns], got [3]."],
  [() => rope(f(1, 1, 2, 3), i(1, 2)), "rope: expected an even head dimension, got 3."],
  [() => rope(f(2, 1, 2, 4), i(3, 2)), "rope(positions): expected shape [batch=2, seq=2], got [3, 2]."],
  [
    () => dropout(x, { rate: 1, stream: 0, key: g.input("key", "u32", [2]) }),
    "dropout: expected a rate in [0, 1), got 1",
  ],
  [
    () => attention(f(1, 2, 3, 4), f(1, 2, 3, 5), f(1, 2, 3, 4)),
    "attention(k): expected shape [batch=1, heads=2, keys, headDim=4], got [1, 2, 3, 5].",
  ],
  [
    () => attention(f(1, 1, 2, 4), f(1, 1, 3, 4), f(1, 1, 3, 4), { segments: i(1, 2) }),
    "attention(segments): expected as many queries as keys, got 2 and 3.",
  ],
  [
    () => attention(f(1, 1, 2, 4), f(1, 1, 3, 4), f(1, 1, 3, 4), { bias: f(1, 1, 3, 3) }),
    "attention(bias): expected [1 or 1, 1 or 1, 2, 3], got [1, 1, 3, 3].",
  ],
  [
    () =>
      attention(f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), {
        dropout: { rate: -0.1, stream: 0, key: g.input("key", "u32", [2]) },
      }),
    "attention: expected a dropout rate in [0, 1), got -0.1",
  ],
  [
    () => dims("encode(x)", x, "batch seq hidden", { hidden: 8 }),
    "encode(x): expected shape [batch, seq, hidden=8], got [2, 3].",
  ],
];

describe("messages", () => {
  it.each(messages.map(([build, message]) => [message, build] as const))("%s", (message, build) => {
    expect(build).toThrow(message);
    expect(() => g.within("encoder.layer.3", build)).toThrow(
      message.startsWith("dropout:") ||
        message.startsWith("attention: expected a dropout") ||
        message.startsWith("grad") ||
        message.startsWith("pullback")
        ? message
        : `encoder.layer.3: ${message}`,
    );
  });
});

it("carry their facts as fields", () => {
  let caught: unknown;
  try {
    g.within("head", () => x.add(f(4)));
  } catch (error) {
    caught = error;
  }
  expect(ShapeError.isInstance(caught)).toBe(true);
  expect(DTypeError.isInstance(caught)).toBe(false);
  expect((caught as ShapeError).facts).toEqual({
    op: "add",
    path: "head",
    expected: "shapes that broadcast together",
    got: "f32[2, 3] and f32[4]",
  });
  expect((caught as ShapeError).kind).toBe("user");
});

it("an error inside a composite names the layer", () => {
  const half = g.input("half", "f16", [1, 1, 2, 4]) as Tensor as Tensor<"f32">;
  expect(() => g.within("encoder.layer.7", () => rope(half, i(1, 2)))).toThrow(
    "encoder.layer.7: mul: expected two tensors of one dtype, got f16[1, 1, 2, 2] and f32[1, 1, 2, 2]. Cast one " +
      "of them.",
  );
});
