import { describe, expect, expectTypeOf, it } from "vitest";
import {
  call,
  grad,
  Graph,
  interpret,
  isOp,
  lower,
  order,
  print,
  program,
  programRoots,
  readers,
  rewrite,
  simplifyRules,
  verify,
  type Tensor,
} from "./index.ts";

const f = (g: Graph, name = "x", shape: readonly number[] = [2, 3]): Tensor<"f32"> => g.input(name, "f32", shape);

describe("hash-consing", () => {
  it("same op, args and attrs are the same node", () => {
    const g = new Graph();
    const x = f(g);
    const size = g.size;
    expect(f(g) === x && x.add(1) === x.add(1) && x.sum(0) === x.sum([0]) && x.sum(-1) === x.sum(1)).toBe(true);
    expect(x.reshape([3, -1]) === x.reshape([3, 2]) && g.full([2], 1, "f32") === g.full([2], 1, "f32")).toBe(true);
    expect(g.size).toBe(size + 8);
  });

  it("tells apart attributes that differ by as little as a sign", () => {
    const g = new Graph();
    const numbers = [0, -0, NaN, Infinity, -Infinity, 1e-320, 0.1, 0.1 + 2 ** -56];
    expect(new Set(numbers.map((n) => g.const(n, "f32"))).size).toBe(numbers.length);
    expect(g.const(NaN, "f32") === g.const(NaN, "f32")).toBe(true);
    expect(g.const(1, "f32") === (g.const(1, "i32") as Tensor)).toBe(false);
    const x = f(g);
    expect(x.pad([1, 1], [1, 1], 0) === x.pad([1, 1], [1, 1], -0)).toBe(false);
    expect(x.reshape([1, 6]) === x.reshape([16 - 10])).toBe(false);
    expect(f(g, "a,1", []) === f(g, "a", [])).toBe(false);
    expect(x.sub(f(g, "y")) === f(g, "y").sub(x)).toBe(false);
  });

  it("params of composites count, whatever they are called", () => {
    const g = new Graph();
    const x = f(g);
    const composite = { name: "test", expand: ([a]: readonly Tensor[]): readonly Tensor[] => [(a as Tensor).neg()] };
    const of = (
      params: Readonly<Record<string, number | string | boolean | null | readonly number[] | readonly string[]>>,
    ): Tensor => call(composite, [x], params)[0] as Tensor;
    const all = [
      of({ name: "a", rate: 1 }),
      of({ name: "a", rate: 2 }),
      of({ name: "b", rate: 1 }),
      of({ name: null }),
      of({ name: "null" }),
      of({ list: ["a", "b"] }),
      of({ list: ["a,b"] }),
      of({ list: [0] }),
      of({ list: [-0] }),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(of({ name: "a", rate: 1 }) === all[0]).toBe(true);
  });

  it("two composites of one name are an error", () => {
    const g = new Graph();
    const expand = ([a]: readonly Tensor[]): readonly Tensor[] => [(a as Tensor).neg()];
    call({ name: "twin", expand }, [f(g)]);
    expect(() => call({ name: "twin", expand: (args) => expand(args) }, [f(g)])).toThrow(
      'two composites are named "twin"',
    );
  });

  it("common subexpressions of forward and backward are shared", () => {
    const g = new Graph();
    const x = f(g);
    const y = x.tanh().sum();
    const [d] = grad(y, [x]) as [Tensor];
    expect(order([y, d]).filter((n) => n.op === "tanh").length).toBe(1);
  });
});

describe("gradients", () => {
  it("stop at detach and nowhere else", () => {
    const g = new Graph();
    const x = f(g, "x", [2]);
    const [d, inner] = grad(x.mul(x.tanh().detach()).sum(), [x, x.tanh()]) as [Tensor, Tensor];
    const [slope, tanh, none] = interpret([d, x.tanh(), inner], { x: [0.5, -2] });
    expect([slope?.data, none?.data]).toEqual([tanh?.data, new Float32Array(2)]);
  });

  it("are complete where rewriting made the outputs of one composite at different times", () => {
    const g = new Graph();
    const x = f(g, "x", [2]);
    const pair = {
      name: "pair",
      expand: ([a]: readonly Tensor[]): readonly Tensor[] => [(a as Tensor).square(), (a as Tensor).tanh()],
    };
    const [s, t] = call(pair, [x.add(0)]) as [Tensor, Tensor];
    // The reader of the first output is rebuilt before the second output is.
    const [early] = rewrite([s.mul(3)], simplifyRules, "first").roots as [Tensor];
    const [late] = rewrite([t], simplifyRules, "second").roots as [Tensor];
    expect(early.id < late.id && late.args[0] === x && early.args[0]?.args[0] === x).toBe(true);
    const [d] = grad(early.add(late).sum(), [x]) as [Tensor];
    const got = Array.from(interpret([d], { x: [0.5, -2] }, { precision: "f64" })[0]?.data as ArrayLike<number>);
    [0.5, -2].forEach((v, i) =>
      expect(Math.abs((got[i] as number) - (6 * v + 1 - Math.tanh(v) ** 2))).toBeLessThan(1e-12),
    );
  });
});

describe("inputs", () => {
  it("one name is one tensor", () => {
    const g = new Graph();
    f(g, "x", [2]);
    expect(() => f(g, "x", [3])).toThrow('input "x": expected the type it was declared with, f32[2], got f32[3].');
    expect(() => g.input("x", "f16", [2])).toThrow("got f16[2]");
  });
});

describe("two graphs", () => {
  it("do not mix", () => {
    const a = new Graph();
    const b = new Graph();
    expect(() => f(a).add(f(b))).toThrow("add mixes tensors of two graphs");
    expect(() => call({ name: "pair", expand: ([x, y]) => [(x as Tensor).add(y as Tensor)] }, [f(a), f(b)])).toThrow(
      "pair mixes tensors of two graphs",
    );
    expect(() => verify([f(a), f(b)])).toThrow("a node of another graph");
  });
});

describe("layer paths", () => {
  it("are remembered, nested, and restored after an error", () => {
    const g = new Graph();
    const y = g.within("encoder.layer.0", () => f(g).exp());
    expect(y.path).toBe("encoder.layer.0");
    expect(() =>
      g.within("a", () =>
        g.within("b", () => {
          throw new Error("inside");
        }),
      ),
    ).toThrow("inside");
    expect(g.path).toBe("");
    const [d] = grad(y.sum(), [f(g)]) as [Tensor];
    expect(order([d]).some((n) => n.path === "encoder.layer.0'")).toBe(true);
  });
});

describe("a graph 50,000 nodes deep", () => {
  const DEPTH = 50_000;
  const g = new Graph();
  const x = g.input("x", "f32", []);
  let y: Tensor<"f32"> = x;
  for (let i = 0; i < DEPTH / 2; i++) y = y.mul(0.9999).add(i % 3 === 0 ? 0 : 1e-6);

  it("is walked, verified, interpreted, printed, differentiated and rewritten without recursion", () => {
    expect(order([y]).length).toBeGreaterThan(DEPTH);
    verify([y]);
    expect(print([y]).split("\n").length).toBeGreaterThan(DEPTH);
    const [d] = grad(y, [x]) as [Tensor];
    const slope = interpret([d], { x: [1] }, { precision: "f64" })[0]?.data[0] as number;
    expect(Math.abs(slope / 0.9999 ** (DEPTH / 2) - 1)).toBeLessThan(1e-9);
    const lowered = lower(program(g, { state: [], outputs: { y, d } }), { check: true });
    expect(interpret(programRoots(lowered), { x: [1] })[0]?.data[0]).toBe(interpret([y], { x: [1] })[0]?.data[0]);
    expect(order(programRoots(lowered)).length).toBeLessThan(DEPTH);
  });

  it("so is a composite over it", () => {
    const z = call({ name: "square", expand: ([a]) => [(a as Tensor).mul(a as Tensor)] }, [y])[0] as Tensor;
    const [dz, dy] = grad(z, [x, y]) as [Tensor, Tensor];
    const [a, b, c] = interpret([dz, dy, y], { x: [1] }, { precision: "f64" }).map((v) => v.data[0] as number) as [
      number,
      number,
      number,
    ];
    expect(Math.abs(b - 2 * c)).toBeLessThan(1e-12);
    expect(Math.abs(a / (b * 0.9999 ** (DEPTH / 2)) - 1)).toBeLessThan(1e-9);
  });

  it("and a wide one", () => {
    const wide = new Graph();
    const a = wide.input("a", "f32", [2]);
    const parts = Array.from({ length: 5000 }, (_, i) => a.mul(i + 0.5));
    const all = wide.node("concat", parts, { axis: 0 });
    const { roots } = rewrite([all], simplifyRules, "simplify");
    expect(roots[0] === all && readers(order([all])).get(a)?.length).toBe(5000);
  });
});

describe("verify", () => {
  /** The node with one field replaced; the graph does not know of the change. */
  const corrupted = (x: Tensor, fields: object): Tensor =>
    Object.assign(Object.create(Object.getPrototypeOf(x) as object) as Tensor, x, fields);

  it("accepts what the graph made", () => {
    const g = new Graph();
    verify([f(g).matmul(f(g), { transposeB: true }).sum()]);
  });

  it("catches a wrong shape, dtype, order and a second input of one name, and prints where", () => {
    const g = new Graph();
    const y = g.within("layer.0", () => f(g).exp());
    expect(() => verify([corrupted(y, { shape: [3, 2] })], "after pass x")).toThrow(
      /internal: after pass x: exp says f32\[3, 2\] but infers f32\[2, 3\] in\n%0 = input[^]*# layer.0/,
    );
    expect(() => verify([corrupted(y, { dtype: "f16" })])).toThrow("exp says f16[2, 3] but infers f32[2, 3]");
    expect(() => verify([corrupted(y, { args: [f(g, "younger")] })])).toThrow("an arg that is younger than its reader");
    const twin = g.node("input", [], { name: "x", dtype: "f32", shape: [5] });
    expect(() => verify([y, twin])).toThrow('two inputs named "x"');
  });
});

describe("print", () => {
  const build = (): Tensor => {
    const g = new Graph();
    const x = f(g);
    g.const(5, "f32");
    return g
      .within(
        "head",
        () =>
          call({ name: "scale", expand: ([a], { by }) => [(a as Tensor).mul(by as number), a as Tensor] }, [x], {
            by: 2,
          })[0] as Tensor,
      )
      .matmul(f(g, "w", [4, 3]), { transposeB: true })
      .sum(1);
  };

  it("is one line a node, arguments first, the same every time", () => {
    expect(print([build()])).toMatchInlineSnapshot(`
      "%0 = input() {name=x shape=[2, 3] dtype=f32} : f32[2, 3]
      %1 = scale.0(%0) {by=2} : f32[2, 3]  # head
      %2 = input() {name=w shape=[4, 3] dtype=f32} : f32[4, 3]
      %3 = matmul(%1, %2) {transposeB=true dtype=f32} : f32[2, 4]
      %4 = reduceSum(%3) {axes=[1]} : f32[2, 1]
      %5 = reshape(%4) {shape=[2]} : f32[2]
      return %5"
    `);
    expect(print([build()])).toBe(print([build()]));
  });

  it("tells graphs apart that differ by the sign of a zero", () => {
    const g = new Graph();
    expect(print([g.const(-0, "f32")])).not.toBe(print([g.const(0, "f32")]));
  });

  it("cuts at a depth", () => {
    expect(print([build()], { depth: 1 })).toMatchInlineSnapshot(`
      "%0 = reduceSum(…:f32[2, 4]) {axes=[1]} : f32[2, 1]
      %1 = reshape(%0) {shape=[2]} : f32[2]
      return %1"
    `);
  });
});

describe("program", () => {
  const g = new Graph();
  const [a, b, x] = ["a", "b", "x"].map((n) => g.input(n, "f32", [2])) as [Tensor, Tensor, Tensor];

  it("tells feeds from state, and leaves out state that nothing needs", () => {
    const p = program(g, { state: [a, b], outputs: { y: a.add(x) } });
    expect([p.feeds.map((n) => n.attrs.name), p.state.map((n) => n.attrs.name)]).toEqual([["x"], ["a"]]);
    const q = program(g, { state: [b, a], outputs: {}, updates: { b: x, a } });
    expect([q.feeds.map((n) => n.attrs.name), q.state.map((n) => n.attrs.name)]).toEqual([["x"], ["b", "a"]]);
  });

  it("refuses what makes no sense", () => {
    expect(() => program(g, { state: [], outputs: {} })).toThrow("expected at least one output or update, got none");
    expect(() => program(g, { state: [a], outputs: {}, updates: { c: a } })).toThrow(
      'update of "c", which is not declared as state',
    );
    expect(() => program(g, { state: [a], outputs: {}, updates: { a: a.sum() } })).toThrow(
      'update of "a" is f32[], the state f32[2]',
    );
    expect(() => program(g, { state: [a.neg()], outputs: { y: a } })).toThrow("expected an input, got neg f32[2]");
  });
});

it("interpret says what is missing", () => {
  const g = new Graph();
  const x = f(g);
  const table = f(g, "table", [3, 1]);
  const ids = g.input("ids", "i32", [2]);
  expect(() => interpret([x.exp()], {})).toThrow('no value for input "x" f32[2, 3]');
  expect(() => interpret([x], { x: [1] })).toThrow('input "x": expected 6 numbers for f32[2, 3], got 1');
  expect(() => g.within("embeddings", () => interpret([table.gather(ids)], { table: [1, 2, 3], ids: [0, 3] }))).toThrow(
    /gather: expected indices in \[0, 3\), got 3/,
  );
  expect(() =>
    interpret([table.scatterAdd(g.input("rows", "i32", [3]), 2)], { table: [1, 2, 3], rows: [0, -1, 1] }),
  ).toThrow(/scatterAdd: expected indices in \[0, 2\), got -1/);
});

it("dtypes are in the types", () => {
  const g = new Graph();
  const x = f(g);
  const ids = g.input("ids", "i32", [2]);
  expectTypeOf(x.less(0)).toEqualTypeOf<Tensor<"bool">>();
  expectTypeOf(x.argMax(0)).toEqualTypeOf<Tensor<"i32">>();
  expectTypeOf(x.cast("f16")).toEqualTypeOf<Tensor<"f16">>();
  // @ts-expect-error ids are not floats
  expect(() => x.add(ids)).toThrow(
    "add: expected two tensors of one dtype, got f32[2, 3] and i32[2]. Cast one of them.",
  );
  // @ts-expect-error floats are not indices
  expect(() => x.gather(x)).toThrow("gather (indices): expected a i32 tensor, got f32[2, 3]. Cast it first.");
  // @ts-expect-error no such attribute
  expect(() => g.node("permute", [x], { axes: [1, 0] })).toThrow();
  expect(isOp(x, "input") && x.attrs.name).toBe("x");
});
