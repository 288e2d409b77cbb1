// Rematerialisation: equal values to the bit, fewer values alive, and programs without a possible gain stay as they
// are.
import { describe, expect, it } from "vitest";
import {
  attention,
  barrierComposite,
  dropout,
  gelu,
  grad,
  Graph,
  interpret,
  isOp,
  layerNorm,
  lower,
  order,
  orderByDemand,
  peakLiveBytes,
  program,
  programRoots,
  rematerialise,
  verify,
  type Node,
  type Program,
  type Tensor,
} from "../src/index.ts";
import { noise } from "./finite-differences.ts";

type T = Tensor<"f32">;

interface Net {
  readonly layers: number;
  /**
   * True: residual sums and the split into heads are made in the layer's scope. False: they are made outside of any
   * scope.
   */
  readonly scoped?: boolean;
  readonly path?: (layer: number) => string;
  readonly rows?: number;
}

/** A pre-norm encoder with attention and dropout, its gradients, and an update from them. */
function net({ layers, scoped = true, path = (layer) => `net.layer.${layer}`, rows = 6 }: Net): Program {
  const g = new Graph();
  const hidden = 8;
  const heads = 2;
  const key = g.input("key", "u32", [2]);
  const params: T[] = [];
  const param = (name: string, shape: readonly number[]): T => {
    const made = g.input(name, "f32", shape);
    params.push(made);
    return made;
  };
  const outside = <V>(build: () => V): V => (scoped ? build() : g.within("", build));
  let x: T = g.within("net.embeddings", () => g.input("x", "f32", [rows, hidden]).mul(param("gain", [hidden])));
  for (let i = 0; i < layers; i++) {
    x = g.within(path(i), () => {
      const norm = (name: string, v: T): T =>
        layerNorm(v, param(`${i}.${name}.weight`, [hidden]), param(`${i}.${name}.bias`, [hidden]));
      const linear = (name: string, v: T, out: number): T =>
        v.matmul(param(`${i}.${name}`, [v.shape.at(-1) as number, out]));
      const split = (v: T): T => outside(() => v.reshape([1, rows, heads, hidden / heads]).permute([0, 2, 1, 3]));
      const h = norm("norm", x);
      const mixed = attention(
        split(linear("q", h, hidden)),
        split(linear("k", h, hidden)),
        split(linear("v", h, hidden)),
        { dropout: { rate: 0.2, stream: 2 * i, key } },
      );
      const joined = outside(() => mixed.permute([0, 2, 1, 3]).reshape([rows, hidden]));
      const a = dropout(linear("o", joined, hidden), { rate: 0.2, stream: 2 * i + 1, key });
      const y = outside(() => x.add(a));
      const fed = linear("down", gelu(linear("up", norm("second", y), 4 * hidden)), hidden);
      return outside(() => y.add(fed));
    });
  }
  const last = x;
  const loss = g.within("net.head", () =>
    last
      .matmul(param("head", [hidden, 3]))
      .tanh()
      .square()
      .sum(),
  );
  const updates = Object.fromEntries(
    grad(loss, params).map((d, i) => [
      ((params[i] as T).attrs as { readonly name: string }).name,
      (params[i] as T).sub((d as T).mul(0.1)),
    ]),
  );
  return program(g, { state: params, outputs: { loss }, updates });
}

const barriers = (p: Program): Node<"composite">[] =>
  order(programRoots(p)).filter(
    (n): n is Node<"composite"> => isOp(n, "composite") && n.attrs.composite === barrierComposite,
  );
const NATIVE = new Set(["barrier"]);

function values(p: Program): number[][] {
  const env = Object.fromEntries(
    [...p.state, ...p.feeds].map((x) => [
      x.attrs.name,
      x.attrs.name === "key"
        ? [3, 9]
        : Array.from({ length: x.shape.reduce((n, d) => n * d, 1) }, (_, i) => noise(i + x.id) / 2),
    ]),
  );
  return interpret(programRoots(p), env).map((v) => Array.from(v.data));
}

/**
 * Forward values, without inputs, with a reader after the first gradient has reached a layer: the values that the
 * forward pass keeps.
 */
function keptFor(p: Program): Tensor[] {
  const nodes = order(programRoots(p));
  const first = Math.min(...barriers(p).map((b) => (b.args[1] as Tensor).id));
  const kept = new Set<Tensor>();
  for (const n of nodes)
    if (n.id > first)
      for (const a of n.args) if (a.id < first && !isOp(a, "input") && !isOp(a, "const") && a.rank > 0) kept.add(a);
  return [...kept];
}

describe("rematerialise", () => {
  it.each([[{ layers: 1 }], [{ layers: 3 }], [{ layers: 3, scoped: false }]] as const)(
    "%o: loss and updates are equal to the bit",
    (size) => {
      const p = net(size);
      const r = rematerialise(p);
      verify(programRoots(r));
      expect(barriers(r).length).toBeGreaterThan(0);
      expect(values(r)).toEqual(values(p));
      expect(r.feeds).toEqual(p.feeds);
      expect(r.state).toEqual(p.state);
      expect([Object.keys(r.outputs), Object.keys(r.updates)]).toEqual([
        Object.keys(p.outputs),
        Object.keys(p.updates),
      ]);
    },
  );

  it("expanded, it is the program it was made of", () => {
    const p = net({ layers: 3 });
    const [before, after] = [programRoots(lower(p)), programRoots(lower(rematerialise(p)))];
    expect(after.every((x, i) => x === before[i])).toBe(true);
  });

  it.each([true, false])("scoped %s: keeps one value a layer, that which the next one reads", (scoped) => {
    const kept = keptFor(rematerialise(net({ layers: 5, scoped })));
    // Also kept, besides the boundaries: the values that the head's own backward pass reads.
    const boundaries = kept.filter((x) => !x.path.startsWith("net.head"));
    expect(boundaries.map((x) => x.op).sort()).toEqual(["add", "add", "add", "add", "add", "mul"]);
    expect(boundaries.every((x) => x.shape.join() === "6,8")).toBe(true);
  });

  it("each layer waits for the gradient that flows into it: later layers first", () => {
    const r = rematerialise(net({ layers: 4 }));
    const layerOf = (x: Tensor): number => Number(/layer\.(\d)/.exec(x.path)?.[1]);
    const gates = new Map<number, Tensor>();
    for (const n of order(programRoots(r))) {
      for (const a of n.args)
        if (barriers(r).includes(a as Node<"composite">) && !n.path.endsWith("'"))
          gates.set(layerOf(n), a.args[1] as Tensor);
    }
    expect([...gates.keys()].sort()).toEqual([0, 1, 2, 3]);
    const ids = [3, 2, 1, 0].map((layer) => (gates.get(layer) as Tensor).id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    // The gradient that a layer's copies wait for comes from the layer after it.
    for (const layer of [0, 1, 2])
      expect((gates.get(layer) as Tensor).path).toMatch(new RegExp(`layer\\.${layer + 1}'$`));
  });

  it.each([
    ["f32", 6, 2, 2.5],
    ["f16", 6, 2, 2.5],
    ["f32", 12, 2.5, 4],
    ["f16", 12, 2.5, 4],
  ] as const)(
    "%s, %i layers: less than 1/%d is alive at once by ids, 1/%d by demand",
    (compute, layers, byIds, byDemand) => {
      const p = net({ layers, rows: 96 });
      const r = rematerialise(p);
      const [whole, less, unknown] = [
        lower(p, { compute }),
        lower(r, { compute, native: NATIVE }),
        lower(r, { compute }),
      ];
      const demanded = (x: Program): number => peakLiveBytes(x, orderByDemand(programRoots(x)));
      expect(peakLiveBytes(whole) / peakLiveBytes(less)).toBeGreaterThan(byIds);
      expect(demanded(whole) / demanded(less)).toBeGreaterThan(byDemand);
      // A backend that does not know the barrier gains nothing and loses nothing.
      expect(peakLiveBytes(unknown)).toBe(peakLiveBytes(whole));
    },
  );

  it.each(["f16", "bf16"] as const)("lowered to %s, values are equal to the bit", (compute) => {
    const p = net({ layers: 3 });
    const lowered = lower(rematerialise(p), { compute, native: NATIVE, check: true });
    expect(barriers(lowered).length).toBeGreaterThan(0);
    expect(values(lowered)).toEqual(values(lower(p, { compute })));
  });

  it("twice is once", () => {
    const r = rematerialise(net({ layers: 3, scoped: false }));
    expect(rematerialise(r)).toBe(r);
  });

  it("layers are what the pattern says", () => {
    const named = (layer: number): string => `net.${["a", "b", "c"][layer] as string}.block`;
    const p = net({ layers: 3, path: named });
    expect(rematerialise(p)).toBe(p);
    const r = rematerialise(p, { layer: /^net\.[abc]/ });
    expect(values(r)).toEqual(values(p));
    expect(new Set(barriers(r).map((b) => (b.args[1] as Tensor).id)).size).toBe(3);
  });

  it("leaves alone what has no gradient, and what has no layers", () => {
    const g = new Graph();
    const x = g.input("x", "f32", [2, 2]);
    const forward = program(g, { state: [], outputs: { y: g.within("layer.0", () => x.exp().sum()) } });
    expect(rematerialise(forward)).toBe(forward);
    const [d] = grad(x.exp().square().sum(), [x]) as [Tensor];
    const flat = program(g, { state: [], outputs: { d } });
    expect(rematerialise(flat)).toBe(flat);
  });
});

describe("peakLiveBytes", () => {
  it("adds up what is alive, frees it after its last reader, and counts a barrier as a name", () => {
    const g = new Graph();
    const x = g.input("x", "f32", [10]);
    const a = x.exp();
    const b = a.neg();
    const y = b.sum();
    const p = program(g, { state: [], outputs: { y } });
    // First x and a are alive, then a and b, then b and its sum [1], which is reshaped to [].
    expect(peakLiveBytes(p)).toBe(80);
    const c = g.call(barrierComposite, [a, b], {})[0] as T;
    const named = program(g, { state: [], outputs: { y: c.add(b).sum() } });
    // a, b and a + b: the barrier adds no bytes.
    expect(peakLiveBytes(named)).toBe(120);
  });
});

describe("orderByDemand", () => {
  it("makes a value just before what first needs it", () => {
    const g = new Graph();
    const s = g.input("s", "f32", []);
    const early = s.broadcast([12]);
    const first = s.exp().broadcast([10]).neg().sum();
    const second = early.mul(first).sum();
    const p = program(g, { state: [], outputs: { second, first } });
    const shown = orderByDemand(programRoots(p));
    expect(new Set(shown)).toEqual(new Set(order([second])));
    shown.forEach((n, i) => n.args.forEach((a) => expect(shown.indexOf(a)).toBeLessThan(i)));
    // In the order of ids, `early` is alive during the whole computation of the first root.
    expect(order([second]).indexOf(early)).toBeLessThan(order([second]).indexOf(first));
    expect(shown.indexOf(early)).toBeGreaterThan(shown.indexOf(first));
    expect(peakLiveBytes(p, shown)).toBeLessThan(peakLiveBytes(p));
  });
});
