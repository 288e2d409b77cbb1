// Clipping by percentile and the moving average, against plain loops in f64 written independently of the graph.
import { Graph, interpret, program, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import {
  adamw,
  byParameter,
  clipByPercentile,
  ema,
  globalNorm,
  muon,
  muonRules,
  percentileOf,
  type Optimizer,
} from "../src/index.ts";

type Values = Record<string, ArrayLike<number>>;

/** Moves parameters by the gradient itself, so that the parameters show the effect of the wrapper. */
const plain: Optimizer = {
  name: "plain",
  stateNames: () => [],
  update: ({ parameters, gradients, gradScale }) => ({
    state: [],
    updates: Object.fromEntries(
      [...parameters].flatMap(([name, { tensor }]) => {
        const gradient = gradients.get(name);
        return gradient === undefined ? [] : [[name, tensor.sub(gradient.mul(gradScale))]];
      }),
    ),
  }),
  hostScalars: () => ({}),
};

interface Stepper {
  readonly state: Values;
  readonly names: readonly string[];
  step(gradients: Values): void;
}

/** Parameters a [2] and b [], which start at (1, -2) and 3. `frozen` has no gradient. */
function stepper(optimizer: Optimizer, gradScale = 1, state?: Values): Stepper {
  const shapes = { a: [2], b: [], frozen: [1] } as const;
  const graph = new Graph();
  const trained = ["a", "b"] as const;
  const parameters = new Map(
    Object.entries(shapes).map(([name, shape]) => [name, { tensor: graph.input(name, "f32", [...shape]) }]),
  );
  const gradients = new Map(trained.map((name) => [name, graph.input(`g.${name}`, "f32", [...shapes[name]])]));
  const made = optimizer.update({ graph, parameters, gradients, gradScale: graph.const(gradScale, "f32") });
  const step = program(graph, {
    state: [...[...parameters.values()].map((p) => p.tensor), ...made.state],
    outputs: {},
    updates: made.updates,
  });
  const names = optimizer.stateNames(trained.map((name) => ({ name, shape: shapes[name] })));
  expect([...names].sort()).toEqual(made.state.map((x) => (x.attrs as { readonly name: string }).name).sort());
  const now: Values = state ?? {
    ...Object.fromEntries(step.state.map((x) => [x.attrs.name, new Float64Array(x.shape.reduce((n, d) => n * d, 1))])),
    a: [1, -2],
    b: [3],
    frozen: [7],
  };
  return {
    state: now,
    names,
    step(given) {
      const keys = Object.keys(step.updates);
      const out = interpret(
        keys.map((key) => step.updates[key] as Tensor),
        { ...now, ...Object.fromEntries(Object.entries(given).map(([name, g]) => [`g.${name}`, g])) },
        { precision: "f64" },
      );
      keys.forEach((key, i) => {
        now[key] = out[i]?.data as ArrayLike<number>;
      });
    },
  };
}

const drawn = (t: number): { readonly a: number[]; readonly b: number[] } => ({
  a: [Math.sin(3 * t) * (1 + (t % 5)), Math.cos(7 * t)],
  b: [Math.sin(t * t)],
});
const at = (values: ArrayLike<number> | undefined, i: number): number => values?.[i] as number;

describe("percentileOf", () => {
  const percentile = (values: readonly number[], count: number, p: number): number => {
    const graph = new Graph();
    const x = graph.input("x", "f32", [values.length]);
    return interpret([percentileOf(x, graph.const(count, "f32"), p)], { x: values }, { precision: "f64" })[0]
      ?.data[0] as number;
  };

  it("is between two values, linearly, of the first so many", () => {
    // The values of numpy.percentile.
    expect(percentile([4, 1, 3, 2], 4, 10)).toBeCloseTo(1.3, 12);
    expect(percentile([4, 1, 3, 2], 4, 50)).toBe(2.5);
    expect(percentile([4, 1, 3, 2], 3, 50)).toBe(3);
    expect(percentile([5, 0, 0], 1, 90)).toBe(5);
    expect(percentile([2, 1], 2, 0)).toBe(1);
    expect(percentile([2, 1], 2, 100)).toBe(2);
  });

  it("counts equal values as many", () => {
    expect(percentile([1, 2, 2, 2, 9], 5, 50)).toBe(2);
    expect(percentile([2, 2, 2], 3, 33)).toBe(2);
    expect(percentile([0, 0, 1, 0], 4, 100)).toBe(1);
  });
});

describe("clipByPercentile", () => {
  const norm = ({ a, b }: ReturnType<typeof drawn>, scale: number): number => Math.hypot(...a, ...b) * scale;
  const reference = (
    p: number,
    history: number,
    steps: number,
    scale: number,
  ): { readonly a: number[]; readonly b: number[] } => {
    const seen: number[] = [];
    const a = [1, -2];
    const b = [3];
    for (let t = 0; t < steps; t++) {
      const g = drawn(t);
      const length = norm(g, scale);
      seen.push(length);
      const sorted = seen.slice(-history).sort((x, y) => x - y);
      const position = (p / 100) * (sorted.length - 1);
      const low = Math.floor(position);
      const limit =
        at(sorted, low) + (position - low) * (at(sorted, Math.min(low + 1, sorted.length - 1)) - at(sorted, low));
      const factor = Math.min(1, limit / (length + 1e-6)) * scale;
      g.a.forEach((x, i) => {
        a[i] = at(a, i) - x * factor;
      });
      b[0] = at(b, 0) - at(g.b, 0) * factor;
    }
    return { a, b };
  };

  it.each([
    [10, 40, 1],
    [10, 6, 0.25],
    [90, 6, 1],
    [50, 1, 1],
    [0, 4, 1],
    [100, 5, 1],
  ] as const)("is the percentile %d of the last %d norms", (percentile, history, scale) => {
    const { state, step } = stepper(clipByPercentile(plain, { percentile, history }), scale);
    for (let t = 0; t < 25; t++) step(drawn(t));
    const want = reference(percentile, history, 25, scale);
    [0, 1].forEach((i) => expect(at(state["a"], i)).toBeCloseTo(at(want.a, i), 6));
    expect(at(state["b"], 0)).toBeCloseTo(at(want.b, 0), 6);
    expect(at(state["clip.count"], 0)).toBe(Math.min(25, history));
  });

  it("does not remember a batch without a gradient", () => {
    const { state, step } = stepper(clipByPercentile(plain, { history: 4 }));
    step(drawn(0));
    step({ a: [0, 0], b: [0] });
    expect(at(state["clip.count"], 0)).toBe(1);
    expect(at(state["clip.norms"], 0)).toBeCloseTo(norm(drawn(0), 1), 6);
    expect(Array.from(state["a"] ?? []).every(Number.isFinite)).toBe(true);
  });

  it("shares the norm with whoever logs it", () => {
    const graph = new Graph();
    const tensor = graph.input("w", "f32", [2]);
    const gradients = new Map([["w", graph.input("g", "f32", [2])]]);
    expect(globalNorm(gradients)).toBe(globalNorm(gradients));
    expect(
      clipByPercentile(adamw()).update({
        graph,
        parameters: new Map([["w", { tensor }]]),
        gradients,
        gradScale: graph.const(1, "f32"),
      }).state,
    ).toHaveLength(4);
  });

  it("refuses what has no meaning", () => {
    expect(() => clipByPercentile(plain, { percentile: 101 })).toThrow(/percentile from 0 to 100, got 101/);
    expect(() => clipByPercentile(plain, { history: 0 })).toThrow(/history of 1 to 4096 norms, got 0/);
    expect(() => clipByPercentile(plain, { history: 5000 })).toThrow(/got 5000/);
  });
});

describe("ema", () => {
  const reference = (decay: number, steps: number): { readonly p: number[]; readonly e: number[] } => {
    let p = [1, -2, 3];
    let e = [...p];
    for (let t = 1; t <= steps; t++) {
      const { a, b } = drawn(t - 1);
      const d = Math.min(decay, (1 + t) / (10 + t));
      p = p.map((x, i) => x - at([...a, ...b], i));
      e = e.map((x, i) => d * x + (1 - d) * at(p, i));
    }
    return { p, e };
  };

  it.each([0, 0.5, 0.999])("keeps %d of itself once it is warm, and begins at the first parameters", (decay) => {
    const { state, step } = stepper(ema(plain, { decay }));
    for (let t = 0; t < 30; t++) {
      step(drawn(t));
      const { p, e } = reference(decay, t + 1);
      [0, 1].forEach((i) =>
        expect([at(state["a"], i), at(state["ema.a"], i)].map((x) => x.toFixed(6))).toEqual(
          [at(p, i), at(e, i)].map((x) => x.toFixed(6)),
        ),
      );
      expect(at(state["ema.b"], 0)).toBeCloseTo(at(e, 2), 6);
    }
    expect(state["frozen"]).toEqual([7]);
    expect("ema.frozen" in state).toBe(false);
  });

  it("goes around others, and says where an average is", () => {
    const optimizer = ema(clipByPercentile(byParameter(muonRules({ matrices: muon(), rest: adamw() }))), {
      decay: 0.99,
    });
    expect(optimizer.name).toBe("muon+adamw, clipped at percentile 10 of 1000, ema 0.99");
    expect(optimizer.stateNames([{ name: "layers.0.w", shape: [2, 2] }])).toEqual([
      "muon.m.layers.0.w",
      "clip.norms",
      "clip.count",
      "ema.layers.0.w",
      "ema.count",
    ]);
    expect(optimizer.averageOf?.("w")).toBe("ema.w");
    expect(Object.keys(optimizer.hostScalars(1, 0.1))).toContain("muon.momentum");
    expect(adamw().averageOf).toBeUndefined();
  });

  it("refuses what has no meaning", () => {
    expect(() => ema(plain, { decay: 1 })).toThrow(/decay in \[0, 1\), got 1/);
  });
});
