/**
 * The closed set of base ops: one line an op, arity in the tuple, attributes typed. Every other op is a composite.
 *
 * Tensors are positional in `args`. All other arguments are in `attrs`, so a walk over the graph needs no cases. Every
 * interpretation of the set (infer, vjp, interpret, print, and one per backend) is a total table `{ readonly [P in Op]:
 * … }`: a forgotten op does not compile.
 *
 * Broadcasting follows NumPy in the elementwise ops. Reductions keep the reduced axes with size 1.
 */
import type { Composite, Params } from "./composite.ts";
import type { DType, Shape } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

type None = Readonly<Record<never, never>>;
type Source<A> = { readonly args: readonly []; readonly attrs: Readonly<A> };
type Unary<A = None> = { readonly args: readonly [Tensor]; readonly attrs: Readonly<A> };
type Binary<A = None> = { readonly args: readonly [Tensor, Tensor]; readonly attrs: Readonly<A> };
type Ternary<A = None> = { readonly args: readonly [Tensor, Tensor, Tensor]; readonly attrs: Readonly<A> };
type Variadic<A = None> = { readonly args: readonly Tensor[]; readonly attrs: Readonly<A> };

export interface Ops {
  // Sources.
  /** A named tensor from outside: a feed, or a piece of state. */
  input: Source<{ name: string; shape: Shape; dtype: DType }>;
  /** A scalar. Larger constants are this scalar with a broadcast. */
  const: Source<{ value: number; dtype: DType }>;
  /** 0, 1, 2, … along `axis`, i32. */
  iota: Source<{ shape: Shape; axis: number }>;
  /**
   * Uniform integers below 2^bits as u32, from a key for each row of the shape, u32 [n, 2], and the stream number; or
   * from one key u32 [2] = (seed, step); see `random-bits.ts`.
   */
  randomBits: Unary<{ shape: Shape; bits: number; stream: number }>;

  // Elementwise, one argument. Float except `neg`, `abs` (any number) and `not` (bool).
  neg: Unary;
  abs: Unary;
  exp: Unary;
  log: Unary;
  sqrt: Unary;
  sin: Unary;
  cos: Unary;
  tanh: Unary;
  erf: Unary;
  floor: Unary;
  not: Unary;
  /** The identity. No gradient flows through it. */
  detach: Unary;
  cast: Unary<{ dtype: DType }>;

  // Elementwise, two or three arguments of one dtype. Integer division truncates toward zero.
  add: Binary;
  sub: Binary;
  mul: Binary;
  div: Binary;
  max: Binary;
  min: Binary;
  and: Binary;
  or: Binary;
  less: Binary;
  equal: Binary;
  /** condition ? a : b. */
  select: Ternary;

  // Reductions over `axes` (ascending); the axes stay with size 1.
  reduceSum: Unary<{ axes: readonly number[] }>;
  reduceMax: Unary<{ axes: readonly number[] }>;
  /** Index of the first largest element along `axis`, i32. */
  argMax: Unary<{ axis: number }>;

  // Movement.
  reshape: Unary<{ shape: Shape }>;
  /** Output axis i is input axis `order[i]`. */
  permute: Unary<{ order: readonly number[] }>;
  broadcast: Unary<{ shape: Shape }>;
  /** Elements `start[i] <= index < stop[i]` of every axis. */
  slice: Unary<{ start: readonly number[]; stop: readonly number[] }>;
  /** Adds `before` and `after` elements of `value` to every axis. */
  pad: Unary<{ before: readonly number[]; after: readonly number[]; value: number }>;
  concat: Variadic<{ axis: number }>;

  // Contractions and indexing.
  /**
   * [..., m, k] x [..., k, n] -> [..., m, n]. Each side may be stored transposed. The op accumulates in f32 or wider
   * and rounds to `dtype`.
   */
  matmul: Binary<{ transposeA: boolean; transposeB: boolean; dtype: DType }>;
  /** table [n, ...rest], indices i32 [...] in [0, n) -> [...indices, ...rest]. */
  gather: Binary;
  /**
   * indices i32 [...] in [0, size), updates [...indices, ...rest] -> [size, ...rest]: for each index, the sum of the
   * updates at this index.
   */
  scatterAdd: Binary<{ size: number }>;

  /** Output `index` of an open composite. The nodes of the other outputs share args and params. */
  composite: Variadic<{ composite: Composite; params: Params; index: number; count: number }>;
}

export type Op = keyof Ops;

/** A tensor of which the op P is known. */
export type Node<P extends Op = Op> = Tensor & {
  readonly op: P;
  readonly args: Ops[P]["args"];
  readonly attrs: Ops[P]["attrs"];
};

export function isOp<P extends Op>(x: Tensor, op: P): x is Node<P> {
  return x.op === op;
}

/** Facts about the ops. Passes that fuse or plan use these sets and keep no lists of their own. */
export const groups: {
  readonly source: ReadonlySet<Op>;
  readonly elementwise: ReadonlySet<Op>;
  readonly reduce: ReadonlySet<Op>;
  readonly movement: ReadonlySet<Op>;
  readonly commutative: ReadonlySet<Op>;
} = {
  source: new Set<Op>(["input", "const", "iota", "randomBits"]),
  elementwise: new Set<Op>([
    "neg",
    "abs",
    "exp",
    "log",
    "sqrt",
    "sin",
    "cos",
    "tanh",
    "erf",
    "floor",
    "not",
    "detach",
    "cast",
    "add",
    "sub",
    "mul",
    "div",
    "max",
    "min",
    "and",
    "or",
    "less",
    "equal",
    "select",
  ]),
  reduce: new Set<Op>(["reduceSum", "reduceMax", "argMax"]),
  movement: new Set<Op>(["reshape", "permute", "broadcast", "slice", "pad", "concat"]),
  commutative: new Set<Op>(["add", "mul", "max", "min", "and", "or", "equal"]),
};
