// Every base op in each of its dtypes, compared with the interpreter. All cases of a group are outputs of one program.
import { afterAll, expect, test } from "vitest";
import {
  call,
  composite,
  Graph,
  geluComposite,
  geluTanhComposite,
  interpret,
  layerNormComposite,
  program,
  ropeComposite,
  sigmoidComposite,
  softmaxComposite,
  toNumbers,
  type DType,
  type HostTensor,
  type Tensor,
} from "@cloze/graph";
import { narrow } from "@cloze/onnx";
import { backend } from "../src/index.ts";

const cpu = backend({ threads: 2 });
afterAll(() => cpu.dispose());

type Case = readonly [name: string, build: (g: Graph) => Tensor];

const numbers: { readonly [D in DType]: readonly number[] } = {
  f32: [0.3, -1.7, 2.5, -0.4, 1e-3, 7.25, -3, 0],
  f16: [0.3, -1.7, 2.5, -0.4, 1e-3, 7.25, -3, 0],
  bf16: [0.3, -1.7, 2.5, -0.4, 1e-3, 7.25, -3, 0],
  i32: [3, -7, 2, 0, 2147483647, -2147483648, 65537, -1],
  u32: [3, 7, 2, 0, 4294967295, 2147483648, 65537, 1],
  bool: [1, 0, 0, 1, 1, 0, 1, 0],
};

/** Deterministic data for an input. The name of the input is the seed. */
function dataFor(x: Tensor, name: string): HostTensor {
  const count = x.shape.reduce((n, d) => n * d, 1);
  const pool = numbers[x.dtype];
  const seed = [...name].reduce((n, c) => n * 31 + c.charCodeAt(0), 7);
  const limit = /^below(\d+)/.exec(name);
  const values = Float64Array.from({ length: count }, (_, i) =>
    limit ? (seed + i * 7) % Number(limit[1]) : (pool[(seed + i * 5 + Math.floor(i / 8)) % pool.length] as number),
  );
  if (x.dtype === "i32") return { dtype: "i32", shape: x.shape, data: Int32Array.from(values) };
  if (x.dtype === "u32") return { dtype: "u32", shape: x.shape, data: Uint32Array.from(values) };
  if (x.dtype === "bool") return { dtype: "bool", shape: x.shape, data: Uint8Array.from(values) };
  return narrow({ dtype: "f32", shape: x.shape, data: Float32Array.from(values) }, x.dtype);
}

const decoded = (t: HostTensor): number[] => Array.from(toNumbers(t));

async function compare(cases: readonly Case[]): Promise<void> {
  const g = new Graph();
  const outputs = Object.fromEntries(cases.map(([name, build]) => [name, g.within(name, () => build(g))]));
  const p = program(g, { state: [], outputs });
  const feeds = Object.fromEntries(p.feeds.map((f) => [f.attrs.name, dataFor(f, f.attrs.name)]));
  const expected = interpret(
    Object.values(outputs),
    Object.fromEntries(Object.entries(feeds).map(([n, t]) => [n, decoded(t)])),
  );
  const executable = await cpu.compile(p);
  const session = await cpu.start({});
  const got = await session.run(executable, feeds);
  const wrong: string[] = [];
  Object.entries(outputs).forEach(([name, x], i) => {
    const want = Array.from(expected[i]?.data ?? []);
    const have = decoded(got[name] as HostTensor);
    const step = x.dtype === "f16" ? 2 ** -10 : x.dtype === "bf16" ? 2 ** -7 : x.dtype === "f32" ? 2e-6 : 0;
    const same =
      want.length === have.length &&
      want.every((w, j) => {
        const h = have[j] as number;
        return (
          Object.is(w, h) ||
          w === h ||
          (Number.isNaN(w) && Number.isNaN(h)) ||
          Math.abs(w - h) <= step * Math.max(0.25, Math.abs(w))
        );
      });
    if (!same)
      wrong.push(
        `${name}: ${x.dtype}[${x.shape.join()}] expected ${want.slice(0, 12).join(" ")} got ` +
          `${have.slice(0, 12).join(" ")}`,
      );
  });
  await session.dispose();
  await executable.dispose();
  expect(wrong).toEqual([]);
}

const floats = ["f32", "f16", "bf16"] as const;
const ordered = [...floats, "i32", "u32"] as const;
const all = [...ordered, "bool"] as const;
const over = (
  dtypes: readonly DType[],
  name: string,
  build: (x: Tensor, g: Graph) => Tensor,
  shape: readonly number[] = [3, 8],
): Case[] => dtypes.map((d) => [`${name} ${d}`, (g) => build(g.input(`x ${d} ${shape.join("x")}`, d, shape), g)]);

test("elementwise, one argument", () =>
  compare([
    ...(["exp", "sin", "cos", "tanh", "erf", "floor"] as const).flatMap((op) => over(floats, op, (x) => x[op]())),
    ...(["log", "sqrt"] as const).flatMap((op) => over(floats, op, (x) => x.abs()[op]())),
    ...(["neg", "abs"] as const).flatMap((op) => over(ordered, op, (x) => x[op]())),
    ...over(["bool"], "not", (x) => x.not()),
    ...over(all, "detach", (x) => x.detach()),
    ...all.flatMap((to) => over(all, `to ${to} from`, (x) => x.cast(to))),
  ]));

const other = (x: Tensor, shape: readonly number[] = x.shape): Tensor =>
  x.graph.input(`y ${x.dtype} ${shape.join("x")}`, x.dtype, shape);

test("elementwise, two arguments, with and without broadcasting", () =>
  compare([
    ...(["add", "sub", "mul", "div", "max", "min", "less"] as const).flatMap((op) => [
      ...over(ordered, op, (x) => x[op](other(x))),
      ...over(ordered, `${op} row`, (x) => x[op](other(x, [8]))),
      ...over(ordered, `${op} column`, (x) => other(x, [3, 1])[op](x)),
      ...over(ordered, `${op} scalar`, (x) => x[op](2)),
      ...over(ordered, `${op} outer`, (x) => x[op](other(x, [2, 3, 1])), [1, 4]),
      ...over(ordered, `${op} of broadcasts`, (x) => x.broadcast([3, 8])[op](other(x, [3, 1]).broadcast([3, 8])), [8]),
      ...over(ordered, `${op} of equal broadcasts`, (x) => x.broadcast([3, 8])[op](other(x).broadcast([3, 8])), [8]),
    ]),
    ...over(all, "equal", (x) => x.equal(other(x))),
    ...over(["bool"], "and", (x) => x.and(other(x))),
    ...over(["bool"], "or", (x) => x.or(other(x, [8]))),
    ...over(all, "select", (x, g) => g.input("c", "bool", [8]).select(x, other(x, [3, 1]))),
    ...over(all, "select const", (x, g) => g.input("c", "bool", [8]).select(x, 1)),
    ...over(all, "select scalar", (x, g) => g.input("c0", "bool", []).select(x, other(x)), []),
  ]));

test("reductions", () =>
  compare([
    ...[[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2], []].flatMap((axes) => [
      ...over(ordered, `sum ${axes}`, (x, g) => g.node("reduceSum", [x], { axes }), [3, 4, 5]),
      ...over(ordered, `max ${axes}`, (x, g) => g.node("reduceMax", [x], { axes }), [3, 4, 5]),
    ]),
    ...over(ordered, "argMax 0", (x) => x.argMax(0), [5, 3]),
    ...over(ordered, "argMax -1", (x) => x.argMax(-1), [5, 3]),
  ]));

test("movement", () =>
  compare([
    ...over(all, "reshape", (x) => x.reshape([4, -1])),
    ...over(all, "to a scalar", (x) => x.reshape([]), [1, 1]),
    ...over(all, "permute", (x) => x.permute([2, 0, 1]), [2, 3, 4]),
    ...over(all, "broadcast", (x) => x.broadcast([2, 3, 8]), [3, 1]),
    ...over(all, "broadcast a scalar", (x) => x.broadcast([2, 3]), []),
    ...over(all, "slice", (x, g) => g.node("slice", [x], { start: [1, 2], stop: [3, 7] })),
    ...over(all, "pad", (x) => x.pad([1, 0], [0, 2], 1)),
    ...over(all, "concat", (x) => x.concat([other(x), other(x, [3, 2])], 1)),
  ]));

test("sources", () =>
  compare([
    ["iota", (g) => g.iota([3, 4, 2], 1)],
    ...all.map((d): Case => [`const ${d}`, (g) => g.const(0.1, d)]),
    ["full", (g) => g.full([2, 3], 1.5, "f32")],
    ["infinite", (g) => g.const(-Infinity, "f32").broadcast([2])],
    ["the same output again", (g) => g.iota([3, 4, 2], 1)],
    ["an input as output", (g) => g.input("x", "f32", [3])],
    ...[1, 2, 7, 64, 129].flatMap((n) =>
      [32, 24, 1].map((bits): Case => [
        `random ${n} ${bits}`,
        (g) => g.node("randomBits", [g.input("key", "u32", [2])], { shape: [n], bits, stream: n * 3 }),
      ]),
    ),
  ]));

test("contractions and indexing", () =>
  compare([
    ...[false, true].flatMap((ta) =>
      [false, true].flatMap((tb) => [
        ...over(
          floats,
          `matmul ${ta} ${tb}`,
          (x) => x.matmul(other(x, tb ? [5, 8] : [8, 5]), { transposeA: ta, transposeB: tb }),
          ta ? [8, 3] : [3, 8],
        ),
        ...over(
          floats,
          `batched matmul ${ta} ${tb}`,
          (x) => x.matmul(other(x, tb ? [2, 2, 5, 8] : [2, 2, 8, 5]), { transposeA: ta, transposeB: tb, dtype: "f32" }),
          ta ? [2, 2, 8, 3] : [2, 2, 3, 8],
        ),
      ]),
    ),
    [
      "scaled matmul",
      (g) =>
        g
          .input("a", "f32", [3, 4])
          .mul(0.3)
          .matmul(g.input("b", "f32", [4, 5]).mul(2)),
    ],
    [
      "matmul of a broadcast product",
      (g) => g.input("a1", "f32", [1, 4]).matmul(g.const(2, "f32").broadcast([4, 5]).mul(3)),
    ],
    ...over(all, "gather", (x, g) => x.gather(g.input("below3", "i32", [2, 5]))),
    ...over(ordered, "scatterAdd", (x, g) => x.scatterAdd(g.input("below4 rows", "i32", [3]), 4)),
    ...over(ordered, "scatterAdd scalars", (x, g) => x.scatterAdd(g.input("below4 all", "i32", [3, 8]), 4)),
  ]));

test("shapes with nothing in them", () =>
  compare([
    ...over(
      all,
      "movement of nothing",
      (x) =>
        x
          .reshape([4, 0])
          .permute([1, 0])
          .concat([other(x, [0, 4])], 0),
      [0, 4],
    ),
    ...over(ordered, "sum of nothing", (x) => x.sum(0), [0, 4]),
    ...over(ordered, "scatter of nothing", (x, g) => x.scatterAdd(g.input("none", "i32", [0]), 3), [0, 4]),
    ...over(floats, "product over nothing", (x) => x.matmul(other(x, [0, 5])), [2, 0]),
    ...over(all, "padding around nothing", (x) => x.pad([1, 0], [1, 0], 1), [0, 4]),
    ...over(all, "concat with nothing", (x) => x.concat([other(x, [3, 4])], 0), [0, 4]),
    ...over(all, "gather nothing", (x, g) => x.gather(g.input("none", "i32", [0]))),
  ]));

/**
 * Equal to `ropeByFrequency` of @cloze/nn, which this package does not import. The backend knows the composite by its
 * name and parameters.
 */
const ropeByFrequency = composite<{ readonly frequencies: readonly number[]; readonly inverse: boolean }>({
  name: "ropeByFrequency",
  expand: (args, { frequencies, inverse }) => {
    const [x, positions] = args as [Tensor, Tensor<"i32">];
    const half = frequencies.length;
    const { graph } = x;
    const [rows, seq] = positions.shape as [number, number];
    const each = frequencies.map((f) => graph.full([1], f, "f32"));
    const [first, ...rest] = each as [Tensor<"f32">, ...Tensor<"f32">[]];
    const angle = positions.cast("f32").reshape([rows, 1, seq, 1]).mul(first.concat(rest, 0));
    const cos = angle.cos() as Tensor;
    const sin = (inverse ? angle.sin().neg() : angle.sin()) as Tensor;
    const x1 = x.slice(3, 0, half);
    const x2 = x.slice(3, half, 2 * half);
    return [
      x1
        .mul(cos)
        .sub(x2.mul(sin))
        .concat([x2.mul(cos).add(x1.mul(sin))], 3),
    ];
  },
});

const one = (c: readonly Tensor[], i = 0): Tensor => c[i] as Tensor;

test("composites taken whole", () =>
  compare([
    ...over(["f32"], "softmax", (x) => one(call(softmaxComposite, [x], { axis: 1 }))),
    ...over(["f32"], "softmax 0", (x) => one(call(softmaxComposite, [x], { axis: 0 }))),
    ...over(["f32"], "gelu", (x) => one(call(geluComposite, [x]))),
    ...over(["f32"], "geluTanh", (x) => one(call(geluTanhComposite, [x]))),
    ...over(["f32"], "sigmoid", (x) => one(call(sigmoidComposite, [x]))),
    ...[0, 1, 2].flatMap((i) =>
      over(["f32"], `layerNorm ${i}`, (x) =>
        one(call(layerNormComposite, [x, other(x, [8]), x.graph.input("bias", "f32", [8])], { eps: 1e-5 }), i),
      ),
    ),
    ...[false, true].flatMap((inverse) =>
      [1, 2].map((batch): Case => [
        `rope ${inverse} ${batch}`,
        (g) =>
          one(
            call(ropeComposite, [g.input("q", "f32", [2, 3, 4, 8]), g.input(`below50 ${batch}`, "i32", [batch, 4])], {
              base: 10_000,
              inverse,
            }),
          ),
      ]),
    ),
    ...[false, true].flatMap((inverse) =>
      [1, 2].map((batch): Case => [
        `rope by frequency ${inverse} ${batch}`,
        (g) =>
          one(
            call(ropeByFrequency, [g.input("q", "f32", [2, 3, 4, 8]), g.input(`below50 ${batch}`, "i32", [batch, 4])], {
              frequencies: [1, 0.25, 0.1, 0.01],
              inverse,
            }),
          ),
      ]),
    ),
  ]));
