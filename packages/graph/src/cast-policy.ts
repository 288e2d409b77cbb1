/**
 * Mixed precision as a pass. Contractions read 16-bit casts of their f32 inputs and accumulate in f32. Everything else
 * (softmax, norms, loss, optimizer, all state) stays f32. The casts are visible nodes.
 *
 * Where the only reader of a contraction is another cast, the simplifier joins the two casts.
 */
import { attention } from "./composites/attention.ts";
import { rule, type Rule } from "./rewrite.ts";
import type { Tensor } from "./tensor.ts";

/**
 * The args to cast, by the name of the composite. These composites contract in 16 bits by themselves; their scores and
 * their softmax stay f32.
 */
const LOW_PRECISION_COMPOSITES: Readonly<Record<string, readonly number[]>> = {
  attention: [0, 1, 2], // q, k, v
  attentionBackward: [0, 1, 3, 4, 5], // ct, out, q, k, v; not the log-sum-exp
};

export function castPolicyRules(compute: "f16" | "bf16"): readonly Rule[] {
  const low = (x: Tensor): Tensor => x.cast(compute);
  return [
    rule(
      `f32 matmul -> ${compute} inputs, f32 accumulation`,
      "matmul",
      (x, [a, b]) =>
        a.dtype === "f32" ? x.graph.node("matmul", [low(a), low(b)], { ...x.attrs, dtype: "f32" }) : undefined,
      (g) => g.input("x", "f32", [2, 3]).matmul(g.input("y", "f32", [3, 2])),
    ),
    rule(
      `composite with ${compute} contractions -> ${compute} inputs`,
      "composite",
      (x) => {
        const { composite, params, index } = x.attrs;
        const cast = LOW_PRECISION_COMPOSITES[composite.name];
        if (cast === undefined || x.args[0]?.dtype !== "f32") return undefined;
        const made = x.graph.call(
          composite,
          x.args.map((a, i) => (cast.includes(i) ? low(a) : a)),
          params,
        )[index] as Tensor;
        return made.cast(x.dtype);
      },
      (g) => {
        const q = g.input("q", "f32", [1, 1, 2, 2]);
        return attention(q, q, q);
      },
    ),
  ];
}
