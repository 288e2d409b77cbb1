/** Walks over a graph: topological order without recursion, so a graph may be of any depth. */
import type { Tensor } from "./tensor.ts";

/** All nodes that `roots` depend on, arguments before results. The walk does not look below `leaves`. */
export function order(roots: Iterable<Tensor>, leaves?: ReadonlySet<Tensor>): Tensor[] {
  const seen = new Set<Tensor>(roots);
  const stack = [...seen];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    if (leaves?.has(x)) continue;
    for (const arg of x.args) {
      if (!seen.has(arg)) {
        seen.add(arg);
        stack.push(arg);
      }
    }
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * The same nodes in an order for running: older roots first, and each value just before its first reader. In a traced
 * graph the order of ids has this property. After passes it does not: a node that no pass touched has a lower id than
 * every new node, and would run too early.
 */
export function orderByDemand(roots: Iterable<Tensor>): Tensor[] {
  const youngestFirst = (a: Tensor, b: Tensor): number => b.id - a.id;
  const done = new Set<Tensor>();
  const stack = [...roots].sort(youngestFirst);
  for (let x = stack.at(-1); x !== undefined; x = stack.at(-1)) {
    const pending = done.has(x) ? [] : x.args.filter((a) => !done.has(a)).sort(youngestFirst);
    if (pending.length > 0) stack.push(...pending);
    else done.add(stack.pop() as Tensor);
  }
  return [...done];
}

/** The readers of each node of `nodes`, by node. */
export function readers(nodes: readonly Tensor[]): Map<Tensor, Tensor[]> {
  const out = new Map<Tensor, Tensor[]>(nodes.map((n) => [n, []]));
  for (const n of nodes) for (const arg of new Set(n.args)) out.get(arg)?.push(n);
  return out;
}
