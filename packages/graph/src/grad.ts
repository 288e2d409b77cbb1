/**
 * Reverse mode on the graph: one table of rules, one walk. Gradients are ordinary nodes, so they are rewritten, printed,
 * run and differentiated again like everything else.
 *
 * The walk visits, from the output down, only nodes that lie between a wanted input and the output. It undoes
 * broadcasting in one place and stops at integers, bools and `detach`.
 */
import { isFloat, sameShape, showType } from "./dtype.ts";
import { DTypeError, ShapeError } from "./errors.ts";
import { isOp, type Node, type Op } from "./op.ts";
import type { Tensor } from "./tensor.ts";
import { vjp } from "./vjp.ts";
import { order } from "./walk.ts";

/**
 * Gradients of the scalar `y` by each of `xs`; zeros where y does not depend on an x.
 *
 * Shapes: y `[]` float -> one tensor like each x. Throws ShapeError if y is not a scalar, DTypeError if it is not float.
 */
export function grad(y: Tensor, xs: readonly Tensor[]): Tensor[] {
  if (y.shape.length !== 0) {
    throw new ShapeError({ op: "grad", path: y.path, expected: "a scalar to differentiate", got: showType(y) }, "Sum it first, or pass cotangents to pullback().");
  }
  if (!isFloat(y.dtype)) throw new DTypeError({ op: "grad", path: y.path, expected: "a float scalar", got: showType(y) });
  return pullback([y], [y.graph.const(1, y.dtype)], xs).map((g, i) => g ?? zerosLike(xs[i] as Tensor));
}

const zerosLike = (x: Tensor): Tensor => x.graph.full(x.shape, 0, x.dtype);

/** Cotangents of `xs` from those of `ys` (undefined: none flows there). The vector-Jacobian product. */
export function pullback(ys: readonly Tensor[], cotangents: readonly (Tensor | undefined)[], xs: readonly Tensor[]): (Tensor | undefined)[] {
  const nodes = order(ys), wanted = between(nodes, xs);
  const cts = new Map<Tensor, Tensor>(), together = new Set<Tensor>();
  const flow = (to: Tensor, ct: Tensor | undefined): void => {
    if (ct === undefined || !wanted.has(to) || !isFloat(to.dtype)) return;
    const fitted = unbroadcast(ct, to), before = cts.get(to);
    cts.set(to, before === undefined ? fitted : before.add(fitted));
  };
  ys.forEach((y, i) => flow(y, cotangents[i]));
  for (let i = nodes.length - 1; i >= 0; i--) {
    const y = nodes[i] as Tensor;
    if (!wanted.has(y)) continue;
    const { graph } = y;
    graph.within(backwardPath(y.path), () => {
      if (isOp(y, "composite")) {
        // Siblings were made together, so the last of them is met only after all readers of all of them.
        const { composite, params } = y.attrs, siblings = graph.call(composite, y.args, params);
        const given = siblings.map((s) => cts.get(s)), first = siblings[0] as Tensor;
        if (together.has(first) || given.every((ct) => ct === undefined)) return;
        together.add(first);
        const out = composite.vjp
          ? composite.vjp(given, siblings, y.args, params)
          : pullback(graph.expansion(composite, y.args, params), given, y.args);
        y.args.forEach((arg, at) => flow(arg, out[at]));
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

const backwardPath = (path: string): string => (path.endsWith("'") ? path : `${path}'`);

/** The nodes of `nodes` that depend on one of `xs`, those included. */
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
  // A ct smaller than its arg comes from a rule that ignored broadcasting the other way (a constant cotangent).
  const summed = axes.length > 0 ? ct.sum(axes, true).reshape(ct.shape.map((d, i) => (axes.includes(i) ? 1 : d)).slice(lead)) : ct;
  return sameShape(summed.shape, x.shape) ? summed : summed.broadcast(x.shape);
}
