/**
 * Rematerialisation, or activation checkpointing. Of a layer's forward values, the program keeps for the backward pass
 * only the values that other layers read too. The program computes the other values again when the gradient reaches the
 * layer. Activation memory falls from all values of every layer to all values of one layer and the boundary values of
 * every layer. A step costs one more forward pass.
 *
 *   kept ─ barrier(kept, gradient) ─ the layer's nodes once more ─ read by the layer's backward pass
 *
 * A graph makes each node once, so the second computation needs a different argument: a barrier. The barrier also says
 * that the second computation waits for the gradient that flows into the layer. Ids ascend from the barrier, so a
 * backend that runs nodes in order of ids runs them at the right time. Values are equal to the bit, including the
 * values of dropout: a draw is a function of its key. A value that depends only on parameters, or on nothing, is not
 * computed again.
 *
 * Source: Chen et al. 2016, arXiv:1604.06174. The paths of nodes name the layers; nothing here knows a model.
 */
import { barrier } from "./composites/barrier.ts";
import { groups, isOp, type Node, type Ops, type Op } from "./op.ts";
import { programRoots, withRoots, type Program } from "./program.ts";
import type { Tensor } from "./tensor.ts";
import { order } from "./walk.ts";

export interface RematerialiseOptions {
  /**
   * Matches the text of a layer path that names the layer. Default: everything up to the first numbered segment,
   * `esm.encoder.layer.3`.
   */
  readonly layer?: RegExp;
}

const NUMBERED = /^(?:.*?\.)?\d+(?=\.|$)/;

/**
 * The same outputs and updates, in a program that keeps fewer values at once. A program without layers, or without a
 * gradient, stays as it is.
 */
export function rematerialise(p: Program, { layer = NUMBERED }: RematerialiseOptions = {}): Program {
  const roots = programRoots(p);
  const nodes = order(roots);
  const facts = learn(nodes, new Set(p.state), layer);
  const values = repeated(nodes, roots, facts);
  const copies = new Map<string, Copies>();
  for (const [name, gate] of gates(nodes, values, facts))
    copies.set(name, new Copies(values.get(name) ?? [], gate, facts.fixed));
  if (copies.size === 0) return p;
  const done = new Map<Tensor, Tensor>();
  const now = (x: Tensor): Tensor => done.get(x) as Tensor;
  const copiesOf = (x: Tensor): Copies | undefined => copies.get(facts.layerOf.get(x) ?? "");
  for (const n of nodes) {
    const inside = copiesOf(n);
    done.set(
      n,
      facts.late.has(n)
        ? n.graph.rebuild(
            n,
            n.args.map((a) => copiesOf(a)?.again(a, now) ?? inside?.seen(a, n, now) ?? now(a)),
          )
        : n,
    );
  }
  return withRoots(p, roots.map(now));
}

interface Facts {
  /** Nodes of the backward pass, and nodes that depend on them. All other nodes are forward. */
  readonly late: ReadonlySet<Tensor>;
  /** Nodes that depend on nothing but state and constants. */
  readonly fixed: ReadonlySet<Tensor>;
  /** The layer of a node, where the node belongs to a layer. */
  readonly layerOf: ReadonlyMap<Tensor, string>;
}

function learn(nodes: readonly Tensor[], state: ReadonlySet<Tensor>, pattern: RegExp): Facts {
  const late = new Set<Tensor>();
  const fixed = new Set<Tensor>();
  const named = new Map<Tensor, string>();
  for (const n of nodes) {
    const backward = n.path.endsWith("'");
    const name = pattern.exec(backward ? n.path.slice(0, -1) : n.path)?.[0];
    if (backward || n.args.some((a) => late.has(a))) late.add(n);
    if (isOp(n, "input") ? state.has(n) : n.args.every((a) => fixed.has(a))) fixed.add(n);
    if (name !== undefined) named.set(n, name);
  }
  return {
    late,
    fixed,
    layerOf: withOutsiders(
      nodes.filter((n) => !late.has(n)),
      named,
    ),
  };
}

/**
 * Adds nodes that the model makes outside of the layer's scope. A node without a layer name belongs to a layer if it
 * lies between two nodes of that layer, or if it is a residual sum, `x + layer(x)`.
 */
function withOutsiders(forward: readonly Tensor[], named: ReadonlyMap<Tensor, string>): Map<Tensor, string> {
  const layerOf = new Map(named);
  const none: ReadonlySet<string> = new Set();
  /**
   * For a node without a name: the layers that it depends on, and the layers that depend on it, over nodes without a
   * name.
   */
  const from = new Map<Tensor, ReadonlySet<string>>();
  const to = new Map<Tensor, Set<string>>();
  for (const n of forward) {
    const name = named.get(n);
    from.set(n, name === undefined ? new Set(n.args.flatMap((a) => [...(from.get(a) ?? none)])) : new Set([name]));
  }
  for (const n of [...forward].reverse()) {
    const name = named.get(n);
    const reached = name === undefined ? (to.get(n) ?? none) : [name];
    for (const a of n.args) {
      const known = to.get(a) ?? new Set();
      for (const layer of reached) known.add(layer);
      to.set(a, known);
    }
  }
  for (const n of forward) {
    if (named.has(n)) continue;
    const between = [...(from.get(n) ?? none)].find((name) => to.get(n)?.has(name));
    const residual =
      groups.elementwise.has(n.op) && n.args.length > 1
        ? n.args.map((a) => named.get(a)).findLast((name) => name !== undefined)
        : undefined;
    const layer = between ?? residual;
    if (layer !== undefined && (n.path === "" || layer.startsWith(`${n.path}.`))) layerOf.set(n, layer);
  }
  return layerOf;
}

/**
 * By layer, the forward values to compute again, oldest first: the values that only the layer's own backward pass
 * reads, and further values of the layer that these values need.
 */
function repeated(
  nodes: readonly Tensor[],
  roots: readonly Tensor[],
  { late, fixed, layerOf }: Facts,
): Map<string, Tensor[]> {
  const kept = new Set<Tensor>(roots);
  const read = new Set<Tensor>();
  for (const n of nodes) {
    for (const a of n.args) {
      const from = layerOf.get(a);
      const to = layerOf.get(n);
      if (late.has(a)) continue;
      if (late.has(n) && (to === from || to === undefined)) read.add(a);
      else if (to !== from) kept.add(a);
    }
  }
  const ours = (x: Tensor): boolean =>
    layerOf.has(x) && !late.has(x) && !fixed.has(x) && !kept.has(x) && !isOp(x, "input");
  const found = new Set<Tensor>([...read].filter(ours));
  const stack = [...found];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    for (const a of x.args) {
      if (found.has(a) || !ours(a)) continue;
      found.add(a);
      stack.push(a);
    }
  }
  const byLayer = new Map<string, Tensor[]>();
  for (const x of [...found].sort((a, b) => a.id - b.id)) {
    const name = layerOf.get(x) as string;
    const list = byLayer.get(name);
    if (list === undefined) byLayer.set(name, [x]);
    else list.push(x);
  }
  return byLayer;
}

/**
 * By layer, the gradient from outside the layer that the second computation waits for. The backward pass of the layer
 * reads this gradient, and it exists before the backward pass first needs one of the layer's values. Of several such
 * gradients, the one with the highest id.
 */
function gates(
  nodes: readonly Tensor[],
  values: ReadonlyMap<string, readonly Tensor[]>,
  { late, layerOf }: Facts,
): Map<string, Tensor> {
  const owner = new Map([...values].flatMap(([name, list]) => list.map((x) => [x, name] as const)));
  const first = new Map<string, Tensor>();
  for (const n of nodes) {
    if (!late.has(n)) continue;
    for (const a of n.args) {
      const name = owner.get(a);
      if (name !== undefined && !first.has(name)) first.set(name, n);
    }
  }
  const found = new Map<string, Tensor>();
  for (const n of nodes) {
    const name = layerOf.get(n);
    const needed = name === undefined ? undefined : first.get(name);
    if (name === undefined || needed === undefined || !late.has(n)) continue;
    for (const a of n.args) {
      if (late.has(a) && layerOf.get(a) !== name && a.id < needed.id && a.id > (found.get(name)?.id ?? -1))
        found.set(name, a);
    }
  }
  return found;
}

/** Maps an older node to its rewritten node. */
type Now = (x: Tensor) => Tensor;

/** The second computation of a layer's values, made when the backward pass needs the first of the values. */
class Copies {
  readonly #values: ReadonlySet<Tensor>;
  /**
   * The kept nodes that the values read, without the nodes that depend only on state and constants. Reading the kept
   * nodes directly would give the same nodes again.
   */
  readonly #inputs: ReadonlySet<Tensor>;
  readonly #gate: Tensor;
  #made: ReadonlyMap<Tensor, Tensor> | undefined;

  constructor(values: readonly Tensor[], gate: Tensor, fixed: ReadonlySet<Tensor>) {
    this.#values = new Set(values);
    this.#inputs = new Set(values.flatMap((x) => x.args).filter((a) => !this.#values.has(a) && !fixed.has(a)));
    this.#gate = gate;
  }

  /** The copy of `x`, if `x` has one. */
  again(x: Tensor, now: Now): Tensor | undefined {
    return this.#values.has(x) ? (this.#made ??= this.#make(now)).get(x) : undefined;
  }

  /**
   * A kept value in the form that `reader`, a node of the layer's backward pass, must read: behind the barrier, as the
   * copies read it. Then the expansions of the reader's composites (a mask of dropout, the scores of attention) are
   * shared with the copies and not with the forward pass.
   */
  seen(x: Tensor, reader: Tensor, now: Now): Tensor | undefined {
    return this.#inputs.has(x) && reader.id > this.#gate.id ? barrier(x, now(this.#gate)) : undefined;
  }

  #make(now: Now): ReadonlyMap<Tensor, Tensor> {
    const made = new Map<Tensor, Tensor>();
    const gate = now(this.#gate);
    const arg = (a: Tensor): Tensor => made.get(a) ?? (this.#inputs.has(a) ? barrier(a, gate) : a);
    for (const x of this.#values)
      made.set(
        x,
        x.graph.within(x.path, () => sameOver(x as Node, x.args.map(arg))),
      );
    return made;
  }
}

const sameOver = <P extends Op>(x: Node<P>, args: readonly Tensor[]): Tensor =>
  x.graph.node(x.op, args as Ops[P]["args"], x.attrs);
