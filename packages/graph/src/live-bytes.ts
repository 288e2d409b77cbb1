/**
 * How much of a program is alive at once when its nodes run one after another and every result is kept until its last
 * reader.
 */
import { barrierComposite } from "./composites/barrier.ts";
import { bytesPerElement, sizeOf } from "./dtype.ts";
import { isOp } from "./op.ts";
import { programRoots, type Program } from "./program.ts";
import type { Tensor } from "./tensor.ts";
import { order } from "./walk.ts";

/**
 * Largest sum of the bytes of values alive at once, with inputs from where they stand in the order. Nothing is taken to
 * be fused or computed in place; a barrier is another name of its first argument and has no bytes. Composites count as
 * what they put out: lower the program first. `nodes`: all of the program in the order they run in; by default that of
 * their ids.
 */
export function peakLiveBytes(program: Program, nodes: readonly Tensor[] = order(programRoots(program))): number {
  const roots = programRoots(program);
  const last = new Map<Tensor, Tensor>();
  for (const n of nodes) for (const a of n.args) last.set(held(a), n);
  const kept = new Set(roots.map(held));
  let alive = 0;
  let peak = 0;
  for (const n of nodes) {
    if (held(n) === n) alive += bytesOf(n);
    peak = Math.max(peak, alive);
    for (const a of new Set(n.args.map(held))) if (last.get(a) === n && !kept.has(a)) alive -= bytesOf(a);
  }
  return peak;
}

export const bytesOf = (x: Tensor): number => sizeOf(x.shape) * bytesPerElement[x.dtype];

/** The value that a name stands for. */
function held(x: Tensor): Tensor {
  let named = x;
  while (isOp(named, "composite") && named.attrs.composite === barrierComposite) named = named.args[0] as Tensor;
  return named;
}
