// Index arithmetic: simplified terms keep their values, and movement that cancels leaves nothing.
import { describe, expect, it } from "vitest";
import {
  add,
  axesOf,
  constant,
  divide,
  Index,
  linearOf,
  modulo,
  scale,
  textOf,
  variable,
  type Lin,
} from "./index-expr.ts";

/** The value of a term. Its text is also JavaScript over BigInts, whose division is that of u32. */
const evaluate = (x: Lin, values: Readonly<Record<string, number>>): number =>
  Number(
    new Function(...Object.keys(values), `return ${textOf(x).replaceAll(/\b(\d+)u/g, "$1n")}`)(
      ...Object.values(values).map(BigInt),
    ),
  );

/** A generator of pseudo-random numbers in a fixed order. */
const drawn = (seed: number): ((below: number) => number) => {
  let s = seed * 2654435761 + 1;
  return (below) => ((s = (Math.imul(s, 1664525) + 1013904223) >>> 0) >>> 8) % below;
};

describe("index terms", () => {
  it("cancel where a head split is undone", () => {
    const i = variable("i", 4096);
    const j = variable("j", 768);
    const flat = linearOf([i, j], [4096, 768]);
    const heads = axesOf(flat, [8, 512, 12, 64]);
    expect(heads.map((a) => textOf(a))).toEqual(["(i / 512u)", "(i % 512u)", "(j / 64u)", "(j % 64u)"]);
    const permuted = [heads[0], heads[2], heads[1], heads[3]] as Lin[];
    const back = axesOf(linearOf(permuted, [8, 12, 512, 64]), [8, 12, 512, 64]);
    expect(linearOf([back[0], back[2], back[1], back[3]] as Lin[], [8, 512, 12, 64]).key).toBe(flat.key);
  });

  it("keep their value: 400 random terms", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const below = drawn(seed);
      const extents = { a: 1 + below(9), b: 1 + below(12), c: 1 + below(30) };
      const start = add(
        ...Object.entries(extents).map(([name, extent]) => scale(variable(name, extent), 1 + below(24))),
        constant(below(7)),
      );
      const values = Object.fromEntries(Object.entries(extents).map(([name, extent]) => [name, below(extent)]));
      let term = start;
      let want = evaluate(start, values);
      for (let step = 0; step < 4; step++) {
        const by = 1 + below(24);
        const what = below(4);
        const other = Math.floor(want / by) * by;
        const rest = want % by;
        if (what === 0) [term, want] = [divide(term, by), Math.floor(want / by)];
        else if (what === 1) [term, want] = [modulo(term, by), rest];
        else if (what === 2) [term, want] = [add(scale(divide(term, by), by), modulo(term, by)), other + rest];
        else [term, want] = [add(scale(term, by), variable("a", extents.a)), want * by + (values["a"] as number)];
        expect(evaluate(term, values), `seed ${seed}, ${textOf(term)}`).toBe(want);
        expect(want).toBeLessThanOrEqual(term.max);
      }
    }
  });

  it("split into axes and back are the same element", () => {
    for (const shape of [[3, 4, 5], [1, 7, 1], [2, 2, 2, 9], [12]]) {
      const size = shape.reduce((n, d) => n * d, 1);
      const index = Index.linear(shape, variable("i", size));
      expect(Index.at(shape, index.axes).linear.key).toBe(index.linear.key);
      expect(index.reshaped([size]).linear.key).toBe(index.linear.key);
    }
  });
});
