/**
 * Algebraic simplification: rules that make a graph smaller and keep its value exactly, except the sign of a zero (no
 * reassociation of floats, no x * 0 -> 0).
 *
 * Each rule carries an example on which it must fire. One property test compares all rules with the interpreter.
 */
import { isFloat, sameShape } from "./dtype.ts";
import type { Graph } from "./graph.ts";
import { isOp, type Node } from "./op.ts";
import { rule, type Rule } from "./rewrite.ts";
import type { Tensor } from "./tensor.ts";

const isConst = (x: Tensor, value: number): boolean =>
  isOp(x, "const") && x.attrs.value === value && !Object.is(x.attrs.value, -0);

/** `x` in place of a result of `shape`: `x` itself, or `x` broadcast to `shape`. */
const as = (x: Tensor, shape: readonly number[]): Tensor => (sameShape(x.shape, shape) ? x : x.broadcast(shape));

const f = (g: Graph, name = "x", shape: readonly number[] = [2, 3]): Tensor<"f32"> => g.input(name, "f32", shape);

/**
 * The constant for a binary op of two f32 scalar constants, with the interpreter's rounding to f32. Undefined for other
 * dtypes.
 */
const fold = (x: Node<"add" | "sub" | "mul" | "div">, by: (a: number, b: number) => number): Tensor | undefined => {
  const [a, b] = x.args;
  if (!isOp(a, "const") || !isOp(b, "const") || x.dtype !== "f32") return undefined;
  return x.graph.const(Math.fround(by(Math.fround(a.attrs.value), Math.fround(b.attrs.value))), "f32");
};

export const simplifyRules: readonly Rule[] = [
  rule(
    "x + 0 -> x",
    "add",
    (y, [a, b]) => (isConst(b, 0) ? as(a, y.shape) : isConst(a, 0) ? as(b, y.shape) : undefined),
    (g) => f(g).add(0),
  ),
  rule(
    "x - 0 -> x",
    "sub",
    (y, [a, b]) => (isConst(b, 0) ? as(a, y.shape) : undefined),
    (g) => f(g).sub(0),
  ),
  rule(
    "x * 1 -> x",
    "mul",
    (y, [a, b]) => (isConst(b, 1) ? as(a, y.shape) : isConst(a, 1) ? as(b, y.shape) : undefined),
    (g) => f(g).mul(1),
  ),
  rule(
    "x / 1 -> x",
    "div",
    (y, [a, b]) => (isConst(b, 1) ? as(a, y.shape) : undefined),
    (g) => f(g).div(1),
  ),
  rule(
    "c + d -> e",
    "add",
    (x) => fold(x as Node<"add">, (a, b) => a + b),
    (g) => g.const(0.25, "f32").add(0.5),
  ),
  rule(
    "c - d -> e",
    "sub",
    (x) => fold(x as Node<"sub">, (a, b) => a - b),
    (g) => g.const(0.25, "f32").sub(0.5),
  ),
  rule(
    "c * d -> e",
    "mul",
    (x) => fold(x as Node<"mul">, (a, b) => a * b),
    (g) => g.const(0.1, "f32").mul(0.3),
  ),
  rule(
    "c / d -> e",
    "div",
    (x) => fold(x as Node<"div">, (a, b) => a / b),
    (g) => g.const(0.1, "f32").div(0.3),
  ),
  rule(
    "-(-x) -> x",
    "neg",
    (_, [a]) => (isOp(a, "neg") ? a.args[0] : undefined),
    (g) => f(g).neg().neg(),
  ),
  rule(
    "-c -> d",
    "neg",
    (x, [a]) => (isOp(a, "const") && isFloat(x.dtype) ? x.graph.const(-a.attrs.value, x.dtype) : undefined),
    (g) => g.const(0.5, "f32").neg(),
  ),
  rule(
    "x + (-y) -> x - y",
    "add",
    (_, [a, b]) => (isOp(b, "neg") ? a.sub(b.args[0]) : isOp(a, "neg") ? b.sub(a.args[0]) : undefined),
    (g) => f(g).add(f(g, "y").neg()),
  ),
  rule(
    "x - (-y) -> x + y",
    "sub",
    (_, [a, b]) => (isOp(b, "neg") ? a.add(b.args[0]) : undefined),
    (g) => f(g).sub(f(g, "y").neg()),
  ),
  rule(
    "cast to the same dtype -> x",
    "cast",
    (x, [a]) => (a.dtype === x.dtype ? a : undefined),
    (g) => g.node("cast", [f(g)], { dtype: "f32" }),
  ),
  rule(
    "cast(c) -> d",
    "cast",
    (x, [a]) =>
      isOp(a, "const") && a.dtype === "i32" && x.dtype === "f32"
        ? x.graph.const(Math.fround(a.attrs.value), "f32")
        : undefined,
    (g) => g.const(3, "i32").cast("f32"),
  ),
  rule(
    "cast(cast(x, wider), dtype of x) -> x",
    "cast",
    (x, [a]) =>
      isOp(a, "cast") && a.dtype === "f32" && isFloat(a.args[0].dtype) && a.args[0].dtype === x.dtype
        ? a.args[0]
        : undefined,
    (g) => g.input("h", "f16", [2, 3]).cast("f32").cast("f16"),
  ),
  rule(
    "reshape to the same shape -> x",
    "reshape",
    (x, [a]) => (sameShape(x.shape, a.shape) ? a : undefined),
    (g) => f(g).reshape([2, 3]),
  ),
  rule(
    "reshape(reshape(x)) -> reshape(x)",
    "reshape",
    (x, [a]) => (isOp(a, "reshape") ? a.args[0].reshape(x.shape) : undefined),
    (g) => f(g).reshape([3, 2]).reshape([6]),
  ),
  rule(
    "permute by nothing -> x",
    "permute",
    (x, [a]) => (x.attrs.order.every((o, i) => o === i) ? a : undefined),
    (g) => f(g).permute([0, 1]),
  ),
  rule(
    "permute(permute(x)) -> permute(x)",
    "permute",
    (x, [a]) =>
      isOp(a, "permute") ? a.args[0].permute(x.attrs.order.map((o) => a.attrs.order[o] as number)) : undefined,
    (g) => f(g, "x", [2, 3, 4]).permute([1, 2, 0]).permute([0, 2, 1]),
  ),
  rule(
    "permute of axes of size 1 -> reshape",
    "permute",
    (x, [a]) => {
      const real = x.attrs.order.filter((o) => a.shape[o] !== 1);
      return !x.attrs.order.every((o, i) => o === i) && real.every((o, i) => i === 0 || o > (real[i - 1] as number))
        ? a.reshape(x.shape)
        : undefined;
    },
    (g) => f(g, "x", [2, 1, 3]).permute([1, 0, 2]),
  ),
  rule(
    "broadcast to the same shape -> x",
    "broadcast",
    (x, [a]) => (sameShape(x.shape, a.shape) ? a : undefined),
    (g) => f(g).broadcast([2, 3]),
  ),
  rule(
    "broadcast(broadcast(x)) -> broadcast(x)",
    "broadcast",
    (x, [a]) => (isOp(a, "broadcast") ? a.args[0].broadcast(x.shape) : undefined),
    (g) => f(g, "x", [3]).broadcast([2, 3]).broadcast([4, 2, 3]),
  ),
  rule(
    "sum over axes of size 1 -> x",
    "reduceSum",
    (x, [a]) => (x.attrs.axes.every((i) => a.shape[i] === 1) ? a : undefined),
    (g) => f(g, "x", [2, 1]).sum(1, true),
  ),
  rule(
    "max over axes of size 1 -> x",
    "reduceMax",
    (x, [a]) => (x.attrs.axes.every((i) => a.shape[i] === 1) ? a : undefined),
    (g) => f(g, "x", [2, 1]).reduceMax(1, true),
  ),
  rule(
    "slice of all -> x",
    "slice",
    (x, [a]) => (sameShape(x.shape, a.shape) ? a : undefined),
    (g) => f(g).slice(1, 0, 3),
  ),
  rule(
    "slice(slice(x)) -> slice(x)",
    "slice",
    (x, [a]) =>
      isOp(a, "slice")
        ? a.graph.node("slice", [a.args[0]], {
            start: x.attrs.start.map((s, i) => s + (a.attrs.start[i] as number)),
            stop: x.attrs.stop.map((s, i) => s + (a.attrs.start[i] as number)),
          })
        : undefined,
    (g) => f(g, "x", [6]).slice(0, 1, 6).slice(0, 1, 3),
  ),
  rule(
    "pad by nothing -> x",
    "pad",
    (x, [a]) => (sameShape(x.shape, a.shape) ? a : undefined),
    (g) => f(g).pad([0, 0], [0, 0]),
  ),
  rule(
    "concat of one -> x",
    "concat",
    (_, args) => (args.length === 1 ? args[0] : undefined),
    (g) => g.node("concat", [f(g)], { axis: 0 }),
  ),
  rule(
    "detach(detach(x)) -> detach(x)",
    "detach",
    (_, [a]) => (isOp(a, "detach") ? a : undefined),
    (g) => f(g).detach().detach(),
  ),
  rule(
    "select(c, x, x) -> x",
    "select",
    (x, [, a, b]) => (a === b ? as(a, x.shape) : undefined),
    (g) => f(g).less(0).select(f(g, "y"), f(g, "y")),
  ),
  rule(
    "matmul(permute(a), b) -> matmul transposed a",
    "matmul",
    (x, [a, b]) =>
      swapsLastTwo(a)
        ? x.graph.node("matmul", [(a as Node<"permute">).args[0], b], { ...x.attrs, transposeA: !x.attrs.transposeA })
        : undefined,
    (g) => f(g).transpose().matmul(f(g, "y")),
  ),
  rule(
    "matmul(a, permute(b)) -> matmul transposed b",
    "matmul",
    (x, [a, b]) =>
      swapsLastTwo(b)
        ? x.graph.node("matmul", [a, (b as Node<"permute">).args[0]], { ...x.attrs, transposeB: !x.attrs.transposeB })
        : undefined,
    (g) => f(g).matmul(f(g, "y").transpose()),
  ),
];

/** True if x is a permute that swaps the last two axes and moves no other axis. */
function swapsLastTwo(x: Tensor): x is Node<"permute"> {
  if (!isOp(x, "permute") || x.rank < 2) return false;
  const { order } = x.attrs;
  const n = order.length;
  return order[n - 1] === n - 2 && order[n - 2] === n - 1 && order.slice(0, -2).every((o, i) => o === i);
}

/** Removes `detach`: after differentiation the graph needs no `detach`. */
export const dropDetachRules: readonly Rule[] = [
  rule(
    "detach(x) -> x",
    "detach",
    (_, [a]) => a,
    (g) => f(g).detach(),
  ),
];

/** Rules that replace each composite by its expansion, except the composites for which `isNative` is true. */
export function expandRules(isNative: (x: Node<"composite">) => boolean): readonly Rule[] {
  return [
    rule(
      "composite -> its expansion",
      "composite",
      (x) => (isNative(x) ? undefined : x.graph.expansion(x.attrs.composite, x.args, x.attrs.params)[x.attrs.index]),
      (g) => g.call(exampleComposite, [f(g)], {})[0] as Tensor,
    ),
  ];
}

const exampleComposite = {
  name: "example: x + x",
  expand: ([x]: readonly Tensor[]): readonly Tensor[] => [(x as Tensor).add(x as Tensor)],
};
