/**
 * The grouping of kept values into units; each unit becomes one kernel, or a few. One unit writes each kept value. If a
 * value follows element by element from results of a unit, that unit writes the value too, while the results are in its
 * registers.
 *
 *   map       elements of one domain, each computed from values in memory
 *   rows      reductions along the rows of [rows, cols], and values computed from them for each row or each element
 *   reduce    other reductions: columns, whole tensors
 *   anchor    matmul, scatterAdd, a composite of this backend: a template with its epilogue
 *
 * Units form an acyclic graph. A join happens only where the graph stays acyclic.
 */
import { invariant } from "@cloze/errors";
import { isOp, sizeOf, type Tensor } from "@cloze/graph";
import type { Profile } from "../profile.ts";
import { isBarrier, isHeavy, isInput, isReduce, valueArgs } from "./costs.ts";
import { broadcastIndex } from "./emitter.ts";
import { add, axesOf, constant, Index, linearOf, variable, type Lin } from "./index-expr.ts";
import type { Kept } from "./keep.ts";

export type Space =
  | { readonly kind: "map"; readonly size: number }
  | { readonly kind: "rows"; readonly rows: number; readonly cols: number }
  | { readonly kind: "reduce"; readonly outputs: number; readonly reduced: number }
  | { readonly kind: "anchor" };

export class Unit {
  readonly space: Space;
  /** The heavy ops that this unit computes, in order. For a composite these are its used outputs. */
  readonly heavies: Tensor[] = [];
  /** The values that this unit writes to memory. */
  readonly roots: Tensor[] = [];
  /** The kept values and inputs that this unit reads from memory. */
  readonly reads: Set<Tensor> = new Set();
  readonly deps: Set<Unit> = new Set();
  /** The values in registers, each with its index in terms of this unit's variables. */
  readonly own: Map<Tensor, Index> = new Map();
  /** For each root, the heavy op that it is computed from. For a composite this is one of its outputs. */
  readonly origin: Map<Tensor, Tensor> = new Map();
  /** The values in registers that a kernel can also hold as vec4s: four neighbours along the last axis. */
  readonly wide: Set<Tensor> = new Set();
  /** The units that run as one kernel over many tensors (`multi.ts`). */
  readonly group: Unit[] = [];
  /** The products of a matmul unit. The first is the unit's own; `join.ts` adds others. */
  readonly problems: Problem[] = [];

  constructor(space: Space) {
    this.space = space;
  }

  /** The position of the unit in the program: the id of the first value that it writes. */
  get id(): number {
    return Math.min(...this.roots.map((r) => r.id));
  }
}

/** A sum of matmuls in one accumulator. */
export interface Problem {
  /** The matmuls that are summed. */
  readonly terms: readonly Tensor[];
  /** The value that the accumulator holds at the end. */
  readonly sum: Tensor;
  readonly roots: readonly Tensor[];
  /** A reduction of the left side of the first term over k, and the roots computed from it. */
  rowSums?: { readonly heavy: Tensor; readonly roots: readonly Tensor[] };
}

/** The variables of a rows space, as the text names them. */
const rowVariable = (rows: number): Lin => variable("row", rows);
const colVariable = (cols: number): Lin => variable("col", cols);

/**
 * The space of a reduction: rows where the operand is [outputs, reduced] in memory, otherwise reduce. A long reduction
 * to few outputs is a reduce too, since rows give it too few workgroups.
 */
function spaceOf(x: Tensor): Space {
  const from = x.args[0] as Tensor;
  const reduced = sizeOf(from.shape) / Math.max(1, sizeOf(x.shape));
  const outputs = sizeOf(x.shape);
  const axes = isOp(x, "argMax") ? [x.attrs.axis] : (x.attrs as { readonly axes: readonly number[] }).axes;
  const first = Math.min(...axes.filter((a) => from.shape[a] !== 1), from.rank);
  const trailing = from.shape.every((d, i) => d === 1 || i >= first === axes.includes(i));
  const long = reduced >= 16384 && outputs < 64;
  return trailing && !long && outputs > 1 && sizeOf(from.shape) > 0
    ? { kind: "rows", rows: outputs, cols: reduced }
    : { kind: "reduce", outputs, reduced: outputs === 0 ? 0 : reduced };
}

export interface Units {
  readonly units: Unit[];
  readonly unitOf: Map<Tensor, Unit>;
}

export function formUnits(k: Kept, profile: Profile, updates: ReadonlySet<Tensor>): Units {
  const units: Unit[] = [];
  const unitOf = new Map<Tensor, Unit>();
  const cap = profile.limits.storageBuffers - 1;
  const heavyOfTail = new Map<Tensor, Tensor>([...k.tailOf].map(([heavy, tail]) => [tail, heavy]));
  const readingUnits = new Map<Tensor, Set<Unit>>();
  const open = (space: Space): Unit => {
    const unit = new Unit(space);
    units.push(unit);
    return unit;
  };
  const wanted = [...k.kept].filter((x) => sizeOf(x.shape) > 0).sort((a, b) => a.id - b.id);

  for (const x of wanted) {
    const heavy = heavyOfTail.get(x);
    if (heavy === undefined) {
      write(x);
      continue;
    }
    const unit =
      (isReduce(heavy) && joinReduction(heavy, x)) ||
      siblings(heavy) ||
      open(isReduce(heavy) ? spaceOf(heavy) : { kind: "anchor" });
    if (!unit.heavies.includes(heavy)) begin(unit, heavy, x);
  }
  return { units, unitOf };

  function write(x: Tensor): void {
    if (attach(x) || join(x)) return;
    const unit = open({ kind: "map", size: sizeOf(x.shape) });
    unit.own.set(x, Index.linear(x.shape, variable("i", sizeOf(x.shape))));
    if (isWide(x)) unit.wide.add(x);
    put(unit, x, [x], readsOf(x));
  }

  /** The kept values and inputs that the computation of `x` reads. */
  function readsOf(x: Tensor): ReadonlySet<Tensor> {
    return k.costs.making(x).reads;
  }

  /** The units that must run before `x`: the writers of its reads, and of the values that its barriers wait for. */
  function needsOf(x: Tensor): ReadonlySet<Unit> {
    const { reads, waits } = k.costs.making(x);
    return new Set([...reads, ...waits].flatMap((r) => unitOf.get(r) ?? []));
  }

  function put(unit: Unit, root: Tensor, made: readonly Tensor[], reads: Iterable<Tensor>): void {
    unit.roots.push(root);
    unitOf.set(root, unit);
    for (const w of [root, ...unit.heavies.flatMap((h) => h.args)].flatMap((x) => [...k.costs.making(x).waits])) {
      const from = unitOf.get(w);
      if (from !== undefined && from !== unit) unit.deps.add(from);
    }
    for (const r of reads) {
      if (made.includes(r) || unit.heavies.includes(r) || unitOf.get(r) === unit) continue;
      unit.reads.add(r);
      readingUnits.set(r, (readingUnits.get(r) ?? new Set()).add(unit));
      const from = unitOf.get(r);
      if (from !== undefined) unit.deps.add(from);
      else invariant(isInput(r) || sizeOf(r.shape) === 0, `${r.op} (${r.path}) is read before any unit computes it`);
    }
  }

  /** The values in memory that the args of a heavy op read. */
  function operandReads(heavy: Tensor): Set<Tensor> {
    return new Set(heavy.args.flatMap((a) => [...k.costs.of(a).reads]));
  }

  /** Adds a heavy op to a unit, with the chain up to its tail. */
  function begin(unit: Unit, heavy: Tensor, tail: Tensor): void {
    unit.heavies.push(heavy);
    unit.own.set(heavy, ownOfHeavy(unit, heavy));
    if (isWide(heavy)) unit.wide.add(heavy);
    if (isReduce(heavy)) ownOperand(unit, heavy);
    const reads = new Set([...operandReads(heavy), ...(tail === heavy ? [] : readsOf(tail))]);
    unit.origin.set(heavy, heavy);
    if (!fits(unit, reads) || !claim(unit, tail)) {
      // The tail does not follow element by element. So this unit writes the result itself, and `write` places the
      // tail.
      k.kept.add(heavy);
      k.costs.forget();
      put(unit, heavy, [heavy], operandReads(heavy));
      if (heavy.op === "matmul") unit.problems.push({ terms: [heavy], sum: heavy, roots: unit.roots });
      if (tail !== heavy) write(tail);
      return;
    }
    put(unit, tail, [tail], reads);
    if (heavy.op === "matmul") unit.problems.push({ terms: [heavy], sum: heavy, roots: unit.roots });
  }

  /** The unit that already computes another output of the same composite call. */
  function siblings(heavy: Tensor): Unit | undefined {
    if (!isOp(heavy, "composite")) return undefined;
    return units.find((u) =>
      u.heavies.some(
        (h) =>
          isOp(h, "composite") &&
          h.attrs.composite === heavy.attrs.composite &&
          h.attrs.params === heavy.attrs.params &&
          h.args.every((a, i) => a === heavy.args[i]),
      ),
    );
  }

  function ownOfHeavy(unit: Unit, heavy: Tensor): Index {
    const { space } = unit;
    if (space.kind === "rows") return Index.linear(heavy.shape, rowVariable(space.rows));
    if (space.kind === "reduce") return Index.linear(heavy.shape, variable("o", space.outputs));
    if (heavy.op === "scatterAdd") {
      const [size, ...rest] = heavy.shape as [number, ...number[]];
      return Index.at(heavy.shape, [variable("i", size), ...axesOf(variable("j", sizeOf(rest)), rest)]);
    }
    if (heavy.op !== "matmul")
      return Index.at(
        heavy.shape,
        heavy.shape.map((d, i) => variable(`x${i}`, d)),
      );
    const batch = heavy.shape.slice(0, -2);
    const [m, n] = heavy.shape.slice(-2) as [number, number];
    return Index.at(heavy.shape, [...axesOf(variable("z", sizeOf(batch)), batch), variable("i", m), variable("j", n)]);
  }

  /** Records that a rows unit holds the operand at (row, col). */
  function ownOperand(unit: Unit, heavy: Tensor): void {
    const operand = heavy.args[0] as Tensor;
    if (unit.space.kind !== "rows") return;
    unit.own.set(operand, fullIndex(unit, operand));
    if (isWide(operand)) unit.wide.add(operand);
  }

  /**
   * Gives `x`, and the values between the unit's results and `x`, their indices in the unit. False, and no change,
   * where `x` uses an own value of the unit at another index than the one in registers.
   */
  function claim(unit: Unit, x: Tensor): boolean {
    const made = new Map<Tensor, Index>();
    const wide = new Set<Tensor>();
    const place = (y: Tensor): Index | undefined => {
      const known = unit.own.get(y) ?? made.get(y);
      if (known !== undefined) return known;
      if ((k.kept.has(y) && y !== x) || isInput(y) || isHeavy(y)) return undefined;
      for (const a of valueArgs(y)) {
        const from = place(a);
        if (from === undefined || sizeOf(a.shape) !== sizeOf(y.shape)) continue;
        const at =
          y.op === "permute"
            ? Index.at(
                y.shape,
                (y.attrs as { readonly order: readonly number[] }).order.map((o) => from.axes[o] as Lin),
              )
            : from.reshaped(y.shape);
        made.set(y, at);
        if (
          (unit.wide.has(a) || wide.has(a)) &&
          isWide(y) &&
          (y.op !== "permute" || (y.attrs as { readonly order: readonly number[] }).order.at(-1) === y.rank - 1)
        )
          wide.add(y);
        return at;
      }
      return undefined;
    };
    let own = place(x);
    if (own === undefined) {
      own = ownBySize(unit, x);
      if (isWide(x)) wide.add(x);
    }
    if (own === undefined) return false;
    made.set(x, own);
    const uses = new Set<Tensor>();
    if (!agrees(unit, x, own, new Set(), uses)) return false;
    const origins = new Set([...uses].flatMap((u) => unit.origin.get(u) ?? []));
    const [origin] = origins;
    if (origins.size > 1 && unit.heavies.some((h) => isOp(h, "composite"))) return false;
    if (origin !== undefined && !unit.origin.has(x)) unit.origin.set(x, origin);
    for (const [y, at] of made) {
      if (unit.own.has(y)) continue;
      unit.own.set(y, at);
      if (wide.has(y)) unit.wide.add(y);
    }
    return true;
  }

  function ownBySize(unit: Unit, x: Tensor): Index | undefined {
    const { space } = unit;
    const size = sizeOf(x.shape);
    if (space.kind === "map") return size === space.size ? Index.linear(x.shape, variable("i", size)) : undefined;
    if (space.kind === "rows")
      return size === space.rows * space.cols
        ? fullIndex(unit, x)
        : size === space.rows
          ? Index.linear(x.shape, rowVariable(space.rows))
          : undefined;
    if (space.kind === "reduce") return size === space.outputs ? Index.linear(x.shape, variable("o", size)) : undefined;
    return undefined;
  }

  /** Does `x` at `index` use this unit's own values only at the indices that are in registers? */
  function agrees(unit: Unit, x: Tensor, index: Index, seen: Set<string>, uses: Set<Tensor>): boolean {
    const key = `${x.id}@${index.key}`;
    if (seen.has(key)) return true;
    seen.add(key);
    return (
      isHeavy(x) ||
      valueArgs(x).every((a) => {
        const mine = unitOf.get(a) === unit || unit.heavies.includes(a);
        if (mine || !(k.kept.has(a) || isInput(a) || isHeavy(a))) {
          const at = argumentIndex(x, a, index);
          if (at === undefined) return !dependsOnUnit(a, unit);
          if (mine) uses.add(a);
          return mine ? unit.own.get(a)?.linear.key === at.linear.key : agrees(unit, a, at, seen, uses);
        }
        return true;
      })
    );
  }

  function dependsOnUnit(x: Tensor, unit: Unit): boolean {
    return [...k.costs.of(x).reads].some((r) => unitOf.get(r) === unit || unit.heavies.includes(r));
  }

  /** Adds `x` to a unit that computes one of its reads, if `x` follows from it element by element. */
  function attach(x: Tensor): boolean {
    const reads = readsOf(x);
    const makers = [...new Set([...reads].flatMap((r) => unitOf.get(r) ?? []))].reverse();
    for (const unit of makers) {
      // New state stays in map units, which `multi.ts` joins to one kernel for all tensors of an optimizer.
      if (updates.has(x) && unit.space.kind !== "map") continue;
      if (unit.space.kind === "reduce" && sizeOf(x.shape) !== unit.space.outputs) continue;
      if (
        unit.space.kind === "anchor" &&
        unit.problems.length === 0 &&
        sizeOf(x.shape) !== sizeOf((unit.heavies[0] as Tensor).shape)
      )
        continue;
      if (!fits(unit, reads) || !canJoin(unit, needsOf(x)) || !claim(unit, x)) continue;
      put(unit, x, [x], reads);
      return true;
    }
    return false;
  }

  /** Adds `x` to a map unit of the same size that reads one of the same full-size values. */
  function join(x: Tensor): boolean {
    const reads = readsOf(x);
    const size = sizeOf(x.shape);
    for (const unit of neighbours(reads)) {
      if (
        unit.space.kind !== "map" ||
        unit.space.size !== size ||
        ![...reads].some((r) => unit.reads.has(r) && sizeOf(r.shape) === size)
      )
        continue;
      if (!fits(unit, reads) || !canJoin(unit, needsOf(x)) || !claim(unit, x)) continue;
      put(unit, x, [x], reads);
      return true;
    }
    return false;
  }

  function joinReduction(heavy: Tensor, tail: Tensor): Unit | undefined {
    const space = spaceOf(heavy);
    const reads = new Set([...operandReads(heavy), ...readsOf(tail)]);
    for (const unit of neighbours(reads)) {
      if (JSON.stringify(unit.space) !== JSON.stringify(space) || space.kind === "anchor") continue;
      if (space.kind === "reduce" && !sameLayout(unit.heavies[0] as Tensor, heavy)) continue;
      const shares = [...reads].some((r) => unitOf.get(r) === unit || (unit.reads.has(r) && sizeOf(r.shape) > 1));
      const operand = heavy.args[0] as Tensor;
      const needs = new Set([...reads].flatMap((r) => unitOf.get(r) ?? []));
      for (const x of [tail, operand]) for (const u of needsOf(x)) needs.add(u);
      if (!shares || !fits(unit, reads) || !canJoin(unit, needs)) continue;
      const mine = [...k.costs.of(operand).reads].some((r) => unitOf.get(r) === unit);
      if (mine && (space.kind !== "rows" || !(unit.own.has(operand) || claim(unit, operand)))) continue;
      if (
        mine &&
        space.kind === "rows" &&
        (unit.own.get(operand) as Index).linear.key !== fullIndex(unit, operand).linear.key
      )
        continue;
      return unit;
    }
    return undefined;
  }

  /** The units that write or read one of these values, the latest first. */
  function neighbours(values: ReadonlySet<Tensor>): Unit[] {
    const found = new Set<Unit>();
    for (const v of values) {
      if (sizeOf(v.shape) <= 1) continue;
      const maker = unitOf.get(v);
      if (maker !== undefined) found.add(maker);
      for (const u of readingUnits.get(v) ?? []) found.add(u);
    }
    return [...found].reverse();
  }

  function fits(unit: Unit, reads: ReadonlySet<Tensor>): boolean {
    return k.buffers(new Set([...unit.reads, ...reads, ...unit.roots])) + 1 <= cap;
  }

  /** True if no needed unit, other than `unit` itself, depends on `unit`. */
  function canJoin(unit: Unit, needs: ReadonlySet<Unit>): boolean {
    return ![...needs].some((n) => n !== unit && dependsOn(n, unit));
  }
}

/** Can kernels process `x` four elements along the last axis at a time? */
export const isWide = (x: Tensor): boolean => x.rank > 0 && (x.shape.at(-1) as number) % 4 === 0;

/** Removes from each unit the roots that only the unit itself uses. They stay in its registers. */
export function dropUnread({ units }: Units, roots: ReadonlySet<Tensor>): void {
  const read = new Set(units.flatMap((u) => [...u.reads]));
  for (const unit of units) {
    const wanted = unit.roots.filter((r) => roots.has(r) || read.has(r));
    unit.roots.splice(0, unit.roots.length, ...wanted);
  }
}

function sameLayout(a: Tensor, b: Tensor): boolean {
  const from = a.args[0] as Tensor;
  const other = b.args[0] as Tensor;
  return (
    a.op !== "argMax" &&
    b.op !== "argMax" &&
    from.shape.join() === other.shape.join() &&
    a.shape.join() === b.shape.join()
  );
}

/** The index of element (row, col) of a tensor in a rows unit. */
export function fullIndex(unit: Unit, x: Tensor): Index {
  const { space } = unit;
  invariant(space.kind === "rows", `full index in a unit of ${space.kind}`);
  return Index.linear(x.shape, linearOf([rowVariable(space.rows), colVariable(space.cols)], [space.rows, space.cols]));
}

/** Does `a` depend on `b`, directly or through other units? */
export function dependsOn(a: Unit, b: Unit): boolean {
  const seen = new Set<Unit>([a]);
  const stack = [a];
  for (let u = stack.pop(); u !== undefined; u = stack.pop()) {
    for (const d of u.deps) {
      if (d === b) return true;
      if (!seen.has(d)) {
        seen.add(d);
        stack.push(d);
      }
    }
  }
  return false;
}

/** The index at which `x` at `index` reads its arg `a`; undefined where it does not read exactly one known element. */
export function argumentIndex(x: Tensor, a: Tensor, index: Index): Index | undefined {
  if (x.op === "reshape") return index.reshaped(a.shape);
  if (x.op === "permute") {
    const axes = new Array<Lin>(x.rank);
    (x.attrs as { readonly order: readonly number[] }).order.forEach((o, i) => {
      axes[o] = index.axes[i] as Lin;
    });
    return Index.at(a.shape, axes);
  }
  if (x.op === "slice")
    return Index.at(
      a.shape,
      index.axes.map((l, i) => add(l, constant((x.attrs as { readonly start: readonly number[] }).start[i] as number))),
    );
  if (isBarrier(x)) return index;
  if (x.op === "pad" || x.op === "concat" || x.op === "gather" || x.op === "randomBits") return undefined;
  return broadcastIndex(index, a.shape);
}

/** The index of a reduction's operand for output number `o` and position `r` along the reduced axes. */
export function reducedIndex(x: Tensor, o: Lin, r: Lin): Index {
  const from = x.args[0] as Tensor;
  const axes = isOp(x, "argMax") ? [x.attrs.axis] : (x.attrs as { readonly axes: readonly number[] }).axes;
  const outer = Index.linear(x.shape, o);
  const inner = Index.linear(
    from.shape.map((d, i) => (axes.includes(i) ? d : 1)),
    r,
  );
  return Index.at(
    from.shape,
    from.shape.map((_, i) => (axes.includes(i) ? inner.axes[i] : outer.axes[i]) as Lin),
  );
}
