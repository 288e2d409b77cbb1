/** Walking a graph: topological order without recursion, however deep it is. */
import type { Tensor } from "./tensor.ts";

/** Everything `roots` depend on, arguments before results; below `leaves` nothing is looked at. */
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
 * The same nodes in an order to run in: older roots first, and each value just before what first needs it. Ids are such
 * an order as a graph is traced; after passes, a node that none of them touched is older than all that were made anew,
 * and would run too early.
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

/** Results by argument: who reads each node that `roots` depend on. */
export function readers(nodes: readonly Tensor[]): Map<Tensor, Tensor[]> {
  const out = new Map<Tensor, Tensor[]>(nodes.map((n) => [n, []]));
  for (const n of nodes) for (const arg of new Set(n.args)) out.get(arg)?.push(n);
  return out;
}
