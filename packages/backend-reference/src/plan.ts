/** What the interpreter will do: how many nodes of each op, and the largest sum of values alive at once. */
import type { Plan } from "@cloze/backend";
import { bytesPerElement, order, programRoots, sizeOf, type Program, type Tensor } from "@cloze/graph";

const bytesOf = (x: Tensor): number => sizeOf(x.shape) * bytesPerElement[x.dtype];

export function planOf(program: Program): Plan {
  const roots = programRoots(program), nodes = order(roots), counts = new Map<string, number>();
  const last = new Map<Tensor, Tensor>();
  for (const n of nodes) {
    counts.set(n.op, (counts.get(n.op) ?? 0) + 1);
    for (const a of n.args) last.set(a, n);
  }
  const kept = new Set(roots);
  let alive = 0, peakBytes = 0;
  for (const n of nodes) {
    alive += bytesOf(n);
    peakBytes = Math.max(peakBytes, alive);
    for (const a of new Set(n.args)) if (last.get(a) === n && !kept.has(a)) alive -= bytesOf(a);
  }
  return {
    backend: "reference",
    steps: [...counts].map(([kernel, count]) => ({ kernel, count })),
    stateBytes: program.state.reduce((sum, s) => sum + bytesOf(s), 0),
    peakBytes,
  };
}
