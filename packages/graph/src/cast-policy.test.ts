import { describe, expect, it } from "vitest";
import {
  attention,
  grad,
  Graph,
  interpret,
  lower,
  order,
  program,
  programRoots,
  type Node,
  type Program,
} from "./index.ts";

/** Attention between two projections, and its gradients. Every kind of contraction of a layer occurs. */
function layer(): Program {
  const g = new Graph();
  const x = g.input("x", "f32", [4, 8]);
  const w = g.input("w", "f32", [8, 8]);
  const q = x.matmul(w).reshape([1, 2, 4, 4]);
  const y = attention(q, q.mul(0.5), q.add(1)).reshape([4, 8]).matmul(w, { transposeB: true });
  const loss = y.square().sum();
  const [dx, dw] = grad(loss, [x, w]);
  return program(g, { state: [], outputs: { loss, dx: dx as typeof x, dw: dw as typeof w } });
}

const contractions = (p: Program): Node<"matmul">[] =>
  order(programRoots(p)).filter((n): n is Node<"matmul"> => n.op === "matmul");

describe("cast policy", () => {
  it.each(["f16", "bf16"] as const)(
    "%s: every contraction, forward and backward, reads 16 bits; nothing else changes its dtype",
    (compute) => {
      const lowered = lower(layer(), { compute });
      expect(contractions(lowered).length).toBeGreaterThan(8);
      for (const { args } of contractions(lowered)) expect(args.map((a) => a.dtype)).toEqual([compute, compute]);
      for (const n of order(programRoots(lowered)))
        if (["exp", "reduceSum", "reduceMax", "div"].includes(n.op)) expect(n.dtype).toBe("f32");
    },
  );

  it("stays near f32", () => {
    const env = {
      x: Float64Array.from({ length: 32 }, (_, i) => Math.sin(i)),
      w: Float64Array.from({ length: 64 }, (_, i) => Math.cos(3 * i) / 3),
    };
    const values = (p: Program): number[][] => interpret(programRoots(p), env).map((v) => Array.from(v.data));
    const exact = values(lower(layer()));
    const low = values(lower(layer(), { compute: "f16" }));
    exact.forEach((want, i) => {
      const scale = Math.max(...want.map(Math.abs));
      want.forEach((x, k) => expect(Math.abs((low[i]?.[k] as number) - x) / scale).toBeLessThan(5e-3));
    });
  });
});
