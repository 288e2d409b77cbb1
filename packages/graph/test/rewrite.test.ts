// Rewriting: each rule fires on its example and keeps the value; random graphs keep their values through the whole
// pipeline; the engine does not recurse and does not loop without end.
import { describe, expect, it } from "vitest";
import {
  attention,
  castPolicyRules,
  dropDetachRules,
  expandRules,
  gelu,
  grad,
  Graph,
  interpret,
  isFloat,
  isOp,
  layerNorm,
  lower,
  order,
  print,
  program,
  programRoots,
  rewrite,
  rule,
  runPass,
  simplifyRules,
  softmax,
  verify,
  withRoots,
  type Rule,
  type Tensor,
} from "../src/index.ts";
import { noise } from "./finite-differences.ts";
import { randomGraph } from "./random-graphs.ts";

const lists: Readonly<Record<string, { readonly rules: readonly Rule[]; readonly tolerance: number }>> = {
  simplify: { rules: simplifyRules, tolerance: 0 },
  "drop detach": { rules: dropDetachRules, tolerance: 0 },
  expand: { rules: expandRules(() => false), tolerance: 0 },
  "cast policy f16": { rules: castPolicyRules("f16"), tolerance: 2e-3 },
  "cast policy bf16": { rules: castPolicyRules("bf16"), tolerance: 2e-2 },
};

/** A number for every element of every input of `roots`; different numbers for each `seed`. */
const drawn = (roots: readonly Tensor[], seed: number): Record<string, readonly number[]> =>
  Object.fromEntries(
    order(roots).flatMap((x) =>
      isOp(x, "input")
        ? [
            [
              x.attrs.name,
              Array.from({ length: x.shape.reduce((n, d) => n * d, 1) }, (_, i) =>
                isFloat(x.dtype) ? noise(i + 17 * seed + x.id) : (i + seed) % 2,
              ),
            ],
          ]
        : [],
    ),
  );

const flat = (roots: readonly Tensor[], env: Readonly<Record<string, readonly number[]>>): number[] =>
  interpret(roots, env).flatMap((v) => Array.from(v.data));

function expectSame(before: readonly number[], after: readonly number[], tolerance: number): void {
  expect(after.length).toBe(before.length);
  const scale = Math.max(1, ...before.filter(Number.isFinite).map(Math.abs));
  before.forEach((x, i) => {
    const y = after[i] as number;
    if (x === y || (x !== x && y !== y)) return;
    expect(Math.abs(x - y), `element ${i}: ${x} became ${y}`).toBeLessThanOrEqual(tolerance * scale);
  });
}

describe.each(Object.entries(lists))("%s", (_, { rules, tolerance }) => {
  it.each(rules.map((r) => [r.name, r] as const))("%s", (_name, r) => {
    const g = new Graph();
    const before = r.example(g);
    const { roots, fired } = rewrite([before], [r], "one rule");
    expect(fired.get(r.name) ?? 0, "times it fired").toBeGreaterThan(0);
    verify(roots);
    expect(roots[0] === before).toBe(false);
    for (let seed = 0; seed < 5; seed++) {
      const env = drawn([before], seed);
      expectSame(flat([before], env), flat(roots, env), tolerance);
    }
  });

  it("names are unique and say what becomes what", () => {
    expect(new Set(rules.map((r) => r.name)).size).toBe(rules.length);
    for (const r of rules) expect(r.name).toContain("->");
  });
});

describe("lower", () => {
  it("keeps the values of 300 random graphs, and comes to rest", () => {
    const fired = new Map<string, number>();
    for (let seed = 1; seed <= 300; seed++) {
      const { roots, graph, env } = randomGraph(seed, 25);
      const p = program(graph, { state: [], outputs: Object.fromEntries(roots.map((r, i) => [`${i}`, r])) });
      const lowered = lower(p, {
        check: true,
        onPass: (_n, _p, counts) => counts.forEach((n, name) => fired.set(name, (fired.get(name) ?? 0) + n)),
      });
      const [before, after] = [flat(programRoots(p), env), flat(programRoots(lowered), env)];
      // Except for folded constants and -0 the values stay equal. 1e-6 leaves room for x / y where y passed through a
      // fold.
      expect(() => expectSame(before, after, 1e-6), `seed ${seed}\n${print(programRoots(p))}`).not.toThrow();
      const again = lower(lowered);
      expect(
        programRoots(again).every((r, i) => r === programRoots(lowered)[i]),
        `seed ${seed}: lowering twice changes nothing more`,
      ).toBe(true);
      expect(order(programRoots(lowered)).some((x) => x.op === "detach" || x.op === "composite")).toBe(false);
    }
    expect(
      simplifyRules.filter((r) => !fired.has(r.name)).map((r) => r.name),
      "rules that no random graph met",
    ).toEqual([]);
  });

  it("keeps gradients of random graphs", () => {
    let compared = 0;
    for (let seed = 400; seed < 460; seed++) {
      const { roots, graph, env } = randomGraph(seed, 20);
      const loss = roots.map((r) => r.tanh().sum()).reduce((a, b) => a.add(b));
      const xs = order([loss]).filter((x) => isOp(x, "input"));
      if (xs.length === 0) continue;
      compared++;
      const p = program(graph, { state: [], outputs: Object.fromEntries(grad(loss, xs).map((d, i) => [`${i}`, d])) });
      expectSame(flat(programRoots(p), env), flat(programRoots(lower(p, { check: true })), env), 1e-5);
    }
    expect(compared).toBeGreaterThan(50);
  });

  const encoder = (g: Graph): Tensor => {
    const x = g.input("x", "f32", [1, 2, 4, 4]);
    const y = attention(x, x, x)
      .reshape([8, 4])
      .matmul(g.input("w", "f32", [4, 4]));
    return softmax(gelu(layerNorm(y, g.input("gain", "f32", [4]), g.input("bias", "f32", [4])))).sum();
  };

  it("leaves native composites whole, by name or by predicate", () => {
    const g = new Graph();
    const p = program(g, { state: [], outputs: { y: encoder(g) } });
    const left = (native: ReadonlySet<string> | ((name: string) => boolean)): string[] =>
      order(
        programRoots(
          lower(p, { native: typeof native === "function" ? (x) => native(x.attrs.composite.name) : native }),
        ),
      ).flatMap((x) => (isOp(x, "composite") ? [x.attrs.composite.name] : []));
    expect(left(new Set())).toEqual([]);
    expect(left(new Set(["layerNorm", "gelu"]))).toEqual(["layerNorm", "gelu"]);
    expect(left((name) => name !== "attention")).toEqual(["softmax", "layerNorm", "gelu", "softmax"]);
  });

  it("puts contractions, and only them, into 16 bits", () => {
    const g = new Graph();
    const p = program(g, { state: [], outputs: { y: encoder(g) } });
    const lowered = lower(p, { compute: "bf16", check: true });
    const nodes = order(programRoots(lowered));
    const matmuls = nodes.filter((x) => isOp(x, "matmul"));
    expect(matmuls.length).toBe(3);
    for (const m of matmuls) expect(m.args.map((a) => a.dtype)).toEqual(["bf16", "bf16"]);
    expect(new Set(nodes.filter((x) => x.dtype === "bf16").map((x) => x.op))).toEqual(new Set(["cast", "matmul"]));
    expect(programRoots(lowered).every((r) => r.dtype === "f32")).toBe(true);
  });

  it("tells of each pass in order", () => {
    const g = new Graph();
    const names: string[] = [];
    lower(program(g, { state: [], outputs: { y: encoder(g) } }), {
      compute: "f16",
      onPass: (name, after, fired) => {
        names.push(name);
        verify(programRoots(after));
        expect(fired).toBeInstanceOf(Map);
      },
    });
    expect(names).toEqual(["simplify", "cast policy", "expand composites", "drop detach", "simplify"]);
  });

  it("keeps feeds that nothing reads any more, and state in its order", () => {
    const g = new Graph();
    const [a, b, x, unread] = ["a", "b", "x", "unread"].map((n) => g.input(n, "f32", [2])) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const p = program(g, { state: [b, a], feeds: [unread], outputs: { y: x.less(0).select(a, a) }, updates: { b: a } });
    const lowered = lower(p);
    expect(lowered.feeds.map((f) => f.attrs.name)).toEqual(["x", "unread"]);
    expect(lowered.state.map((f) => f.attrs.name)).toEqual(["b", "a"]);
    expect(lowered.outputs["y"] === a && lowered.updates["b"] === a).toBe(true);
  });
});

describe("the engine", () => {
  const f = (g: Graph, name = "x"): Tensor<"f32"> => g.input(name, "f32", [2]);
  const one = (name: string, op: "add" | "mul" | "neg" | "exp", apply: (x: Tensor) => Tensor | undefined): Rule =>
    rule(name, op, apply, (g) => f(g));

  it("rewrites roots that are args of each other, in the order given", () => {
    const g = new Graph();
    const a = f(g).add(0);
    const b = a.mul(1).exp();
    const { roots } = rewrite([b, a, b, f(g)], simplifyRules, "test");
    expect([roots[0] === f(g).exp(), roots[1] === f(g), roots[2] === roots[0], roots[3] === f(g)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it("rewrites what a rule returns: older nodes, newer ones and their args", () => {
    const g = new Graph();
    const x = f(g);
    const old = x.exp().add(0);
    const { roots } = rewrite(
      [x.mul(2), old],
      [...simplifyRules, one("x * 2 -> the old node", "mul", () => old)],
      "test",
    );
    expect(roots.every((r) => r === x.exp())).toBe(true);
    const made = rewrite(
      [x.mul(2)],
      [
        ...simplifyRules,
        one("x * c -> exp(x + 0) * 1", "mul", (y) =>
          isOp(y.args[1] as Tensor, "const") && (y.args[1] as Tensor & { attrs: { value: number } }).attrs.value === 2
            ? (y.args[0] as Tensor).add(0).exp().mul(1)
            : undefined,
        ),
      ],
      "test",
    );
    expect(made.roots[0] === x.exp()).toBe(true);
  });

  it("counts how often each rule fired", () => {
    const g = new Graph();
    const x = f(g);
    const { fired } = rewrite([x.add(0).mul(1).exp().add(0)], simplifyRules, "test");
    expect(Object.fromEntries(fired)).toEqual({ "x + 0 -> x": 2, "x * 1 -> x": 1 });
  });

  it("does not touch the graph it is given", () => {
    const g = new Graph();
    const y = f(g).add(0).exp();
    const before = print([y]);
    rewrite([y], simplifyRules, "test");
    expect(print([y])).toBe(before);
  });

  it("two rules that undo each other are an error", () => {
    const g = new Graph();
    const there = one("neg -> exp", "neg", (x) => x.args[0]?.exp());
    const back = one("exp -> neg", "exp", (x) => x.args[0]?.neg());
    expect(() => rewrite([f(g).neg()], [there, back], "ping-pong")).toThrow(
      /internal: pass ping-pong goes round in a circle/,
    );
  });

  it("a rule that wraps its own node is an error", () => {
    const g = new Graph();
    expect(() => rewrite([f(g).neg()], [one("x -> -(-x)", "neg", (x) => x.neg().neg())], "wrapping")).toThrow(
      /wrapping goes round in a circle/,
    );
  });

  it("a rule that makes ever new nodes is an error", () => {
    const g = new Graph();
    const halve = one("x * c -> (x * c/2)", "mul", (x) =>
      x.args[0]?.mul((x.args[1] as Tensor & { attrs: { value: number } }).attrs.value + 1),
    );
    expect(() => rewrite([f(g).mul(1)], [halve], "growing")).toThrow(
      /growing does not come to rest .* rule "x \* c -> \(x \* c\/2\)"/,
    );
  });

  it("a rule that changes a type is an error that names it", () => {
    const g = new Graph();
    expect(() => rewrite([f(g).neg()], [one("-x -> sum", "neg", (x) => x.args[0]?.sum())], "test")).toThrow(
      'pass test, rule "-x -> sum" changed a type',
    );
  });

  it("runPass verifies when asked", () => {
    const g = new Graph();
    expect(runPass([f(g).add(0)], simplifyRules, "simplify", true)[0] === f(g)).toBe(true);
  });

  it("withRoots puts roots back where they were", () => {
    const g = new Graph();
    const x = f(g);
    const p = program(g, { state: [x], outputs: { a: x.exp(), b: x.neg() }, updates: { x: x.add(1) } });
    const same = withRoots(p, programRoots(p));
    expect(
      same.outputs["a"] === p.outputs["a"] &&
        same.outputs["b"] === p.outputs["b"] &&
        same.updates["x"] === p.updates["x"],
    ).toBe(true);
  });
});
