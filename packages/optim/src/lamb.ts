/**
 * LAMB: Adam with a step that has, for each tensor, the length of the parameter itself; for batches of many thousand
 * sequences. ALBERT and ProtBert were trained with it.
 *
 *   m <- b1 m + (1 - b1) g        v <- b2 v + (1 - b2) g^2
 *   r = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + decay p
 *   p <- p - lr trust r           trust = |p| / |r|, or 1 where either is 0 and for parameters that do not decay
 *
 * State: `lamb.m.<parameter>`, `lamb.v.<parameter>`. Feeds, f32 `[]`: `lamb.lr`, `lamb.correct1` = 1 / (1 - b1^t),
 * `lamb.correct2`. Source: You et al. 2020, arXiv:1904.00962. Biases and norms keep Adam's step, as in the authors'
 * code for BERT.
 */
import type { Tensor } from "@cloze/graph";
import { adamSettings, checkUpdate, type AdamWOptions } from "./adam-options.ts";
import { factsOf, hostScalar, type Optimizer } from "./optimizer.ts";
import { groupOf } from "./parameter-group.ts";

/** The optimizer. Defaults for BERT: beta1 0.9, beta2 0.999, eps 1e-6, weightDecay 0.01. */
export function lamb(options: AdamWOptions = {}): Optimizer {
  const {
    beta1,
    beta2,
    eps,
    decay: decays,
  } = adamSettings("lamb", options, { beta1: 0.9, beta2: 0.999, eps: 1e-6, weightDecay: 0.01 });

  return {
    name: "lamb",
    stateNames: (parameters) => [...parameters].flatMap(({ name }) => [`lamb.m.${name}`, `lamb.v.${name}`]),

    trains: (parameter) => groupOf(decays.groups, parameter).frozen !== true,

    update({ graph, parameters, gradients, gradScale }) {
      const scalar = (name: string): Tensor<"f32"> => graph.input(`lamb.${name}`, "f32", []);
      const lr = scalar("lr");
      const correct1 = scalar("correct1");
      const correct2 = scalar("correct2");
      const norm = (x: Tensor<"f32">): Tensor<"f32"> => x.square().sum().sqrt();
      const state: Tensor<"f32">[] = [];
      const updates: Record<string, Tensor<"f32">> = {};
      for (const [name, parameter] of parameters) {
        const { tensor: p } = parameter;
        const raw = gradients.get(name);
        if (raw === undefined) continue;
        const group = groupOf(decays.groups, factsOf(name, parameter));
        const { lrScale = 1 } = group;
        const decay = decays.of(graph, group);
        const m = graph.input(`lamb.m.${name}`, "f32", p.shape);
        const v = graph.input(`lamb.v.${name}`, "f32", p.shape);
        state.push(m, v);
        graph.within(`lamb.${name}`, () => {
          const g = raw.mul(gradScale);
          const next = m.mul(beta1).add(g.mul(1 - beta1));
          const squares = v.mul(beta2).add(g.square().mul(1 - beta2));
          const adam = next.mul(correct1).div(squares.mul(correct2).sqrt().add(eps));
          const r = decay === 0 ? adam : adam.add(p.mul(decay));
          const rate = lrScale === 1 ? lr : lr.mul(lrScale);
          updates[name] = p.sub(r.mul(decay === 0 ? rate : rate.mul(trust(norm(p), norm(r)))));
          updates[`lamb.m.${name}`] = next;
          updates[`lamb.v.${name}`] = squares;
        });
      }
      return { state, updates };
    },

    hostScalars(t, lr, progress) {
      checkUpdate("lamb", t);
      return {
        "lamb.lr": hostScalar(lr),
        "lamb.correct1": hostScalar(1 / (1 - beta1 ** t)),
        "lamb.correct2": hostScalar(1 / (1 - beta2 ** t)),
        ...decays.scalars(t, progress),
      };
    },
  };
}

/** |p| / |r|, or 1 where either is 0. */
function trust(p: Tensor<"f32">, r: Tensor<"f32">): Tensor<"f32"> {
  return p
    .mul(r)
    .greater(0)
    .select(p.div(r.max(1e-30)), 1);
}
