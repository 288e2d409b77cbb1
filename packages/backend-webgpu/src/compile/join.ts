/**
 * The pass that joins matmuls into one dispatch:
 *
 *   summed        dX = dQ Wq + dK Wk + dV Wv: one accumulator, three products
 *   side by side  q, k and v of one input; their weight gradients
 *   row sums      the bias gradient: a sum over the rows of an operand that the weight gradient reads as well
 */
import { isOp, sizeOf, type Node, type Tensor } from "@cloze/graph";
import type { Profile } from "../profile.ts";
import { bare, type Kept } from "./keep.ts";
import { dependsOn, type Problem, type Unit, type Units } from "./units.ts";

/** The largest number of products side by side in one dispatch. */
const SIDE_BY_SIDE = 4;

export function joinMatmuls(formed: Units, k: Kept, profile: Profile): void {
  const cap = profile.limits.storageBuffers - 1;
  for (const unit of formed.units)
    unit.problems.forEach((p, i) => {
      unit.problems[i] = { ...p, roots: [...unit.roots] };
    });
  for (const unit of formed.units.slice()) joinSums(formed, k, unit, cap);
  for (const unit of formed.units.slice()) joinRowSums(formed, k, unit, cap);
  joinSideBySide(formed, k, cap);
}

export interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export function sizesOf(x: Node<"matmul">): Sizes {
  const [a] = x.args;
  const [m, n] = x.shape.slice(-2) as [number, number];
  const k = a.shape.at(x.attrs.transposeA ? -2 : -1) as number;
  return { batch: sizeOf(x.shape.slice(0, -2)), m, n, k };
}

/** A key that is equal for two products if one kernel can compute both. */
const specKey = (x: Tensor): string => {
  const matmul = x as Node<"matmul">;
  const { batch, m, n, k } = sizesOf(matmul);
  return [batch, m, n, k, matmul.attrs.transposeA, matmul.attrs.transposeB, matmul.args[0].dtype].join();
};

const isMatmul = (unit: Unit): boolean => unit.problems.length > 0;
const first = (unit: Unit): Problem => unit.problems[0] as Problem;
const termOf = (p: Problem): Node<"matmul"> => p.terms[0] as Node<"matmul">;
const buffersOf = (k: Kept, a: Unit, b: Unit, without: readonly Tensor[] = []): number =>
  k.buffers([...new Set([...a.reads, ...b.reads, ...a.roots, ...b.roots])].filter((x) => !without.includes(x)));

/** Moves the work of `other` into `unit` and removes `other`. */
function absorb({ units, unitOf }: Units, unit: Unit, other: Unit): void {
  units.splice(units.indexOf(other), 1);
  for (const r of other.roots) unitOf.set(r, unit);
  for (const r of other.reads) unit.reads.add(r);
  for (const d of other.deps) unit.deps.add(d);
  for (const u of units) if (u.deps.delete(other)) u.deps.add(unit);
  unit.deps.delete(unit);
  for (const r of unit.reads) if (unitOf.get(r) === unit) unit.reads.delete(r);
  for (const [x, at] of other.own) unit.own.set(x, at);
  for (const x of other.wide) unit.wide.add(x);
  unit.heavies.push(...other.heavies);
}

/** Does `a` depend on `b` through a third unit? */
const dependsIndirectly = (a: Unit, b: Unit): boolean => [...a.deps].some((d) => d !== b && dependsOn(d, b));

function joinSums(formed: Units, k: Kept, unit: Unit, cap: number): void {
  if (!isMatmul(unit) || !formed.units.includes(unit)) return;
  for (;;) {
    const { sum, terms, roots } = first(unit);
    const [y, ...others] = k.readersOf.get(sum) ?? [];
    if (y === undefined || others.length > 0 || y.op !== "add" || roots.includes(sum) || !unit.own.has(y)) return;
    const t = y.args.find((a) => a !== sum);
    const from = t && formed.unitOf.get(t);
    if (t === undefined || from === undefined || from === unit || !isMatmul(from) || from.problems.length !== 1) return;
    const other = first(from);
    if (
      other.sum !== t ||
      from.roots.length !== 1 ||
      k.readersOf.get(t)?.length !== 1 ||
      specKey(termOf(other)) !== specKey(terms[0] as Tensor)
    )
      return;
    if (dependsIndirectly(unit, from) || buffersOf(k, unit, from, [t]) > cap) return;
    from.roots.length = 0;
    unit.reads.delete(t);
    absorb(formed, unit, from);
    formed.unitOf.delete(t);
    unit.problems[0] = { terms: [...other.terms, ...terms], sum: y, roots };
  }
}

function joinRowSums(formed: Units, k: Kept, unit: Unit, cap: number): void {
  const [heavy, ...more] = unit.heavies;
  if (
    unit.space.kind !== "reduce" ||
    heavy === undefined ||
    more.length > 0 ||
    !isOp(heavy, "reduceSum") ||
    heavy.dtype !== "f32"
  )
    return;
  const operand = heavy.args[0];
  const { axes } = heavy.attrs;
  const { outputs, reduced } = unit.space;
  const leading = operand.shape.every((d, i) => d === 1 || axes.includes(i) === i < axes.length);
  if (!leading) return;
  for (const target of formed.units) {
    const problem = isMatmul(target)
      ? target.problems.find(
          (p) => p.terms.length === 1 && p.rowSums === undefined && sumsRows(p, operand, outputs, reduced),
        )
      : undefined;
    if (problem === undefined || dependsOn(unit, target) || dependsOn(target, unit) || buffersOf(k, target, unit) > cap)
      continue;
    problem.rowSums = { heavy, roots: [...unit.roots] };
    absorb(formed, target, unit);
    target.roots.push(...unit.roots.filter((r) => !target.roots.includes(r)));
    return;
  }
}

/** Is `operand` the left side of the product, stored [k, m], so that its row sums are a by-product? */
function sumsRows(p: Problem, operand: Tensor, outputs: number, reduced: number): boolean {
  const term = termOf(p);
  const { batch, m, k } = sizesOf(term);
  return term.attrs.transposeA && batch === 1 && m === outputs && k === reduced && bare(term.args[0]) === bare(operand);
}

function joinSideBySide(formed: Units, k: Kept, cap: number): void {
  const open = new Map<string, Unit[]>();
  for (const unit of [...formed.units].sort((a, b) => a.id - b.id)) {
    if (!isMatmul(unit)) continue;
    const p = first(unit);
    const keys = [0, 1].map(
      (side) =>
        `${specKey(p.terms[0] as Tensor)}|${p.terms.length}|${p.rowSums !== undefined}|` +
        `${side}|${bare(termOf(p).args[side] as Tensor).id}`,
    );
    const target = keys
      .flatMap((key) => open.get(key) ?? [])
      .find(
        (u) =>
          u.problems.length < SIDE_BY_SIDE &&
          !dependsOn(u, unit) &&
          !dependsOn(unit, u) &&
          buffersOf(k, u, unit) <= cap,
      );
    if (target === undefined) {
      for (const key of keys) open.set(key, [...(open.get(key) ?? []), unit]);
      continue;
    }
    const { roots } = unit;
    target.problems.push(...unit.problems);
    absorb(formed, target, unit);
    target.roots.push(...roots);
  }
}
