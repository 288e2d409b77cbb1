/**
 * The memory that a program needs at once, when its nodes run one after another and every result lives until its last
 * reader.
 */
import { barrierComposite } from "./composites/barrier.ts";
import { bytesPerElement, sizeOf } from "./dtype.ts";
import { isOp } from "./op.ts";
import { programRoots, type Program } from "./program.ts";
import type { Tensor } from "./tensor.ts";
import { order } from "./walk.ts";

/**
 * Largest sum of the bytes of values alive at the same time. An input counts from its place in the order. The count
 * assumes that no op is fused and no op is computed in place. A barrier is an alias of its first argument and has no
 * bytes. A composite counts only the bytes of its outputs: lower the program first. `nodes`: all nodes of the program
 * in the order in which they run; by default the order of their ids.
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

/** The value behind a chain of barriers. */
function held(x: Tensor): Tensor {
  let named = x;
  while (isOp(named, "composite") && named.attrs.composite === barrierComposite) named = named.args[0] as Tensor;
  return named;
}
