/**
 * StableAdamW: AdamW whose step is held back, tensor by tensor, where a gradient is larger than its running mean square foresaw. It
 * makes clipping by the global norm unnecessary; ModernBERT was trained with it.
 *
 *   m <- b1 m + (1 - b1) g        v <- b2 v + (1 - b2) g^2        b1, b2 at update t: b (1 - b^(t-1)) / (1 - b^t), which corrects the bias
 *   rms = sqrt(mean(g^2 / max(v, eps^2)))        rate = lr / max(1, rms)
 *   p <- p - rate decay p - rate m / (sqrt(v) + eps)
 *
 * State: `stable.m.<parameter>`, `stable.v.<parameter>`. Feeds, f32 `[]`: `stable.lr`, `stable.beta1`, `stable.beta2`.
 * Source: Wortsman et al. 2023, arXiv:2304.13013, algorithm 2.
 */
import { ConfigError } from "@cloze/errors";
import type { Tensor } from "@cloze/graph";
import type { AdamWOptions } from "./adamw.ts";
import { hostScalar, type Optimizer } from "./optimizer.ts";
import { decayGroups, groupOf } from "./parameter-group.ts";

/** Defaults as ModernBERT: beta1 0.9, beta2 0.98, eps 1e-6, weightDecay 1e-5. */
export function stableAdamw(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.98, eps = 1e-6, weightDecay = 1e-5 } = options;
  for (const [name, beta] of [["beta1", beta1], ["beta2", beta2]] as const) {
    if (!(beta >= 0 && beta < 1)) throw new ConfigError(`stableAdamw: expected ${name} in [0, 1), got ${beta}.`);
  }
  if (!(eps > 0)) throw new ConfigError(`stableAdamw: expected eps above 0, got ${eps}.`);
  if (!(weightDecay >= 0)) throw new ConfigError(`stableAdamw: expected a weightDecay of 0 or more, got ${weightDecay}.`);
  if (options.groups && options.weightDecay !== undefined) throw new ConfigError("stableAdamw: expected weightDecay or groups, got both. Put the decay in the groups.");
  const groups = options.groups ?? decayGroups(weightDecay);

  return {
    name: "stable-adamw",
    stateNames: (parameters) => [...parameters].flatMap(([name]) => [`stable.m.${name}`, `stable.v.${name}`]),

    trains: (name, shape) => groupOf(groups, name, shape).frozen !== true,

    update({ graph, parameters, gradients, gradScale }) {
      const scalar = (name: string): Tensor<"f32"> => graph.input(`stable.${name}`, "f32", []), lr = scalar("lr"), b1 = scalar("beta1"), b2 = scalar("beta2");
      const state: Tensor<"f32">[] = [], updates: Record<string, Tensor<"f32">> = {};
      for (const [name, { tensor: p }] of parameters) {
        const raw = gradients.get(name);
        if (raw === undefined) continue;
        const { weightDecay: decay, lrScale = 1 } = groupOf(groups, name, p.shape);
        const m = graph.input(`stable.m.${name}`, "f32", p.shape), v = graph.input(`stable.v.${name}`, "f32", p.shape);
        state.push(m, v);
        graph.within(`stable.${name}`, () => {
          const g = raw.mul(gradScale), square = g.square(), next = m.mul(b1).add(g.mul(b1.neg().add(1))), squares = v.mul(b2).add(square.mul(b2.neg().add(1)));
          const rms = square.div(squares.max(eps ** 2)).mean().sqrt(), rate = (lrScale === 1 ? lr : lr.mul(lrScale)).div(rms.max(1));
          const kept = decay === 0 ? p : p.sub(p.mul(rate.mul(decay)));
          updates[name] = kept.sub(next.mul(rate).div(squares.sqrt().add(eps)));
          updates[`stable.m.${name}`] = next;
          updates[`stable.v.${name}`] = squares;
        });
      }
      return { state, updates };
    },

    hostScalars(t, lr) {
      if (!(Number.isSafeInteger(t) && t >= 1)) throw new ConfigError(`stableAdamw: expected updates to be counted from 1, got t = ${t}.`);
      const unbiased = (beta: number): number => (beta * (1 - beta ** (t - 1))) / (1 - beta ** t);
      return { "stable.lr": hostScalar(lr), "stable.beta1": hostScalar(unbiased(beta1)), "stable.beta2": hostScalar(unbiased(beta2)) };
    },
  };
}
