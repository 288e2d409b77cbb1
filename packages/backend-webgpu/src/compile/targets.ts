/**
 * The choice of the memory for new values of state. A unit writes a new value directly over the old value where no
 * other unit still needs the old one. Otherwise it writes to memory of its own, and a commit unit copies the value over
 * the state at the end. A guard can forbid the write, so with a guard no other unit may read a value that is written
 * directly.
 */
import { sizeOf, type Program, type Tensor } from "@cloze/graph";
import { isHeavy, isInput, valueArgs } from "./costs.ts";
import { variable, Index } from "./index-expr.ts";
import { bare, type Kept } from "./keep.ts";
import type { Placed } from "./kernel-text.ts";
import { argumentIndex, dependsOn, isWide, Unit, type Units } from "./units.ts";

export interface Targets {
  /** Values that their unit writes directly into state. */
  readonly direct: ReadonlyMap<Tensor, Placed>;
  /** Units that copy a finished value into state. */
  readonly commits: ReadonlyMap<Unit, Placed>;
}

export function chooseTargets(program: Program, formed: Units, k: Kept, stateOf: (name: string) => Placed): Targets {
  const direct = new Map<Tensor, Placed>();
  const commits = new Map<Unit, Placed>();
  const outputs = new Set(Object.values(program.outputs).map(bare));
  const inputs = new Map(program.state.map((s) => [s.attrs.name, s as Tensor]));
  const guard = program.guard && formed.unitOf.get(bare(program.guard));
  const readersOf = new Map<Tensor, Unit[]>();
  for (const unit of formed.units) for (const r of unit.reads) readersOf.set(r, [...(readersOf.get(r) ?? []), unit]);

  for (const [name, value] of Object.entries(program.updates)) {
    const old = inputs.get(name) as Tensor;
    const base = bare(value);
    const unit = formed.unitOf.get(base);
    if (unit === undefined) continue;
    const before = (readersOf.get(old) ?? []).filter((u) => u !== unit);
    const waits = guard !== undefined ? [...before, guard] : before;
    const free =
      !outputs.has(base) &&
      !direct.has(base) &&
      (program.guard === undefined || !readersOf.has(base)) &&
      waits.every((w) => w !== unit && !dependsOn(w, unit));
    if (free && readsOnlyInPlace(unit, old, base, k)) {
      for (const w of waits) unit.deps.add(w);
      direct.set(base, stateOf(name));
      continue;
    }
    const commit = new Unit({ kind: "map", size: sizeOf(base.shape) });
    commit.roots.push(base);
    commit.reads.add(base);
    commit.own.set(base, Index.linear(base.shape, variable("i", sizeOf(base.shape))));
    if (isWide(base)) commit.wide.add(base);
    for (const u of [unit, ...waits]) commit.deps.add(u);
    commits.set(commit, stateOf(name));
    formed.units.push(commit);
  }
  return { direct, commits };
}

/** Does `unit` read each element of state `old` only where it writes the same element of `value`? */
function readsOnlyInPlace(unit: Unit, old: Tensor, value: Tensor, k: Kept): boolean {
  if (!unit.reads.has(old)) return true;
  if (unit.space.kind === "rows" || unit.space.kind === "reduce") return false;
  const operands = unit.heavies.flatMap((h) => [...h.args]);
  if (operands.some((a) => k.costs.of(a).reads.has(old))) return false;
  const place = unit.own.get(value)?.linear.key;
  const seen = new Set<string>();
  const walk = (x: Tensor, index: Index): boolean => {
    const key = `${x.id}@${index.key}`;
    if (seen.has(key)) return true;
    seen.add(key);
    if (x === old) return index.linear.key === place;
    if (isInput(x) || isHeavy(x) || (k.kept.has(x) && !unit.roots.includes(x))) return true;
    return valueArgs(x).every((a) => {
      const at = argumentIndex(x, a, index);
      return at === undefined ? !k.costs.of(a).reads.has(old) && a !== old : walk(a, at);
    });
  };
  return unit.roots.every((r) => walk(r, unit.own.get(r) as Index));
}
