/**
 * The order of units: dependencies come first; otherwise units follow the order of the program, so that values have
 * short lifetimes.
 */
import { invariant } from "@cloze/errors";
import type { Unit } from "./units.ts";

export function inOrder(units: readonly Unit[]): Unit[] {
  const waiting = new Map<Unit, number>(units.map((u) => [u, u.deps.size]));
  const dependents = new Map<Unit, Unit[]>();
  const out: Unit[] = [];
  for (const u of units) for (const d of u.deps) dependents.set(d, [...(dependents.get(d) ?? []), u]);
  const ids = new Map(units.map((u) => [u, u.id]));
  const ready = new Heap<Unit>((a, b) => (ids.get(a) as number) - (ids.get(b) as number));
  for (const u of units) if (u.deps.size === 0) ready.push(u);
  for (let u = ready.pop(); u !== undefined; u = ready.pop()) {
    out.push(u);
    for (const d of dependents.get(u) ?? []) {
      const left = (waiting.get(d) as number) - 1;
      waiting.set(d, left);
      if (left === 0) ready.push(d);
    }
  }
  invariant(
    out.length === units.length,
    `units that wait for each other: ${units
      .filter((u) => !out.includes(u))
      .map((u) => `${u.roots.map((r) => `${r.op} (${r.path})`).join(", ")}`)
      .slice(0, 4)
      .join("; ")}`,
  );
  return out;
}

/** A binary heap; `pop` takes the least item. */
class Heap<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  push(x: T): void {
    const a = this.#items;
    let i = a.push(x) - 1;
    for (let p = (i - 1) >> 1; i > 0 && this.#compare(a[i] as T, a[p] as T) < 0; i = p, p = (i - 1) >> 1)
      [a[i], a[p]] = [a[p] as T, a[i] as T];
  }

  pop(): T | undefined {
    const a = this.#items;
    const top = a[0];
    const last = a.pop();
    if (top === undefined || a.length === 0) return top;
    a[0] = last as T;
    for (let i = 0; ;) {
      let c = 2 * i + 1;
      if (c >= a.length) break;
      if (c + 1 < a.length && this.#compare(a[c + 1] as T, a[c] as T) < 0) c++;
      if (this.#compare(a[c] as T, a[i] as T) >= 0) break;
      [a[i], a[c]] = [a[c] as T, a[i] as T];
      i = c;
    }
    return top;
  }
}
