/**
 * AdamW with decay groups. The step itself is the composite `adamw` of @cloze/graph. This file has its state, its
 * groups and the scalars of a step.
 *
 * State: `adamw.m.<parameter>`, `adamw.v.<parameter>`, both zeros at the start. Feeds, f32 `[]`: `optim.lr`,
 * `optim.step` = lr sqrt(1 - beta2^t) / (1 - beta1^t), `optim.epsHat` = eps sqrt(1 - beta2^t), computed in f64 on the
 * host. Source: Loshchilov and Hutter 2019, arXiv:1711.05101. Checked against torch.optim.AdamW, 20 steps, 1e-6
 * relative.
 */
import { adamwStep, type Tensor } from "@cloze/graph";
import { factsOf, hostScalar, type Optimizer } from "./optimizer.ts";
import { adamSettings, checkUpdate, type AdamWOptions } from "./adam-options.ts";
import { groupOf } from "./parameter-group.ts";

export function adamw(options: AdamWOptions = {}): Optimizer {
  const {
    beta1,
    beta2,
    eps,
    decay: decays,
  } = adamSettings("adamw", options, { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 });

  return {
    name: "adamw",
    stateNames: (parameters) => [...parameters].flatMap(({ name }) => [`adamw.m.${name}`, `adamw.v.${name}`]),

    trains: (parameter) => groupOf(decays.groups, parameter).frozen !== true,

    update({ graph, parameters, gradients, gradScale }) {
      const scalar = (name: string): Tensor<"f32"> => graph.input(`optim.${name}`, "f32", []);
      const lr = scalar("lr");
      const step = scalar("step");
      const epsHat = scalar("epsHat");
      const state: Tensor<"f32">[] = [];
      const updates: Record<string, Tensor<"f32">> = {};
      for (const [name, parameter] of parameters) {
        const { tensor } = parameter;
        const gradient = gradients.get(name);
        if (gradient === undefined) continue;
        const group = groupOf(decays.groups, factsOf(name, parameter));
        const { lrScale = 1 } = group;
        const decay = decays.of(graph, group);
        const m = graph.input(`adamw.m.${name}`, "f32", tensor.shape);
        const v = graph.input(`adamw.v.${name}`, "f32", tensor.shape);
        const scaled = (rate: Tensor<"f32">): Tensor<"f32"> => (lrScale === 1 ? rate : rate.mul(lrScale));
        const next = graph.within(`adamw.${name}`, () => {
          // A decay that is a feed is applied before the step, by the formula that the step uses.
          const [p, constant] =
            typeof decay === "number" ? [tensor, decay] : [tensor.mul(scaled(lr).mul(decay).neg().add(1)), 0];
          return adamwStep(
            p,
            gradient,
            m,
            v,
            { lr: scaled(lr), step: scaled(step), epsHat, gradScale },
            { beta1, beta2, decay: constant },
          );
        });
        state.push(m, v);
        updates[name] = next.p;
        updates[`adamw.m.${name}`] = next.m;
        updates[`adamw.v.${name}`] = next.v;
      }
      return { state, updates };
    },

    hostScalars(t, lr, progress) {
      checkUpdate("adamw", t);
      const root = Math.sqrt(1 - beta2 ** t);
      return {
        "optim.lr": hostScalar(lr),
        "optim.step": hostScalar((lr * root) / (1 - beta1 ** t)),
        "optim.epsHat": hostScalar(eps * root),
        ...decays.scalars(t, progress),
      };
    },
  };
}
