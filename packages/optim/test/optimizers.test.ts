// Muon, StableAdamW and LAMB against their published updates in plain f64 loops, written independently of the graph;
// and `byParameter` with `muonRules`.
import { Graph, interpret, program, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import {
  adamw,
  byParameter,
  lamb,
  muon,
  muonRules,
  stableAdamw,
  type Optimizer,
  type ParameterFacts,
} from "../src/index.ts";

type Matrix = number[][];
const zip = (a: Matrix, b: Matrix, f: (x: number, y: number) => number): Matrix =>
  a.map((row, i) => row.map((x, j) => f(x, b[i]?.[j] as number)));
const map = (a: Matrix, f: (x: number) => number): Matrix => a.map((row) => row.map(f));
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => (b[0] as number[]).map((_, j) => row.reduce((sum, x, k) => sum + x * (b[k]?.[j] as number), 0)));
const transposed = (a: Matrix): Matrix => (a[0] as number[]).map((_, j) => a.map((row) => row[j] as number));
const norm = (a: Matrix): number => Math.sqrt(a.flat().reduce((sum, x) => sum + x * x, 0));

const MUON = [3.4445, -4.775, 2.0315] as const;
const POLAR = [
  [8.156554524902461, -22.48329292557795, 15.878769915207462],
  [4.042929935166739, -2.808917465908714, 0.5000178451051316],
  [3.8916678022926607, -2.772484153217685, 0.5060648178503393],
  [3.285753657755655, -2.3681294933425376, 0.46449024233003106],
  [2.3465413258596377, -1.7097828382687081, 0.42323551169305323],
] as const;

function orthogonal(g: Matrix, coefficients: readonly (readonly [number, number, number])[], bound: number): Matrix {
  const tall = g.length > (g[0] as number[]).length;
  const length = norm(g) * bound + 1e-7;
  let x = map(tall ? transposed(g) : g, (v) => v / length);
  for (const [a, b, c] of coefficients) {
    const gram = times(x, transposed(x));
    const poly = zip(
      map(gram, (v) => b * v),
      map(times(gram, gram), (v) => c * v),
      (p, q) => p + q,
    );
    x = zip(
      map(x, (v) => a * v),
      times(poly, x),
      (p, q) => p + q,
    );
  }
  return tall ? transposed(x) : x;
}

type Name = "wide" | "tall" | "fused";
const SHAPES: Readonly<Record<Name, readonly [number, number]>> = { wide: [3, 5], tall: [6, 2], fused: [6, 3] };
const names = Object.keys(SHAPES) as Name[];
/** Numbers in (-1, 1) that look random. */
const drawn = (what: "p" | "g", name: Name, t: number): Matrix => {
  const [rows, columns] = SHAPES[name];
  const seed = (what === "p" ? 0.3 : 1.7) + 12.9 * names.indexOf(name) + 78.2 * t;
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (__, j) => Math.sin(seed + 43.7 * i + 7.31 * j * (i + 1))),
  );
};

/** Runs an optimizer on the numbers of `drawn` as gradients, in f64. Returns the parameters after each update. */
function run(optimizer: Optimizer, updates: number, gradScale = 0.5): Record<Name, Matrix>[] {
  const graph = new Graph();
  const parameters = new Map(names.map((name) => [name, { tensor: graph.input(name, "f32", [...SHAPES[name]]) }]));
  const gradients = new Map(names.map((name) => [name, graph.input(`g.${name}`, "f32", [...SHAPES[name]])]));
  const made = optimizer.update({ graph, parameters, gradients, gradScale: graph.const(gradScale, "f32") });
  const step = program(graph, {
    state: [...[...parameters.values()].map((p) => p.tensor), ...made.state],
    outputs: {},
    updates: made.updates,
  });
  expect([...optimizer.stateNames(names.map((name) => ({ name, shape: SHAPES[name] })))].sort()).toEqual(
    made.state.map((x) => (x.attrs as { readonly name: string }).name).sort(),
  );
  const state: Record<string, ArrayLike<number>> = Object.fromEntries(
    step.state.map((x) => [x.attrs.name, new Float64Array(x.shape.reduce((n, d) => n * d, 1))]),
  );
  for (const name of names) state[name] = drawn("p", name, 0).flat();
  return Array.from({ length: updates }, (_, i) => {
    const scalars = Object.fromEntries(
      Object.entries(optimizer.hostScalars(i + 1, 0.1 / (i + 1))).map(([name, { data }]) => [
        name,
        Float64Array.from(data),
      ]),
    );
    const given = Object.fromEntries(names.map((name) => [`g.${name}`, drawn("g", name, i).flat()]));
    const keys = Object.keys(step.updates);
    const out = interpret(
      keys.map((key) => step.updates[key] as Tensor),
      { ...state, ...given, ...scalars },
      { precision: "f64" },
    );
    keys.forEach((key, k) => {
      state[key] = out[k]?.data as ArrayLike<number>;
    });
    return Object.fromEntries(
      names.map((name) => [
        name,
        Array.from({ length: SHAPES[name][0] }, (__, r) =>
          Array.from(state[name] as ArrayLike<number>).slice(r * SHAPES[name][1], (r + 1) * SHAPES[name][1]),
        ),
      ]),
    ) as Record<Name, Matrix>;
  });
}

const rate = (t: number): number => Math.fround(0.1 / t);

function same(
  got: readonly Record<Name, Matrix>[],
  want: (p: Matrix, g: Matrix, t: number, memory: Map<string, Matrix>, name: Name) => Matrix,
): void {
  for (const name of names) {
    const memory = new Map<string, Matrix>();
    let p = drawn("p", name, 0);
    got.forEach((after, i) => {
      p = want(
        p,
        map(drawn("g", name, i), (x) => x / 2),
        i + 1,
        memory,
        name,
      );
      const off = Math.max(...zip(after[name], p, (x, y) => Math.abs(x - y)).flat());
      expect(off, `${name}, update ${i + 1}`).toBeLessThan(2e-7);
    });
  }
}

const remember = (memory: Map<string, Matrix>, key: string, value: Matrix): Matrix => (memory.set(key, value), value);
const moved = (memory: Map<string, Matrix>, key: string, beta: number, x: Matrix): Matrix =>
  remember(
    memory,
    key,
    zip(memory.get(key) ?? map(x, () => 0), x, (m, v) => beta * m + (1 - beta) * v),
  );

describe("muon", () => {
  const momentum = (t: number): number => Math.fround(0.85 + 0.1 * Math.min(1, (t - 1) / 4));
  const options = { momentum: { 0: 0.85, 4: 0.95 } };
  const nesterov = (g: Matrix, t: number, memory: Map<string, Matrix>): Matrix => {
    const mu = momentum(t);
    const m = moved(memory, "m", mu, g);
    return zip(m, g, (x, y) => mu * x + (1 - mu) * y);
  };
  const scale = (x: Matrix): number => Math.sqrt(Math.max(1, x.length / (x[0] as number[]).length));

  it("is the published update: momentum that rises, Nesterov, five steps, scale by shape", () => {
    same(run(muon(options), 8), (p, g, t, memory) => {
      const o = orthogonal(
        nesterov(g, t, memory),
        Array.from({ length: 5 }, () => MUON),
        1,
      );
      return zip(p, o, (x, y) => x - rate(t) * scale(p) * y);
    });
  });

  it("orthogonalises: singular values come to about 1, closer with Polar Express", () => {
    for (const [coefficients, bound, least, most] of [
      [Array.from({ length: 5 }, () => MUON), 1, 0.6, 1.3],
      [POLAR, 1.02, 0.85, 1.15],
    ] as const) {
      const o = orthogonal(drawn("g", "wide", 3), coefficients, bound);
      const gram = times(o, transposed(o));
      for (let i = 0; i < 3; i++) expect(gram[i]?.[i]).toBeGreaterThan(least ** 2 - 0.1);
      expect(norm(o) ** 2 / 3).toBeLessThan(most ** 2);
    }
  });

  it("with Polar Express, NorMuon, cautious decay and split parameters", () => {
    const decay = 0.2;
    const beta = 0.95;
    same(
      run(
        muon({
          ...options,
          orthogonalise: "polar-express",
          rowBeta: beta,
          weightDecay: decay,
          cautious: true,
          split: [{ name: "^fused$", parts: 3 }],
        }),
        8,
      ),
      (p, g, t, memory, name) => {
        const u = nesterov(g, t, memory);
        const parts = name === "fused" ? 3 : 1;
        const rows = u.length / parts;
        const o = Array.from({ length: parts }, (_, i) =>
          orthogonal(u.slice(i * rows, (i + 1) * rows), POLAR, 1.02),
        ).flat();
        const squares = moved(
          memory,
          "v",
          beta,
          o.map((row) => [row.reduce((sum, x) => sum + x * x, 0) / row.length]),
        );
        const even = o.map((row, i) => row.map((x) => x / (Math.sqrt(squares[i]?.[0] as number) + 1e-10)));
        const back = norm(o) / (norm(even) + 1e-10);
        const shape = Math.sqrt(Math.max(1, rows / (p[0] as number[]).length));
        return zip(p, even, (x, y) => x - (x * y >= 0 ? rate(t) * decay * x : 0) - rate(t) * shape * back * y);
      },
    );
  });

  it("refuses what is no matrix, and parts that do not fit", () => {
    const graph = new Graph();
    const bias = graph.input("bias", "f32", [4]);
    const gradScale = graph.const(1, "f32");
    expect(() =>
      muon().update({
        graph,
        parameters: new Map([["bias", { tensor: bias }]]),
        gradients: new Map([["bias", bias]]),
        gradScale,
      }),
    ).toThrow('muon: expected a matrix, got "bias" [4]. Give it to another optimizer with byParameter.');
    const w = graph.input("w", "f32", [4, 4]);
    expect(() =>
      muon({ split: [{ name: "w", parts: 3 }] }).update({
        graph,
        parameters: new Map([["w", { tensor: w }]]),
        gradients: new Map([["w", w]]),
        gradScale,
      }),
    ).toThrow("of 3 equal parts");
    expect(() => muon({ momentum: 1 })).toThrow("muon: momentum: expected a number in [0, 1), got 1");
  });
});

it("stableAdamw is the published update", () => {
  const [b1, b2, eps, decay] = [0.9, 0.98, 1e-6, 0.1];
  same(run(stableAdamw({ weightDecay: decay }), 8), (p, g, t, memory) => {
    const unbiased = (b: number): number => Math.fround((b * (1 - b ** (t - 1))) / (1 - b ** t));
    const square = map(g, (x) => x * x);
    const m = moved(memory, "m", unbiased(b1), g);
    const v = moved(memory, "v", unbiased(b2), square);
    const ratio = zip(square, v, (x, y) => x / Math.max(y, eps ** 2)).flat();
    const held = rate(t) / Math.max(1, Math.sqrt(ratio.reduce((sum, x) => sum + x, 0) / ratio.length));
    return zip(
      map(p, (x) => x * (1 - held * decay)),
      zip(m, v, (x, y) => x / (Math.sqrt(y) + eps)),
      (x, y) => x - held * y,
    );
  });
});

it("lamb is the published update", () => {
  const [b1, b2, eps, decay] = [0.9, 0.999, 1e-6, 0.1];
  same(run(lamb({ weightDecay: decay }), 8), (p, g, t, memory) => {
    const m = moved(memory, "m", b1, g);
    const v = moved(
      memory,
      "v",
      b2,
      map(g, (x) => x * x),
    );
    const adam = zip(m, v, (x, y) => x / (1 - b1 ** t) / (Math.sqrt(y / (1 - b2 ** t)) + eps));
    const r = zip(adam, p, (x, y) => x + decay * y);
    return zip(p, r, (x, y) => x - rate(t) * (norm(p) / norm(r)) * y);
  });
});

describe("decay over the run", () => {
  const makers = { adamw, stableAdamw, lamb, muon } as const;
  const all = Object.entries(makers);

  it.each(all)("%s decays by the value of each update as by a constant", (_, make) => {
    const constant = run(make({ weightDecay: 0.25 }), 5);
    const rising = run(make({ weightDecay: "2:0.25,4:0.5" }), 5);
    for (let i = 0; i < 5; i++) {
      for (const name of names) {
        const off = Math.max(
          ...zip(rising[i]?.[name] as Matrix, constant[i]?.[name] as Matrix, (x, y) => Math.abs(x - y)).flat(),
        );
        if (i < 3) expect(off, `${name}, update ${i + 1}`).toBeLessThan(1e-12);
        else expect(off, `${name}, update ${i + 1}`).toBeGreaterThan(1e-5);
      }
    }
  });

  it("is told of the run's progress by what asks for it: shares of it, through byParameter too", () => {
    const optimizer = byParameter([
      { name: "wide", optimizer: muon({ momentum: "0:0.5,1:0.9", weightDecay: "0:0,1:0.5" }) },
      { optimizer: adamw({ weightDecay: { 0: 0.5, 1: 0.25 } }) },
    ]);
    const at = (share: number): readonly (number | undefined)[] => {
      const scalars = optimizer.hostScalars(9, 0.1, { step: 8, share });
      return ["muon.momentum", "muon.decay", "adamw.decay"].map((name) => scalars[name]?.data[0]);
    };
    expect([at(0), at(0.5), at(1)]).toEqual([
      [0.5, 0, 0.5],
      [Math.fround(0.7), 0.25, 0.375],
      [Math.fround(0.9), 0.5, 0.25],
    ]);
    expect(() => optimizer.hostScalars(9, 0.1)).toThrow(
      "muon: momentum: expected progress that says what share of the run is done",
    );
    expect(() => adamw({ weightDecay: "0:0.1,1:-1" })).toThrow(
      "adamw: weightDecay: expected a number of 0 or more, got -1 at 1",
    );
    expect(() => muon({ weightDecay: 0.1, groups: [{ weightDecay: 0 }] })).toThrow(
      "expected weightDecay or groups, got both",
    );
  });
});

describe("byParameter", () => {
  const rules = muonRules({ matrices: muon(), rest: adamw({ weightDecay: 0 }), lrScale: 0.1 });
  const parameters: readonly ParameterFacts[] = [
    { name: "esm.embeddings.word_embeddings.weight", shape: [33, 8], kind: "table", depth: 0 },
    { name: "esm.encoder.layer.0.output.dense.weight", shape: [8, 8], kind: "matrix", depth: 1 },
    { name: "esm.encoder.layer.0.output.dense.bias", shape: [8], kind: "vector", depth: 1 },
    { name: "lm_head.dense.weight", shape: [8, 8], kind: "head" },
  ];

  it("gives matrices of hidden layers to Muon and the rest to AdamW, each with its own state and rate", () => {
    const optimizer = byParameter(rules);
    expect(optimizer.name).toBe("muon+adamw");
    expect(optimizer.stateNames(parameters)).toEqual([
      "muon.m.esm.encoder.layer.0.output.dense.weight",
      ...[0, 2, 3].flatMap((i) => [`adamw.m.${parameters[i]?.name}`, `adamw.v.${parameters[i]?.name}`]),
    ]);
    const scalars = optimizer.hostScalars(1, 0.05);
    expect([scalars["muon.lr"]?.data[0], scalars["optim.lr"]?.data[0]]).toEqual([
      Math.fround(0.05),
      Math.fround(0.005),
    ]);
  });

  it("changes each parameter as its optimizer alone would", () => {
    const both = run(byParameter([{ name: "wide", optimizer: muon() }, { optimizer: adamw() }]), 3);
    const alone = [run(muon(), 3), run(adamw(), 3)] as const;
    for (let i = 0; i < 3; i++) {
      expect(both[i]?.wide).toEqual(alone[0][i]?.wide);
      expect(both[i]?.tall).toEqual(alone[1][i]?.tall);
    }
  });

  it("refuses two of one kind, and a parameter without a rule", () => {
    expect(() => byParameter([{ name: "a", optimizer: adamw() }, { optimizer: adamw() }])).toThrow("got adamw twice");
    expect(() => byParameter([{ name: "a", optimizer: adamw() }]).stateNames(parameters)).toThrow(
      'got none for "esm.embeddings.word_embeddings.weight" [33, 8]',
    );
  });
});
