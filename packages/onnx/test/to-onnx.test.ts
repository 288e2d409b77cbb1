// The model as bytes and as a graph. Tests in @cloze/backend-onnxruntime run an engine and check the model's values.
import { describe, expect, test } from "vitest";
import {
  gelu,
  Graph,
  grad,
  layerNorm,
  lower,
  program,
  rope,
  silu,
  softmax,
  type Node,
  type Tensor,
} from "@cloze/graph";
import { nativeIn, toOnnx, type OnnxModel } from "../src/index.ts";
import { float, int, ints, join, message, string } from "../src/protobuf.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("protobuf", () => {
  // The examples of protobuf.dev/programming-guides/encoding.
  test("varints, text, messages, packed lists", () => {
    expect(hex(join([int(1, 150)]))).toBe("089601");
    expect(hex(join([string(2, "testing")]))).toBe("120774657374696e67");
    expect(hex(join([message(3, [int(1, 150)])]))).toBe("1a03089601");
    expect(hex(join([ints(6, [3, 270, 86942])]))).toBe("3206038e029ea705");
  });
  test("negative and large integers, floats, empty lists", () => {
    expect(hex(join([int(1, -1)]))).toBe("08ffffffffffffffffff01");
    expect(hex(join([int(1, 2 ** 40)]))).toBe("08808080808020");
    expect(hex(join([float(2, 1)]))).toBe("150000803f");
    expect(hex(join([ints(6, [])]))).toBe("");
  });
});

function modelOf(
  g: Graph,
  outputs: Readonly<Record<string, Tensor>>,
  parts: Partial<Parameters<typeof toOnnx>[0]> = {},
): OnnxModel {
  const p = program(g, { state: [], outputs });
  const lowered = lower(p, { native: nativeIn(p) });
  return toOnnx({ inputs: lowered.feeds, outputs: lowered.outputs, ...parts });
}

/** Texts in the model's bytes, in order: names of nodes, values and operators. */
const texts = ({ bytes }: OnnxModel): string => Buffer.from(bytes).toString("latin1");
const count = ({ operators }: OnnxModel): Record<string, number> => Object.fromEntries(operators);

test("nodes are named by layer and operator, inputs and outputs as in the program", () => {
  const g = new Graph();
  const x = g.input("x", "f32", [2, 3]);
  const model = modelOf(g, { y: g.within("encoder.layers.3", () => softmax(x)), x: x.mul(2) });
  expect(texts(model)).toContain("encoder.layers.3/Softmax");
  expect(model.inputs.map((i) => i.name)).toEqual(["x"]);
  expect(Object.entries(model.outputs).map(([name, { name: called }]) => [name, called])).toEqual([
    ["y", "y"],
    ["x", "x.next"],
  ]);
});

test("values are stored in the model and are no inputs; what nothing reads is left out", () => {
  const g = new Graph();
  const x = g.input("x", "f32", [2]);
  const w = g.input("w", "f32", [2]);
  const unread = g.input("unread", "i32", [1]) as Tensor as Node<"input">;
  const data = Float32Array.of(0.5, 123.456);
  const p = program(g, { state: [], outputs: { y: x.mul(w) }, feeds: [unread] });
  const model = toOnnx({ inputs: p.feeds, outputs: p.outputs, values: { w: { dtype: "f32", shape: [2], data } } });
  expect(model.inputs.map((i) => i.name)).toEqual(["x"]);
  expect(hex(model.bytes)).toContain(hex(new Uint8Array(data.buffer)));
});

test("equal graphs give equal bytes", () => {
  const build = (): OnnxModel => {
    const g = new Graph();
    const x = g.input("x", "f32", [4, 8]);
    return modelOf(g, { y: layerNorm(x, g.input("w", "f32", [8]), g.input("b", "f32", [8])) });
  };
  expect(hex(build().bytes)).toBe(hex(build().bytes));
});

test("GELU is one operator alone, and its expansion beside its gradient", () => {
  const g = new Graph();
  const x = g.input("x", "f32", [4]);
  const y = gelu(x).sum();
  expect(count(modelOf(g, { y }))).toMatchObject({ Gelu: 1 });
  const both = count(modelOf(g, { y, dx: grad(y, [x])[0] as Tensor }));
  expect(both.Gelu).toBeUndefined();
  expect(both.Erf).toBe(1);
});

test("a product takes a factor and a bias; the bias stays apart where the product is read again", () => {
  const g = new Graph();
  const x = g.input("x", "f32", [4, 8]);
  const w = g.input("w", "f32", [8, 8]);
  const b = g.input("b", "f32", [8]);
  const y = x.mul(0.5).matmul(w);
  const z = y.add(b);
  expect(count(modelOf(g, { z }))).toEqual({ Gemm: 1 });
  expect(count(modelOf(g, { z, y }))).toEqual({ Gemm: 1, Add: 1 });
});

test("the gradient of a weight transposes the smaller side first", () => {
  const g = new Graph();
  const ct = g.input("ct", "f32", [64, 16]);
  const x = g.input("x", "f32", [64, 4]);
  expect(count(modelOf(g, { narrow: x.matmul(ct, { transposeA: true }) }))).toEqual({ Transpose: 1, MatMul: 1 });
  expect(count(modelOf(g, { wide: ct.matmul(x, { transposeA: true }) }))).toEqual({ Transpose: 2, MatMul: 1 });
});

test("all rotations of a model share their tables", () => {
  const g = new Graph();
  const positions = g.input("positions", "i32", [1, 6]);
  const q = g.input("q", "f32", [2, 2, 6, 8]);
  const k = g.input("k", "f32", [2, 2, 6, 8]);
  const turned = rope(rope(q, positions), positions).add(rope(k, positions));
  const ct = grad(turned.sum(), [q])[0] as Tensor;
  expect(count(modelOf(g, { turned, ct }))).toMatchObject({ RotaryEmbedding: 5, Sin: 1, Cos: 1, Neg: 1 });
});

test("broadcasts that only feed elementwise operators are not made", () => {
  const g = new Graph();
  const x = g.input("x", "f32", [3, 8]);
  expect(
    count(modelOf(g, { y: x.mul(g.full([3, 8], 2, "f32")).add(g.input("b", "f32", [8]).broadcast([3, 8])) })),
  ).toEqual({ Mul: 1, Add: 1 });
});

test("small tables are summed by a product, others by ScatterElements, none by ScatterND", () => {
  const g = new Graph();
  const rows = g.input("rows", "f32", [1024, 64]);
  const ids = g.input("ids", "i32", [1024]);
  expect(count(modelOf(g, { sums: rows.scatterAdd(ids, 33) })).MatMul).toBe(1);
  expect(count(modelOf(g, { sums: rows.scatterAdd(ids, 1000) })).ScatterElements).toBe(1);
});

test("what the caller forgot is named", () => {
  const g = new Graph();
  const x = g.input("x", "f32", [4]) as Tensor as Node<"input">;
  const y = silu(x as Tensor as Tensor<"f32">);
  expect(() => toOnnx({ inputs: [x], outputs: { y } })).toThrow(/composite silu reached the model: lower the program/);
  expect(() => toOnnx({ inputs: [], outputs: { y: x.neg() } })).toThrow('"x" is read and not among the inputs');
});
