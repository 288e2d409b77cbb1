// Every base op: forward against values computed here, and gradients against finite differences, alone and inside a
// graph.
import { describe, expect, it } from "vitest";
import { grad, Graph, groups, interpret, isFloat, pullback, verify, type Op, type Tensor } from "../src/index.ts";
import { alone, checkGradient, floatInputs, inTheMiddle } from "./finite-differences.ts";
import { opCases, type OpCase } from "./op-cases.ts";

const plain = (x: Tensor): Tensor => x;
const ops = Object.entries(opCases) as [Op, readonly OpCase[]][];

describe("forward", () => {
  for (const [op, cases] of ops)
    for (const c of cases) {
      it(`${op}: ${c.name}`, () => {
        const y = c.build(new Graph(), plain);
        const [value] = interpret([y], c.env ?? {});
        const tolerance = c.tolerance ?? 2e-7;
        verify([y]);
        if (c.shape !== undefined) expect(y.shape).toEqual(c.shape);
        expect(value?.data.length).toBe(c.want.length);
        c.want.forEach((want, i) => {
          const got = value?.data[i] as number;
          if (Object.is(got, want) || got === want) return;
          expect(Math.abs(got - want), `element ${i}: expected ${want}, got ${got}`).toBeLessThanOrEqual(
            tolerance * Math.abs(want),
          );
        });
      });
    }
});

describe("gradient", () => {
  for (const [op, cases] of ops)
    for (const c of cases.filter((each) => each.gradient)) {
      it(`${op}: ${c.name}, alone`, () => checkGradient(alone(c.build, c.env ?? {})));
      it(`${op}: ${c.name}, in the middle of a graph`, () => checkGradient(inTheMiddle(c.build, c.env ?? {})));
    }

  it("every op with a gradient has a case of it", () => {
    const without = ops.filter(([, cases]) => !cases.some((c) => c.gradient)).map(([op]) => op);
    // Sources, ops that are constant nearly everywhere, and ops with integer or bool results.
    expect(new Set(without)).toEqual(
      new Set(["input", "const", "iota", "randomBits", "not", "detach", "and", "or", "less", "equal", "argMax"]),
    );
  });

  it("of what has none is undefined, or zeros", () => {
    for (const op of ["detach", "argMax", "less", "floor"] as const)
      for (const c of opCases[op].filter((each) => !each.gradient && each.env !== undefined)) {
        const y = c.build(new Graph(), plain);
        const xs = floatInputs([y]);
        const cts = [isFloat(y.dtype) ? y.graph.full(y.shape, 1, y.dtype) : undefined];
        expect(
          pullback([y], cts, xs).every((d) => d === undefined),
          op,
        ).toBe(true);
      }
  });

  it("ties share it", () => {
    const g = new Graph();
    const x = g.input("x", "f32", [3]);
    const y = g.input("y", "f32", [3]);
    const env = { x: [1, 2, 3], y: [1, 3, 2] };
    const of = (z: Tensor, xs: readonly Tensor[]): number[][] =>
      interpret(grad(z.sum(), xs), env).map((v) => Array.from(v.data));
    expect(of(x.max(y), [x, y])).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    expect(of(x.min(y), [x, y])).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
    expect(of(x.min(2).reduceMax(), [x])).toEqual([[0, 0.25, 0]]);
    expect(of(x.max(x), [x])).toEqual([[1, 1, 1]]);
    expect(of(x.sub(2).abs(), [x])).toEqual([[-1, 0, 1]]);
  });
});

describe("groups", () => {
  it("name ops that exist, each in one group of structure", () => {
    const all = new Set(ops.map(([op]) => op));
    const { commutative, ...structure } = groups;
    const listed = Object.values(structure).flatMap((set) => [...set]);
    expect(new Set(listed).size).toBe(listed.length);
    expect([...all].filter((op) => !listed.includes(op)).sort()).toEqual([
      "composite",
      "gather",
      "matmul",
      "scatterAdd",
    ]);
    expect([...commutative].every((op) => groups.elementwise.has(op))).toBe(true);
  });

  it("commutative ops commute", () => {
    const g = new Graph();
    const env = { a: [1, 0, 3, NaN], b: [2, 0, -1, 4] };
    for (const op of groups.commutative) {
      const dtype = op === "and" || op === "or" ? "bool" : "f32";
      const a = g.input(`a`, "f32", [4]).cast(dtype);
      const b = g.input("b", "f32", [4]).cast(dtype);
      const [ab, ba] = interpret([g.node(op as "add", [a, b], {}), g.node(op as "add", [b, a], {})], env);
      expect(ab?.data).toEqual(ba?.data);
    }
  });
});
