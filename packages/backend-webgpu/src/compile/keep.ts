/**
 * The choice of the values that are kept in memory. Kernels compute every other value inline, where they read it. Kept
 * are:
 *
 *   - roots of the program
 *   - operands of a contraction, where they cost something to compute
 *   - small tensors that a large one would otherwise compute again for many of its elements
 *   - values that several kernels would otherwise compute from three large tensors
 *   - results of heavy ops
 *
 * For a heavy op (matmul, reduction, …) the kept value is its `tail`. This is the last value of the chain of
 * elementwise ops through which every use of the op passes. Bias, activation, residual and cast thus run before the
 * kernel writes.
 */
import { groups, isOp, sizeOf, type Tensor } from "@cloze/graph";
import type { Profile } from "../profile.ts";
import { bufferCount, Costs, isBarrier, isBijective, isHeavy, isInput, isReduce, valueArgs } from "./costs.ts";

export interface Kept {
  readonly nodes: readonly Tensor[];
  readonly readersOf: ReadonlyMap<Tensor, readonly Tensor[]>;
  readonly kept: Set<Tensor>;
  /** For each heavy op the value that its kernel writes. */
  readonly tailOf: ReadonlyMap<Tensor, Tensor>;
  readonly costs: Costs;
  /** Number of buffers that a kernel binds for `values`. */
  readonly buffers: (values: Iterable<Tensor>) => number;
}

/** The value under reshapes and barriers. It lies in the same memory as `x`. */
export function bare(x: Tensor): Tensor {
  let at = x;
  while (at.op === "reshape" || isBarrier(at)) at = at.args[0] as Tensor;
  return at;
}

/** The nodes that compute with each value. A barrier that only waits for a value does not read it. */
function readersOfValues(nodes: readonly Tensor[]): Map<Tensor, Tensor[]> {
  const out = new Map<Tensor, Tensor[]>(nodes.map((n) => [n, []]));
  for (const n of nodes) for (const a of new Set(valueArgs(n))) out.get(a)?.push(n);
  return out;
}

/** Is `x` a value in memory, apart from movement (no pad, concat or gather)? Such an operand needs no copy. */
function isView(x: Tensor, kept: ReadonlySet<Tensor>): boolean {
  let at = x;
  while (!kept.has(at) && !isInput(at) && !isHeavy(at)) {
    if (!isBarrier(at) && at.op !== "reshape" && at.op !== "permute" && at.op !== "slice" && at.op !== "broadcast")
      return false;
    at = at.args[0] as Tensor;
  }
  return true;
}

export function keep(nodes: readonly Tensor[], roots: readonly Tensor[], profile: Profile): Kept {
  const readersOf = readersOfValues(nodes);
  const kept = new Set<Tensor>();
  const costs = new Costs((x) => kept.has(x));
  const software = profile.family === "software";
  const cap = profile.limits.storageBuffers;
  const store = (x: Tensor): void => {
    if (kept.has(x) || isInput(x)) return;
    kept.add(x);
    costs.forget();
  };
  const results = new Set(roots.map(bare));
  const buffers: Kept["buffers"] = (values) => bufferCount(values, results);
  for (const r of results) store(r);
  for (const x of nodes) {
    if (isContraction(x)) bindable(x);
    if (isInput(x) || isHeavy(x) || kept.has(x)) continue;
    const size = sizeOf(x.shape);
    const used = readersOf.get(x) ?? [];
    let made = costs.making(x);
    // A kernel can bind `cap` buffers. Its outputs and the guard are among them.
    while (buffers(made.reads) > cap - 4) {
      const [widest] = [...new Set(x.args)]
        .filter((a) => !kept.has(a) && !isInput(a) && !isHeavy(a))
        .sort((a, b) => buffers(costs.of(b).reads) - buffers(costs.of(a).reads));
      if (widest === undefined) break;
      store(widest);
      made = costs.making(x);
    }
    const full = [...made.reads].filter((r) => 4 * sizeOf(r.shape) >= size).length;
    // Readers at several positions would each compute x again, and the values under x again for each of them.
    const shifted = used.filter(shifts).length;
    if (shifted > 0 && used.length > 1 && made.cost >= 3) store(x);
    else if (used.some((u) => isContraction(u) && isCostly(x, u, made.cost, full))) store(bare(x));
    else if (made.cost >= 16 && size > 1 && used.some((u) => sizeOf(u.shape) >= 4 * size)) store(x);
    else if (made.cost >= 16 && size === 1 && used.length > 1) store(x);
  }
  /**
   * Keeps operands of `x` that read several buffers, the widest first, until the kernel can bind all buffers. Its
   * outputs, a table and the guard take bindings too.
   */
  function bindable(x: Tensor): void {
    const reads = (a: Tensor): number => buffers(costs.of(a).reads);
    const outputs = isOp(x, "composite") ? x.attrs.count : 1;
    while (buffers(new Set(x.args.flatMap((a) => [...costs.of(a).reads]))) > cap - outputs - 2) {
      const [widest] = [...x.args]
        .filter((a) => reads(a) > 1 && !kept.has(bare(a)))
        .sort((a, b) => reads(b) - reads(a));
      if (widest === undefined) return;
      store(bare(widest));
    }
  }
  /** Is operand `x` worth a place in memory? Its reader is a contraction, which reads each element many times. */
  function isCostly(x: Tensor, reader: Tensor, cost: number, full: number): boolean {
    if (isView(x, kept)) return false;
    if (reader.op === "scatterAdd") return full > 3 || cost > 40;
    if (sizeOf(x.shape) === 0) return false;
    // A 16-bit copy halves what the contraction reads.
    if (x.op === "cast" && x.dtype === "f16") return true;
    return software || full > 2 || cost > 8 || [...costs.making(x).reads].some((r) => r.op === "gather");
  }

  // Keep a value if several kernels would otherwise compute it from three large tensors or with much work.
  const sinks = new Map<Tensor, Set<Tensor>>();
  for (const x of [...nodes].reverse()) {
    const found = new Set<Tensor>();
    for (const u of readersOf.get(x) ?? []) {
      if (isHeavy(u) || kept.has(u)) found.add(u);
      else for (const s of sinks.get(u) ?? []) found.add(s);
    }
    sinks.set(x, found);
  }
  for (const x of nodes) {
    if (kept.has(x) || isInput(x) || isHeavy(x) || isBijective(x) || (sinks.get(x)?.size ?? 0) < 2) continue;
    const { cost, reads } = costs.making(x);
    const size = sizeOf(x.shape);
    const full = [...reads].filter((r) => sizeOf(r.shape) >= size && !isInput(r) && r.op !== "matmul").length;
    if (size > 1 && (full >= 3 || (cost >= 40 && full > 0))) store(x);
  }

  const tailOf = tails(nodes, readersOf, kept);
  for (const tail of tailOf.values()) store(tail);
  return { nodes, readersOf, kept, tailOf, costs, buffers };
}

/** Ops that read an element at another index than their own. */
const shifts = (x: Tensor): boolean => x.op === "slice" || x.op === "pad" || x.op === "concat" || x.op === "gather";

/** Ops that read each element of an operand many times. */
const isContraction = (x: Tensor): boolean =>
  x.op === "matmul" || x.op === "scatterAdd" || (isHeavy(x) && x.op === "composite");

function tails(
  nodes: readonly Tensor[],
  readersOf: ReadonlyMap<Tensor, readonly Tensor[]>,
  kept: ReadonlySet<Tensor>,
): Map<Tensor, Tensor> {
  const owned = new Set<Tensor>();
  const tailOf = new Map<Tensor, Tensor>();
  // Where several heavy ops meet in one chain, the last of them owns it. The tails of the others end before the chain.
  for (const heavy of [...nodes].reverse()) {
    if (!isHeavy(heavy)) continue;
    const size = sizeOf(heavy.shape);
    const region = [heavy];
    // A sum to a scalar is its own tail. Otherwise a norm over all parameters would make a chain of all its sums.
    if (size === 1) {
      tailOf.set(heavy, heavy);
      continue;
    }
    let tail = heavy;
    // An epilogue with other operands could need another output of the same kernel.
    const severalOutputs = isOp(heavy, "composite") && heavy.attrs.count > 1;
    const follows = (y: Tensor): boolean =>
      !owned.has(y) &&
      sizeOf(y.shape) === size &&
      (isBijective(y) || y.op === "cast" || (groups.elementwise.has(y.op) && !severalOutputs)) &&
      (!isReduce(heavy) || y.op !== "permute");
    for (
      let next = closes(tail, readersOf, kept, follows);
      next !== undefined && !kept.has(tail);
      next = closes(tail, readersOf, kept, follows)
    ) {
      region.push(...next.through);
      tail = next.tail;
    }
    for (const x of region) owned.add(x);
    tailOf.set(heavy, tail);
  }
  return tailOf;
}

/**
 * The nearest value through which every use of `from` passes, and all nodes up to it (`through`). Undefined where there
 * is none, or where `follows` is false for one of these nodes.
 */
function closes(
  from: Tensor,
  readersOf: ReadonlyMap<Tensor, readonly Tensor[]>,
  kept: ReadonlySet<Tensor>,
  follows: (y: Tensor) => boolean,
): { readonly tail: Tensor; readonly through: readonly Tensor[] } | undefined {
  const open = new Set(readersOf.get(from) ?? []);
  const through: Tensor[] = [];
  if (open.size === 0) return undefined;
  for (let steps = 0; steps < 64; steps++) {
    let y: Tensor | undefined;
    for (const x of open) if (y === undefined || x.id < y.id) y = x;
    if (y === undefined || !follows(y)) return undefined;
    open.delete(y);
    through.push(y);
    if (open.size === 0) return { tail: y, through };
    if (kept.has(y)) return undefined;
    for (const u of readersOf.get(y) ?? []) open.add(u);
  }
  return undefined;
}
