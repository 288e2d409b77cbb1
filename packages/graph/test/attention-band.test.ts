// Attention in a band: the layout itself, and its results and gradients against all pairs.
import { describe, expect, it } from "vitest";
import {
  attention,
  expandRules,
  grad,
  Graph,
  interpret,
  order,
  rewrite,
  sizeOf,
  type AttentionOptions,
  type Node,
  type Tensor,
} from "../src/index.ts";
import { banded, bandOf } from "../src/composites/attention-form.ts";
import type { AttentionParams, Parts } from "../src/composites/attention-parts.ts";
import { checkGradient, noise, type Env } from "./finite-differences.ts";

type T = Tensor<"f32">;
const EXACT = { precision: "f64" } as const;
const numbers = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => noise(i + from));
const params = (window: number | null, causal = false): AttentionParams => ({
  scale: 1,
  causal,
  window,
  softcap: null,
  dropoutRate: 0,
  dropoutStream: 0,
  extras: [],
});
const partsOf = (g: Graph, seq: number, segmented = false): Parts => {
  const x = (name: string): T => g.input(name, "f32", [2, 2, seq, 3]);
  return {
    q: x("q"),
    k: x("k"),
    v: x("v"),
    extra: segmented ? { segments: g.input("segments", "i32", [2, seq]) } : {},
  };
};

/** Lengths that are and are not multiples of the block; windows below, at and above the block, and beyond the ends. */
const layouts = [1, 5, 12, 17].flatMap((seq) =>
  [0, 1, 3, 4, 9].flatMap((window) =>
    [1, 4, 5].flatMap((block) => [false, true].map((causal) => ({ seq, window, block, causal }))),
  ),
);

describe("the band", () => {
  it.each(layouts)(
    "of $seq by blocks of $block, window $window, causal $causal: each pair once, its key in place, and back",
    ({ seq, window, block, causal }) => {
      const g = new Graph();
      const parts = partsOf(g, seq);
      const p = params(window, causal);
      const band = banded(parts, p, window, block);
      const width = block + (causal ? 1 : 2) * window;
      const shape = [2, 2, Math.ceil(seq / block), block, width];
      const pairs = g.input("pairs", "f32", [2, 2, seq, seq]);
      const one = g.input("x", "f32", [2, 2, seq, 1]);
      const [at, q, k, seen] = interpret(
        [
          band.pairs(pairs),
          band.rows(one).broadcast(shape),
          band
            .columns(one)
            .reshape([2, 2, shape[2] as number, 1, width])
            .broadcast(shape),
          (band.seen as Tensor).broadcast(shape),
        ],
        {
          pairs: Array.from({ length: 4 * seq * seq }, (_, i) => i + 1),
          x: Array.from({ length: 4 * seq }, (_, i) => i),
        },
      ).map((v) => Array.from(v.data)) as [number[], number[], number[], number[]];
      const found: number[] = [];
      at.forEach((pair, n) => {
        if (seen[n] === 0 || pair === 0) return; // No mask holds for a row past the end, which is cut off.
        // The rows identify a query and a key of the same batch and head. The number of a pair gives the same two rows.
        const query = Math.floor((pair - 1) / seq);
        const key = Math.floor(query / seq) * seq + ((pair - 1) % seq);
        expect([q[n], k[n]]).toEqual([query, key]);
        found.push(pair);
      });
      const want = Array.from({ length: 4 * seq * seq }, (_, i) => i)
        .filter((i) => {
          const ahead = (i % seq) - (Math.floor(i / seq) % seq);
          return Math.abs(ahead) <= window && (!causal || ahead <= 0);
        })
        .map((i) => i + 1);
      expect(found.sort((a, b) => a - b)).toEqual(want);

      // fromRows inverts rows. fromColumns is the adjoint of columns: <columns(x), y> = <x, fromColumns(y)>.
      const x = parts.k;
      const y = g.input("y", "f32", band.columns(x).shape);
      const env: Env = { k: numbers(sizeOf(x.shape)), y: numbers(sizeOf(y.shape), 50) };
      const [back, left, right] = interpret(
        [band.fromRows(band.rows(x)), band.columns(x).mul(y).sum(), x.mul(band.fromColumns(y)).sum()],
        env,
        EXACT,
      ).map((v) => Array.from(v.data)) as [number[], number[], number[]];
      expect(back).toEqual(env["k"]);
      expect(left[0]).toBeCloseTo(right[0] as number, 9);
    },
  );
});

describe("which form", () => {
  const g = new Graph();
  const q = g.input("q", "f32", [1, 1, 1024, 8]);
  const short = g.input("short", "f32", [1, 1, 512, 8]);
  const padding = g.input("p", "bool", [1, 1024]);
  const bias = g.input("bias", "f32", [1, 1, 1024, 1024]);
  it("takes the band where it has at most three quarters of all pairs", () => {
    const of = (window: number | null, causal = false): number | undefined =>
      bandOf({ q, k: q, extra: {} }, { window, causal });
    expect([of(null), of(0), of(8), of(64), of(256), of(257), of(1023)]).toEqual([
      undefined,
      32,
      32,
      64,
      256,
      undefined,
      undefined,
    ]);
    expect([of(257, true), of(384, true)]).toEqual([257, undefined]);
  });
  it("takes all pairs where a query may see none, and under a bias", () => {
    const mask = { window: 8, causal: false };
    expect(bandOf({ q: short, k: q, extra: {} }, mask)).toBeUndefined();
    expect(bandOf({ q, k: q, extra: { keyPadding: padding } }, mask)).toBeUndefined();
    expect(bandOf({ q, k: q, extra: { bias } }, mask)).toBeUndefined();
    expect(bandOf({ q, k: q, extra: { segments: padding } }, mask)).toBe(32);
  });
  it("never makes all scores in a band, forward or backward", () => {
    const x = g.input("x", "f32", [1, 2, 1024, 8]);
    const segments = g.input("segments", "i32", [1, 1024]);
    const y = attention(x, x, x, { window: 64, segments });
    const { roots } = rewrite(
      [y, ...grad(y.square().sum(), [x])],
      expandRules(() => false),
      "expand",
    );
    expect(Math.max(...order(roots).map((n) => sizeOf(n.shape)))).toBe(2 * 1024 * (64 + 2 * 64));
  });
});

interface Masked {
  readonly seq: number;
  readonly window: number;
  readonly causal?: boolean;
  readonly segments?: (i: number) => number;
  readonly softcap?: number;
  readonly dropout?: number;
  readonly scale?: number;
}

const documents = (i: number): number => Math.floor(Math.sqrt(3 * i));
const cases: Readonly<Record<string, Masked>> = {
  "window 0": { seq: 70, window: 0 },
  "window 5 of a length no block divides": { seq: 99, window: 5 },
  "window of a block": { seq: 128, window: 32 },
  "window past a block": { seq: 160, window: 40 },
  causal: { seq: 130, window: 33, causal: true },
  documents: { seq: 110, window: 12, segments: documents },
  "documents at the ends of i32, mixed": {
    seq: 100,
    window: 9,
    segments: (i) => (i % 3 === 0 ? -2147483648 : i % 3 === 1 ? 2147483647 : 0),
  },
  softcap: { seq: 96, window: 10, softcap: 0.7, scale: 1.3 },
  dropout: { seq: 97, window: 7, dropout: 0.3 },
  everything: { seq: 101, window: 11, causal: true, segments: documents, softcap: 0.9, dropout: 0.2, scale: 0.6 },
};

/** Attention of a case and its inputs. `pairs`: in the full form, which a bias of zeros selects. */
function build(
  c: Masked,
  pairs: boolean,
  [batch, heads, dim]: readonly [number, number, number] = [2, 2, 3],
): { readonly y: T; readonly inputs: readonly T[]; readonly env: Record<string, readonly number[]> } {
  const g = new Graph();
  const { seq } = c;
  const env: Record<string, readonly number[]> = {};
  const inputs = ["q", "k", "v"].map((name, i) => {
    env[name] = numbers(batch * heads * seq * dim, 100 * i);
    return g.input(name, "f32", [batch, heads, seq, dim]);
  });
  if (c.segments)
    env["segments"] = Array.from(
      { length: batch * seq },
      (_, i) => c.segments?.((i % seq) + 3 * Math.floor(i / seq)) as number,
    );
  if (c.dropout) env["key"] = [17, 4];
  if (pairs) env["bias"] = new Array<number>(seq * seq).fill(0);
  const options: AttentionOptions = {
    window: c.window,
    ...(c.causal && { causal: true }),
    ...(c.softcap !== undefined && { softcap: c.softcap }),
    ...(c.scale !== undefined && { scale: c.scale }),
    ...(c.segments && { segments: g.input("segments", "i32", [batch, seq]) }),
    ...(c.dropout !== undefined && { dropout: { rate: c.dropout, stream: 6, key: g.input("key", "u32", [2]) } }),
    ...(pairs && { bias: g.input("bias", "f32", [1, 1, seq, seq]) }),
  };
  return { y: attention(inputs[0] as T, inputs[1] as T, inputs[2] as T, options), inputs, env };
}

describe("equals all pairs", () => {
  it.each(Object.entries(cases))("%s", (_, c) => {
    const results = [false, true].map((pairs) => {
      const { y, inputs, env } = build(c, pairs);
      const [q, k] = inputs as readonly [T, T];
      expect(
        bandOf({ q, k, extra: pairs ? { bias: q } : {} }, { window: c.window, causal: c.causal ?? false }) ===
          undefined,
      ).toBe(pairs);
      const ct = y.graph.input("ct", "f32", y.shape);
      const grads = grad(y.mul(ct).sum(), inputs);
      const full = { ...env, ct: numbers(sizeOf(y.shape), 900) };
      // A gradient of the gradient is the gradient of the expansion itself.
      const second = grad(
        grads.map((d) => d.square().sum()).reduce((a, b) => a.add(b)),
        inputs,
      );
      return interpret([y, ...grads, ...second], full, EXACT).map((v) => Array.from(v.data));
    }) as [number[][], number[][]];
    results[0].forEach((got, r) =>
      got.forEach((x, i) => {
        const want = results[1][r]?.[i] as number;
        expect(Math.abs(x - want), `result ${r}, element ${i}: ${x} for ${want}`).toBeLessThanOrEqual(
          1e-10 * Math.max(1, Math.abs(want)),
        );
      }),
    );
  });

  it("and finite differences", () => {
    const { y, env } = build({ seq: 64, window: 3, segments: documents, softcap: 1.1, dropout: 0.1 }, false, [1, 1, 1]);
    const weight = y.graph.input("weight:0", "f32", y.shape);
    checkGradient({ loss: y.mul(weight).sum(), env: { ...env, "weight:0": numbers(sizeOf(y.shape), 40) } });
  });

  it("in the log-sum-exp of scores as well", () => {
    const [band, pairs] = [false, true].map((all) => {
      const { y, env } = build({ seq: 64, window: 4 }, all);
      const { composite, params } = (y as Node<"composite">).attrs;
      return Array.from(interpret([y.graph.call(composite, y.args, params)[1] as Tensor], env, EXACT)[0]?.data ?? []);
    }) as [number[], number[]];
    expect(band.length).toBe(2 * 2 * 64);
    band.forEach((x, i) => expect(x).toBeCloseTo(pairs[i] as number, 10));
  });
});
