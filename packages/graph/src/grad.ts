/**
 * Reverse mode on the graph: one table of rules and one walk. Gradients are ordinary nodes: passes rewrite them,
 * `print` prints them, backends run them, and `grad` differentiates them again.
 *
 * The walk goes down from the output and visits only nodes between a wanted input and the output. The walk undoes
 * broadcasting in one place and stops at integers, bools and `detach`.
 */
import { isFloat, sameShape, showType } from "./dtype.ts";
import { DTypeError, ShapeError } from "./errors.ts";
import { broadcastShapes } from "./infer.ts";
import { isOp, type Node, type Op } from "./op.ts";
import type { Tensor } from "./tensor.ts";
import { vjp } from "./vjp.ts";
import { order } from "./walk.ts";

/**
 * Gradients of the scalar `y` by each of `xs`. The gradient is zeros where y does not depend on an x.
 *
 * Shapes: y `[]` float -> one tensor like each x. Throws ShapeError if y is not a scalar, DTypeError if y is not float.
 */
export function grad(y: Tensor, xs: readonly Tensor[]): Tensor[] {
  if (y.shape.length !== 0) {
    throw new ShapeError(
      { op: "grad", path: y.path, expected: "a scalar to differentiate", got: showType(y) },
      "Sum it first, or pass cotangents to pullback().",
    );
  }
  if (!isFloat(y.dtype))
    throw new DTypeError({ op: "grad", path: y.path, expected: "a float scalar", got: showType(y) });
  return walkBack([y], [y.graph.const(1, y.dtype)], xs, new Set()).map((g, i) => g ?? zerosLike(xs[i] as Tensor));
}

const zerosLike = (x: Tensor): Tensor => x.graph.full(x.shape, 0, x.dtype);

/**
 * Cotangents of `xs` from the cotangents of `ys` (undefined: no gradient flows there): the vector-Jacobian product.
 *
 * A cotangent has the dtype of its y, and the shape of its y or a shape that broadcasts to it. Otherwise throws
 * ShapeError or DTypeError.
 */
export function pullback(
  ys: readonly Tensor[],
  cotangents: readonly (Tensor | undefined)[],
  xs: readonly Tensor[],
): (Tensor | undefined)[] {
  ys.forEach((y, i) => {
    const ct = cotangents[i];
    if (ct === undefined) return;
    if (ct.dtype !== y.dtype)
      throw new DTypeError(
        { op: "pullback", path: y.path, expected: `a cotangent of ${showType(y)}`, got: showType(ct) },
        "Cast it first.",
      );
    const together = broadcastShapes(ct.shape, y.shape);
    if (!together || !sameShape(together, y.shape))
      throw new ShapeError({
        op: "pullback",
        path: y.path,
        expected: `a cotangent of ${showType(y)}`,
        got: showType(ct),
      });
  });
  return walkBack(ys, cotangents, xs, new Set());
}

/**
 * The walk. No gradient flows through `leaves`. With leaves, the result is the partial derivative of an expansion by
 * its args.
 */
function walkBack(
  ys: readonly Tensor[],
  cotangents: readonly (Tensor | undefined)[],
  xs: readonly Tensor[],
  leaves: ReadonlySet<Tensor>,
): (Tensor | undefined)[] {
  const nodes = order(ys, leaves);
  const walked = new Set(nodes);
  const wanted = between(nodes, xs);
  const cts = new Map<Tensor, Tensor>();
  const flow = (to: Tensor, ct: Tensor | undefined): void => {
    if (ct === undefined || !wanted.has(to) || !isFloat(to.dtype)) return;
    const fitted = unbroadcast(ct, to);
    const before = cts.get(to);
    cts.set(to, before === undefined ? fitted : before.add(fitted));
  };
  ys.forEach((y, i) => flow(y, cotangents[i]));
  for (let i = nodes.length - 1; i >= 0; i--) {
    const y = nodes[i] as Tensor;
    if (!wanted.has(y) || leaves.has(y)) continue;
    const { graph } = y;
    graph.within(backwardPath(y.path), () => {
      if (isOp(y, "composite")) {
        // Handles all outputs at once, at the output with the lowest id: by then the walk has visited every reader of
        // every output.
        const { composite, params } = y.attrs;
        const siblings = graph.call(composite, y.args, params);
        if (siblings.some((s) => s.id < y.id && walked.has(s))) return;
        const given = siblings.map((s) => cts.get(s));
        if (given.every((ct) => ct === undefined)) return;
        const own = composite.vjp?.(given, siblings, y.args, params);
        if (own !== undefined) y.args.forEach((arg, at) => flow(arg, own[at]));
        else {
          // An arg that occurs twice is one leaf: its cotangent is already the sum.
          const distinct = new Set(y.args);
          const parts = walkBack(graph.expansion(composite, y.args, params), given, [...distinct], distinct);
          [...distinct].forEach((arg, at) => flow(arg, parts[at]));
        }
        return;
      }
      const ct = cts.get(y);
      if (ct !== undefined) rule(y as Node, ct).forEach((part, at) => flow(y.args[at] as Tensor, part));
    });
  }
  return xs.map((x) => cts.get(x));
}

function rule<P extends Op>(y: Node<P>, ct: Tensor): readonly (Tensor | undefined)[] {
  return vjp[y.op as P](ct, y, y.args);
}

/** The backward path `encoder.layer.3'`: the gradient of the nodes of that layer. */
const backwardPath = (path: string): string => (path === "" || path.endsWith("'") ? path : `${path}'`);

/** The nodes of `nodes` that depend on one of `xs`, and `xs` themselves. */
function between(nodes: readonly Tensor[], xs: readonly Tensor[]): Set<Tensor> {
  const on = new Set<Tensor>(xs);
  for (const n of nodes) if (n.op !== "detach" && isFloat(n.dtype) && n.args.some((a) => on.has(a))) on.add(n);
  return on;
}

/** Sums a cotangent over the axes along which its arg was broadcast. */
function unbroadcast(ct: Tensor, x: Tensor): Tensor {
  if (sameShape(ct.shape, x.shape)) return ct;
  const lead = ct.shape.length - x.shape.length;
  const axes = ct.shape.flatMap((d, i) => (i < lead || (x.shape[i - lead] === 1 && d !== 1) ? [i] : []));
  // A ct smaller than its arg comes from a rule that ignored broadcasting in the other direction (a constant
  // cotangent).
  const summed =
    axes.length > 0 ? ct.sum(axes, true).reshape(ct.shape.map((d, i) => (axes.includes(i) ? 1 : d)).slice(lead)) : ct;
  return sameShape(summed.shape, x.shape) ? summed : summed.broadcast(x.shape);
}
