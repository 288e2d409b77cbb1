/**
 * Reverse-mode rules: cotangents of an op's args from the cotangent of its output, in the same ops.
 *
 * Rules ignore broadcasting: the walk in `grad.ts` sums a cotangent to the shape of its arg. Rules may also ignore args
 * without a gradient: the walk stops at integers and bools.
 */
import { isFloat } from "./dtype.ts";
import type { Node, Op, Ops } from "./op.ts";
import type { Tensor } from "./tensor.ts";

type Vjp<P extends Op> = (ct: Tensor, y: Node<P>, args: Ops[P]["args"]) => readonly (Tensor | undefined)[];

const none = (): readonly undefined[] => [];

/**
 * 1 where a < b, 1/2 where equal, 0 elsewhere, in the dtype of a. At a tie, both args of max or min get half of the
 * gradient.
 */
function share(a: Tensor, b: Tensor): Tensor {
  const one = a.graph.const(1, a.dtype);
  return a.less(b).select(one, a.equal(b).select(a.graph.const(0.5, a.dtype), 0));
}

const inverse = (order: readonly number[]): number[] => order.map((_, i) => order.indexOf(i));

export const vjp: { readonly [P in Op]: Vjp<P> } = {
  input: none,
  const: none,
  iota: none,
  randomBits: none,
  neg: (ct) => [ct.neg()],
  abs: (ct, _, [x]) => [x.less(0).select(ct.neg(), x.equal(0).select(ct.mul(0), ct))],
  exp: (ct, y) => [ct.mul(y)],
  log: (ct, _, [x]) => [ct.div(x)],
  sqrt: (ct, y) => [ct.div(y.mul(2))],
  sin: (ct, _, [x]) => [ct.mul(x.cos())],
  cos: (ct, _, [x]) => [ct.mul(x.sin()).neg()],
  tanh: (ct, y) => [ct.mul(y.square().neg().add(1))],
  // d erf(x) = 2 / sqrt(pi) * exp(-x^2)
  erf: (ct, _, [x]) => [
    ct.mul(
      x
        .square()
        .neg()
        .exp()
        .mul(2 / Math.sqrt(Math.PI)),
    ),
  ],
  floor: none,
  not: none,
  detach: none,
  cast: (ct, _, [x]) => [isFloat(x.dtype) ? ct.cast(x.dtype) : undefined],
  add: (ct) => [ct, ct],
  sub: (ct) => [ct, ct.neg()],
  mul: (ct, _, [a, b]) => [ct.mul(b), ct.mul(a)],
  div: (ct, y, [, b]) => [ct.div(b), ct.mul(y).div(b).neg()],
  max: (ct, _, [a, b]) => [ct.mul(share(b, a)), ct.mul(share(a, b))],
  min: (ct, _, [a, b]) => [ct.mul(share(a, b)), ct.mul(share(b, a))],
  and: none,
  or: none,
  less: none,
  equal: none,
  select: (ct, _, [condition]) => {
    const zero = ct.graph.const(0, ct.dtype);
    return [undefined, condition.select(ct, zero), condition.select(zero, ct)];
  },
  reduceSum: (ct, _, [x]) => [ct.broadcast(x.shape)],
  reduceMax: (ct, y, [x]) => {
    // Ties share the gradient.
    const zero = x.graph.const(0, x.dtype);
    const at = x.equal(y).select(x.graph.const(1, x.dtype), zero);
    return [at.mul(ct.div(at.sum(y.attrs.axes, true)))];
  },
  argMax: none,
  reshape: (ct, _, [x]) => [ct.reshape(x.shape)],
  permute: (ct, y) => [ct.permute(inverse(y.attrs.order))],
  broadcast: (ct) => [ct],
  slice: (ct, y, [x]) => [
    ct.pad(
      y.attrs.start,
      x.shape.map((d, i) => d - (y.attrs.stop[i] as number)),
    ),
  ],
  pad: (ct, y, [x]) => [
    ct.graph.node("slice", [ct], {
      start: y.attrs.before,
      stop: x.shape.map((d, i) => d + (y.attrs.before[i] as number)),
    }),
  ],
  concat: (ct, y, args) => {
    let at = 0;
    return args.map((x) => ct.slice(y.attrs.axis, at, (at += x.shape[y.attrs.axis] as number)));
  },
  matmul: (ct, y, [a, b]) => {
    // With C = A B: dA = dC B^T, dB = A^T dC; a side stored transposed receives its gradient transposed.
    const { transposeA: ta, transposeB: tb } = y.attrs;
    const g = ct.cast(a.dtype);
    const da = ta
      ? b.matmul(g, { transposeA: tb, transposeB: true })
      : g.matmul(b, { transposeA: false, transposeB: !tb });
    const db = tb
      ? g.matmul(a, { transposeA: true, transposeB: ta })
      : a.matmul(g, { transposeA: !ta, transposeB: false });
    return [da, db];
  },
  gather: (ct, _, [table, indices]) => [ct.scatterAdd(indices as Tensor<"i32">, table.shape[0] as number)],
  scatterAdd: (ct, _, [indices]) => [undefined, ct.gather(indices as Tensor<"i32">)],
  // The walk differentiates composites, all outputs at once.
  composite: none,
};
