/**
 * StableAdamW: AdamW with a smaller step for a tensor whose gradient is larger than its running mean square predicts.
 * It makes clipping by the global norm unnecessary; ModernBERT was trained with it.
 *
 *   m <- b1 m + (1 - b1) g        v <- b2 v + (1 - b2) g^2
 *   b1, b2 at update t: b (1 - b^(t-1)) / (1 - b^t), which corrects the bias
 *   rms = sqrt(mean(g^2 / max(v, eps^2)))        rate = lr / max(1, rms)
 *   p <- p - rate decay p - rate m / (sqrt(v) + eps)
 *
 * State: `stable.m.<parameter>`, `stable.v.<parameter>`. Feeds, f32 `[]`: `stable.lr`, `stable.beta1`, `stable.beta2`.
 * Source: Wortsman et al. 2023, arXiv:2304.13013, algorithm 2.
 */
import type { Tensor } from "@cloze/graph";
import { adamSettings, checkUpdate, type AdamWOptions } from "./adam-options.ts";
import { factsOf, hostScalar, type Optimizer } from "./optimizer.ts";
import { groupOf } from "./parameter-group.ts";

/** The optimizer. Defaults from ModernBERT: beta1 0.9, beta2 0.98, eps 1e-6, weightDecay 1e-5. */
export function stableAdamw(options: AdamWOptions = {}): Optimizer {
  const {
    beta1,
    beta2,
    eps,
    decay: decays,
  } = adamSettings("stableAdamw", options, { beta1: 0.9, beta2: 0.98, eps: 1e-6, weightDecay: 1e-5 });

  return {
    name: "stable-adamw",
    stateNames: (parameters) => [...parameters].flatMap(({ name }) => [`stable.m.${name}`, `stable.v.${name}`]),

    trains: (parameter) => groupOf(decays.groups, parameter).frozen !== true,

    update({ graph, parameters, gradients, gradScale }) {
      const scalar = (name: string): Tensor<"f32"> => graph.input(`stable.${name}`, "f32", []);
      const lr = scalar("lr");
      const b1 = scalar("beta1");
      const b2 = scalar("beta2");
      const state: Tensor<"f32">[] = [];
      const updates: Record<string, Tensor<"f32">> = {};
      for (const [name, parameter] of parameters) {
        const { tensor: p } = parameter;
        const raw = gradients.get(name);
        if (raw === undefined) continue;
        const group = groupOf(decays.groups, factsOf(name, parameter));
        const { lrScale = 1 } = group;
        const decay = decays.of(graph, group);
        const m = graph.input(`stable.m.${name}`, "f32", p.shape);
        const v = graph.input(`stable.v.${name}`, "f32", p.shape);
        state.push(m, v);
        graph.within(`stable.${name}`, () => {
          const g = raw.mul(gradScale);
          const square = g.square();
          const next = m.mul(b1).add(g.mul(b1.neg().add(1)));
          const squares = v.mul(b2).add(square.mul(b2.neg().add(1)));
          const rms = square
            .div(squares.max(eps ** 2))
            .mean()
            .sqrt();
          const rate = (lrScale === 1 ? lr : lr.mul(lrScale)).div(rms.max(1));
          const kept = decay === 0 ? p : p.sub(p.mul(rate.mul(decay)));
          updates[name] = kept.sub(next.mul(rate).div(squares.sqrt().add(eps)));
          updates[`stable.m.${name}`] = next;
          updates[`stable.v.${name}`] = squares;
        });
      }
      return { state, updates };
    },

    hostScalars(t, lr, progress) {
      checkUpdate("stableAdamw", t);
      const unbiased = (beta: number): number => (beta * (1 - beta ** (t - 1))) / (1 - beta ** t);
      return {
        "stable.lr": hostScalar(lr),
        "stable.beta1": hostScalar(unbiased(beta1)),
        "stable.beta2": hostScalar(unbiased(beta2)),
        ...decays.scalars(t, progress),
      };
    },
  };
}
