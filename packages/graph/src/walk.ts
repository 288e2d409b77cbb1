/** Walking a graph: topological order without recursion, however deep it is. */
import type { Tensor } from "./tensor.ts";

/** Everything `roots` depend on, arguments before results; below `leaves` nothing is looked at. */
export function order(roots: Iterable<Tensor>, leaves?: ReadonlySet<Tensor>): Tensor[] {
  const seen = new Set<Tensor>(roots), stack = [...seen];
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

/** Results by argument: who reads each node that `roots` depend on. */
export function readers(nodes: readonly Tensor[]): Map<Tensor, Tensor[]> {
  const out = new Map<Tensor, Tensor[]>(nodes.map((n) => [n, []]));
  for (const n of nodes) for (const arg of new Set(n.args)) out.get(arg)?.push(n);
  return out;
}
