// Every composite: forward against closed forms and against its expansion; gradients against finite differences, and,
// where a composite has its own gradient, against the expansion's gradient; second derivatives.
import { describe, expect, it } from "vitest";
import {
  attention,
  call,
  expandRules,
  grad,
  Graph,
  interpret,
  isFloat,
  isOp,
  newtonSchulz,
  order,
  pullback,
  rewrite,
  verify,
  type Composite,
  type Node,
  type Tensor,
} from "../src/index.ts";
import { attentionCases } from "./attention-cases.ts";
import { compositeCases, type CompositeCase } from "./composite-cases.ts";
import { alone, checkGradient, floatInputs, inTheMiddle, noise, type Env } from "./finite-differences.ts";

const cases = [...compositeCases, ...attentionCases];
const plain = (x: Tensor): Tensor => x;
const EXACT = { precision: "f64" } as const;
const rootsOf = (c: CompositeCase): readonly Tensor[] => {
  const built = c.build(new Graph(), plain);
  return Array.isArray(built) ? (built as readonly Tensor[]) : [built as Tensor];
};
const values = (xs: readonly Tensor[], env: Env, options = {}): number[] =>
  interpret(xs, env, options).flatMap((v) => Array.from(v.data));
const close = (got: readonly number[], want: readonly number[], tolerance: number): void => {
  expect(got.length).toBe(want.length);
  got.forEach((x, i) =>
    expect(Math.abs(x - (want[i] as number)), `element ${i}: expected ${want[i]}, got ${x}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(want[i] as number)),
    ),
  );
};

describe("forward", () => {
  for (const c of cases) {
    it(`${c.name}: the closed form`, () => {
      const ys = rootsOf(c);
      verify(ys);
      close(values(ys, c.env, EXACT), c.want, 1e-9);
      close(values(ys, c.env), c.want, 5e-6);
    });
    it(`${c.name}: the expansion`, () => {
      const ys = rootsOf(c);
      const { roots } = rewrite(
        ys,
        expandRules(() => false),
        "expand",
      );
      expect(order(roots).some((x) => x.op === "composite")).toBe(false);
      expect(values(roots, c.env)).toEqual(values(ys, c.env));
    });
  }
});

describe("gradient", () => {
  for (const c of cases.filter((each) => each.gradient !== false)) {
    it(`${c.name}, alone`, () => checkGradient(alone(c.build, c.env)));
    it(`${c.name}, in the middle of a graph`, () => checkGradient(inTheMiddle(c.build, c.env)));
  }
});

/** The composite nodes of a case, and of its expansions, with their own gradient. */
function withOwnGradient(ys: readonly Tensor[]): Node<"composite">[] {
  const found = new Set<Node<"composite">>();
  const queue = order(ys).filter((x): x is Node<"composite"> => isOp(x, "composite"));
  for (let x = queue.pop(); x !== undefined; x = queue.pop()) {
    if (found.has(x)) continue;
    found.add(x);
    queue.push(
      ...order(x.graph.expansion(x.attrs.composite, x.args, x.attrs.params)).filter((n): n is Node<"composite"> =>
        isOp(n, "composite"),
      ),
    );
  }
  return [...found].filter((x) => x.attrs.composite.vjp !== undefined);
}

describe("own gradients equal those of the expansion", () => {
  for (const c of cases) {
    const own = withOwnGradient(rootsOf(c));
    if (own.length === 0) continue;
    it(c.name, () => {
      for (const x of own) {
        const { composite, params } = x.attrs;
        const { graph, args } = x;
        const bare: Composite = { name: `${composite.name}, without its own gradient`, expand: composite.expand };
        const [ys, zs] = [call(composite, args, params), call(bare, args, params)];
        const through = args.filter((a) => isFloat(a.dtype));
        // Each output alone has a cotangent in turn, then all outputs together.
        for (const which of [...ys.keys(), -1]) {
          const cts = ys.map((y, i) =>
            (which === -1 || which === i) && isFloat(y.dtype)
              ? graph.input(`weight:${i}:${y.shape.join("x")}`, "f32", y.shape).cast(y.dtype)
              : undefined,
          );
          const env: Record<string, readonly number[]> = { ...c.env };
          for (const n of order(cts.filter((ct) => ct !== undefined)))
            if (isOp(n, "input"))
              env[n.attrs.name] = Array.from({ length: n.shape.reduce((a, b) => a * b, 1) }, (_, i) => noise(i));
          const got = pullback(ys, cts, through);
          const want = pullback(zs, cts, through);
          got.forEach((d, i) => {
            // An undefined cotangent counts as zeros.
            const of = (t: Tensor | undefined): number[] =>
              t === undefined
                ? new Array<number>((through[i] as Tensor).shape.reduce((n, m) => n * m, 1)).fill(0)
                : values([t], env, EXACT);
            close(of(d), of(want[i]), 1e-10);
          });
        }
      }
    });
  }
});

describe("second derivatives", () => {
  for (const c of cases.filter((each) => each.gradient !== false && !/head dim 2|everything|far out/.test(each.name))) {
    it(c.name, () => {
      const { loss, env } = inTheMiddle(c.build, c.env);
      const xs = floatInputs([loss]);
      const first = grad(loss, xs);
      const full: Record<string, readonly number[]> = { ...env };
      const again = first
        .map((d, i) => {
          const name = `weight:second:${i}`;
          full[name] = Array.from({ length: d.shape.reduce((a, b) => a * b, 1) }, (_, j) => noise(j + 7 * i));
          return d.mul(loss.graph.input(name, "f32", d.shape)).sum();
        })
        .reduce((a, b) => a.add(b));
      checkGradient({ loss: again, env: full }, 2e-6);
    });
  }
});

describe("attention", () => {
  it("gives f16 inputs an f16 result with f32 scores, and f16 gradients", () => {
    const g = new Graph();
    const x = (name: string): Tensor<"f32"> => g.input(name, "f16", [1, 2, 3, 4]) as Tensor as Tensor<"f32">;
    const q = x("q");
    const k = x("k");
    const v = x("v");
    const y = attention(q, k, v, { causal: true });
    const f = (name: string): Tensor<"f32"> => g.input(name, "f16", [1, 2, 3, 4]).cast("f32");
    const want = attention(f("q"), f("k"), f("v"), { causal: true });
    const env = {
      q: Array.from({ length: 24 }, (_, i) => noise(i)),
      k: Array.from({ length: 24 }, (_, i) => noise(i + 30)),
      v: Array.from({ length: 24 }, (_, i) => noise(i + 60)),
    };
    expect(y.dtype).toBe("f16");
    close(values([y], env), values([want], env), 2e-3);
    const grads = grad(y.cast("f32").square().sum(), [q, k, v]);
    const wanted = grad(want.square().sum(), [q, k, v]);
    expect(grads.map((d) => d.dtype)).toEqual(["f16", "f16", "f16"]);
    close(values(grads, env), values(wanted, env), 1e-2);
  });

  it("may be given one tensor three times", () => {
    const build = (g: Graph, r: (x: Tensor) => Tensor): Tensor => {
      const x = r(g.input("x", "f32", [1, 1, 3, 2])) as Tensor<"f32">;
      return attention(x, x, x, { window: 1 });
    };
    checkGradient(inTheMiddle(build, { x: Array.from({ length: 6 }, (_, i) => noise(i)) }));
  });

  it("gives a padded row no influence", () => {
    const g = new Graph();
    const x = g.input("x", "f32", [2, 1, 2, 2]);
    const y = attention(x, x, x, { keyPadding: g.input("padding", "bool", [2, 2]) });
    const [d] = grad(y.slice(0, 1, 2).sum(), [x]);
    const got = values([d as Tensor], { x: [1, 2, 3, 4, 5, 6, 7, 8], padding: [1, 1, 0, 0] });
    // The row sees no key, so its scores do not depend on q and k. The result is the even mean of v.
    close(got, [0, 0, 0, 0, 1, 1, 1, 1], 0);
  });
});

it("newtonSchulz brings singular values to between 0.68 and 1.13", () => {
  const g = new Graph();
  const n = 6;
  const x = g.input("x", "f32", [n, n]);
  // An orthogonal matrix (a Householder reflection) times singular values from 1 down to 1/50.
  const v = Array.from({ length: n }, (_, i) => noise(i));
  const norm = v.reduce((s, e) => s + e * e, 0);
  const s = [1, 0.5, 0.2, 0.1, 0.05, 0.02];
  const h = Array.from({ length: n * n }, (_, e) => {
    const i = Math.floor(e / n);
    const j = e % n;
    return ((i === j ? 1 : 0) - (2 * (v[i] as number) * (v[j] as number)) / norm) * (s[j] as number);
  });
  const y = newtonSchulz(x);
  const gram = values([y.matmul(y, { transposeA: true })], { x: h }, EXACT);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const e = gram[i * n + j] as number;
      if (i !== j) expect(Math.abs(e)).toBeLessThan(1e-9);
      else expect(Math.sqrt(e) > 0.68 && Math.sqrt(e) < 1.14, `singular value ${Math.sqrt(e)}`).toBe(true);
    }
});
