/**
 * Tensor: the one node type. A tensor is immutable. Only a Graph makes tensors. The methods build more nodes and
 * compute nothing.
 *
 * A number may stand in place of a tensor of the same dtype: the number becomes a constant.
 */
import { isFloat, showShape, showType, sizeOf, type DType, type Shape } from "./dtype.ts";
import { DTypeError, ShapeError } from "./errors.ts";
import type { Graph } from "./graph.ts";
import { infer } from "./infer.ts";
import type { Op, Ops } from "./op.ts";

export type Operand<D extends DType> = Tensor<D> | number;

export class Tensor<D extends DType = DType> {
  readonly graph: Graph;
  readonly id: number;
  readonly op: Op;
  readonly args: readonly Tensor[];
  readonly attrs: Ops[Op]["attrs"];
  readonly dtype: D;
  readonly shape: Shape;
  /**
   * Path of the layer that made the node. It is not part of the node's identity: a shared node keeps the path of its
   * first maker.
   */
  readonly path: string;

  constructor(
    graph: Graph,
    id: number,
    op: Op,
    args: readonly Tensor[],
    attrs: Ops[Op]["attrs"],
    dtype: D,
    shape: Shape,
    path: string,
  ) {
    this.graph = graph;
    this.id = id;
    this.op = op;
    this.args = args;
    this.attrs = attrs;
    this.dtype = dtype;
    this.shape = shape;
    this.path = path;
  }

  get rank(): number {
    return this.shape.length;
  }

  // Elementwise.
  add(y: Operand<D>): Tensor<D> {
    return this.#binary("add", y);
  }
  sub(y: Operand<D>): Tensor<D> {
    return this.#binary("sub", y);
  }
  mul(y: Operand<D>): Tensor<D> {
    return this.#binary("mul", y);
  }
  div(y: Operand<D>): Tensor<D> {
    return this.#binary("div", y);
  }
  max(y: Operand<D>): Tensor<D> {
    return this.#binary("max", y);
  }
  min(y: Operand<D>): Tensor<D> {
    return this.#binary("min", y);
  }
  and(y: Operand<D>): Tensor<D> {
    return this.#binary("and", y);
  }
  or(y: Operand<D>): Tensor<D> {
    return this.#binary("or", y);
  }
  less(y: Operand<D>): Tensor<"bool"> {
    return this.#binary("less", y) as Tensor as Tensor<"bool">;
  }
  greater(y: Operand<D>): Tensor<"bool"> {
    return this.#lift(y).less(this);
  }
  equal(y: Operand<D>): Tensor<"bool"> {
    return this.#binary("equal", y) as Tensor as Tensor<"bool">;
  }
  neg(): Tensor<D> {
    return this.#unary("neg");
  }
  abs(): Tensor<D> {
    return this.#unary("abs");
  }
  exp(): Tensor<D> {
    return this.#unary("exp");
  }
  log(): Tensor<D> {
    return this.#unary("log");
  }
  sqrt(): Tensor<D> {
    return this.#unary("sqrt");
  }
  sin(): Tensor<D> {
    return this.#unary("sin");
  }
  cos(): Tensor<D> {
    return this.#unary("cos");
  }
  tanh(): Tensor<D> {
    return this.#unary("tanh");
  }
  erf(): Tensor<D> {
    return this.#unary("erf");
  }
  floor(): Tensor<D> {
    return this.#unary("floor");
  }
  not(): Tensor<D> {
    return this.#unary("not");
  }
  detach(): Tensor<D> {
    return this.#unary("detach");
  }
  square(): Tensor<D> {
    return this.mul(this);
  }
  cast<E extends DType>(dtype: E): Tensor<E> {
    if ((this.dtype as DType) === dtype) return this as Tensor as Tensor<E>;
    return this.graph.node("cast", [this], { dtype }) as Tensor as Tensor<E>;
  }
  /** `this` (bool) ? a : b, where at least one of a, b is a tensor. */
  select<E extends DType>(a: Tensor<E>, b: Operand<E>): Tensor<E> {
    const other = typeof b === "number" ? this.graph.const(b, a.dtype) : b;
    return this.graph.node("select", [this, a, other], {}) as Tensor as Tensor<E>;
  }

  // Reductions. Negative axes count from the end. Without axes, a reduction is over all axes.
  /** Sum; reduced axes vanish unless `keep`. */
  sum(axes?: number | readonly number[], keep = false): Tensor<D> {
    return this.#reduce("reduceSum", axes, keep);
  }
  /** Largest element; reduced axes vanish unless `keep`. */
  reduceMax(axes?: number | readonly number[], keep = false): Tensor<D> {
    return this.#reduce("reduceMax", axes, keep);
  }
  mean(axes?: number | readonly number[], keep = false): Tensor<D> {
    if (!isFloat(this.dtype))
      throw new DTypeError(
        { op: "mean", path: this.graph.path, expected: "a float tensor", got: showType(this) },
        "Cast it first.",
      );
    const count = this.#axes(axes).reduce((n, a) => n * (this.shape[a] as number), 1);
    return this.sum(axes, keep).mul(1 / count);
  }
  /** Index of the largest element along `axis`, which vanishes. */
  argMax(axis: number): Tensor<"i32"> {
    const at = axis < 0 ? axis + this.rank : axis;
    const kept = this.graph.node("argMax", [this], { axis: at }) as Tensor as Tensor<"i32">;
    return kept.reshape(this.shape.filter((_, i) => i !== at));
  }

  // Movement.
  /** One size may be -1: its value follows from the other sizes. */
  reshape(shape: Shape): Tensor<D> {
    const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
    const rest = sizeOf(this.shape) / known;
    const open = shape.filter((d) => d === -1).length;
    if (open > 1 || (open === 1 && !Number.isInteger(rest))) {
      throw new ShapeError({
        op: "reshape",
        path: this.graph.path,
        expected: `a shape of ${sizeOf(this.shape)} elements, as ${showType(this)} has, with at most one -1`,
        got: showShape(shape),
      });
    }
    const full = shape.map((d) => (d === -1 ? rest : d));
    return this.graph.node("reshape", [this], { shape: full }) as Tensor as Tensor<D>;
  }
  permute(order: readonly number[]): Tensor<D> {
    return this.graph.node("permute", [this], { order }) as Tensor as Tensor<D>;
  }
  /** Swaps two axes, by default the last two. */
  transpose(a = -2, b = -1): Tensor<D> {
    const order = this.shape.map((_, i) => i);
    const i = a < 0 ? a + this.rank : a;
    const j = b < 0 ? b + this.rank : b;
    [order[i], order[j]] = [j, i];
    return this.permute(order);
  }
  broadcast(shape: Shape): Tensor<D> {
    return this.graph.node("broadcast", [this], { shape }) as Tensor as Tensor<D>;
  }
  /** Elements from `start` to before `stop` along one axis. */
  slice(axis: number, start: number, stop: number): Tensor<D> {
    const at = axis < 0 ? axis + this.rank : axis;
    if (!(at in this.shape))
      throw new ShapeError({
        op: "slice",
        path: this.graph.path,
        expected: `an axis of ${showType(this)}`,
        got: `axis ${axis}`,
      });
    return this.graph.node("slice", [this], {
      start: this.shape.map((_, i) => (i === at ? start : 0)),
      stop: this.shape.map((d, i) => (i === at ? stop : d)),
    }) as Tensor as Tensor<D>;
  }
  pad(before: readonly number[], after: readonly number[], value = 0): Tensor<D> {
    return this.graph.node("pad", [this], { before, after, value }) as Tensor as Tensor<D>;
  }
  /** This tensor and `others`, one after another along `axis`. */
  concat(others: readonly Tensor<D>[], axis: number): Tensor<D> {
    return this.graph.node("concat", [this, ...others], {
      axis: axis < 0 ? axis + this.rank : axis,
    }) as Tensor as Tensor<D>;
  }

  // Contractions and indexing.
  /** [..., m, k] x [..., k, n]. `transposeA` and `transposeB`: this side is stored with its last two axes swapped. */
  matmul(
    y: Tensor<D>,
    options: { readonly transposeA?: boolean; readonly transposeB?: boolean; readonly dtype?: DType } = {},
  ): Tensor<D> {
    const { transposeA = false, transposeB = false, dtype = this.dtype } = options;
    return this.graph.node("matmul", [this, y], { transposeA, transposeB, dtype }) as Tensor as Tensor<D>;
  }
  /** Rows of this table [n, ...rest] at `indices` i32 [...]. */
  gather(indices: Tensor<"i32">): Tensor<D> {
    return this.graph.node("gather", [this, indices], {}) as Tensor as Tensor<D>;
  }
  /** [size, ...rest]: for each index, the sum of these updates at that index. */
  scatterAdd(indices: Tensor<"i32">, size: number): Tensor<D> {
    return this.graph.node("scatterAdd", [indices, this], { size }) as Tensor as Tensor<D>;
  }

  #lift(y: Operand<D>): Tensor<D> {
    return typeof y === "number" ? this.graph.const(y, this.dtype) : y;
  }
  #unary(
    op: "neg" | "abs" | "exp" | "log" | "sqrt" | "sin" | "cos" | "tanh" | "erf" | "floor" | "not" | "detach",
  ): Tensor<D> {
    return this.graph.node(op, [this], {}) as Tensor as Tensor<D>;
  }
  #binary(
    op: "add" | "sub" | "mul" | "div" | "max" | "min" | "and" | "or" | "less" | "equal",
    y: Operand<D>,
  ): Tensor<D> {
    return this.graph.node(op, [this, this.#lift(y)], {}) as Tensor as Tensor<D>;
  }
  #axes(axes: number | readonly number[] | undefined): readonly number[] {
    const list = axes === undefined ? this.shape.map((_, i) => i) : typeof axes === "number" ? [axes] : axes;
    return list.map((a) => (a < 0 ? a + this.rank : a)).sort((a, b) => a - b);
  }
  #reduce(op: "reduceSum" | "reduceMax", axes: number | readonly number[] | undefined, keep: boolean): Tensor<D> {
    const list = this.#axes(axes);
    const kept = this.graph.node(op, [this], { axes: list }) as Tensor as Tensor<D>;
    return keep ? kept : kept.reshape(this.shape.filter((_, i) => !list.includes(i)));
  }
}

/** Shape and dtype that the op of `x` gives for its args and attrs. `verify` compares the node with them. */
export function inferAgain(x: Tensor): { readonly dtype: DType; readonly shape: Shape } {
  return inferNode(x.op, x.args as Ops[Op]["args"], x.attrs, x.path);
}

function inferNode<P extends Op>(
  op: P,
  args: Ops[P]["args"],
  attrs: Ops[P]["attrs"],
  path: string,
): { readonly dtype: DType; readonly shape: Shape } {
  return infer[op](args, attrs, path);
}
