/**
 * AdamW with decay groups. The step itself is the composite `adamw` of @cloze/graph; here are its state, its groups and the
 * scalars of a step.
 *
 * State: `adamw.m.<parameter>`, `adamw.v.<parameter>`, both zeros at the start. Feeds, f32 `[]`: `optim.lr`, `optim.step` =
 * lr sqrt(1 - beta2^t) / (1 - beta1^t), `optim.epsHat` = eps sqrt(1 - beta2^t), computed in f64 on the host.
 * Source: Loshchilov and Hutter 2019, arXiv:1711.05101. Checked against torch.optim.AdamW, 20 steps, 1e-6 relative.
 */
import { ConfigError } from "@cloze/errors";
import { adamwStep, type Tensor } from "@cloze/graph";
import { hostScalar, type Optimizer } from "./optimizer.ts";
import { decayGroups, groupOf, type ParameterGroup } from "./parameter-group.ts";

export interface AdamWOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999; ESM-2 took 0.98. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** Of matrices and tables; vectors do not decay. Default 0.01. Not with `groups`. */
  readonly weightDecay?: number;
  /** Instead of `weightDecay`: groups of your own. */
  readonly groups?: readonly ParameterGroup[];
}

export function adamw(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01 } = options;
  for (const [name, beta] of [["beta1", beta1], ["beta2", beta2]] as const) {
    if (!(beta >= 0 && beta < 1)) throw new ConfigError(`adamw: expected ${name} in [0, 1), got ${beta}.`);
  }
  if (!(eps > 0)) throw new ConfigError(`adamw: expected eps above 0, got ${eps}.`);
  if (!(weightDecay >= 0)) throw new ConfigError(`adamw: expected a weightDecay of 0 or more, got ${weightDecay}.`);
  if (options.groups && options.weightDecay !== undefined) throw new ConfigError("adamw: expected weightDecay or groups, got both. Put the decay in the groups.");
  const groups = options.groups ?? decayGroups(weightDecay);

  return {
    name: "adamw",
    stateNames: (parameters) => [...parameters].flatMap(([name]) => [`adamw.m.${name}`, `adamw.v.${name}`]),

    trains: (name, shape) => groupOf(groups, name, shape).frozen !== true,

    update({ graph, parameters, gradients, gradScale }) {
      const scalar = (name: string): Tensor<"f32"> => graph.input(`optim.${name}`, "f32", []);
      const lr = scalar("lr"), step = scalar("step"), epsHat = scalar("epsHat");
      const state: Tensor<"f32">[] = [], updates: Record<string, Tensor<"f32">> = {};
      for (const [name, { tensor }] of parameters) {
        const gradient = gradients.get(name);
        if (gradient === undefined) continue;
        const { weightDecay: decay, lrScale = 1 } = groupOf(groups, name, tensor.shape);
        const m = graph.input(`adamw.m.${name}`, "f32", tensor.shape), v = graph.input(`adamw.v.${name}`, "f32", tensor.shape);
        const scaled = (rate: Tensor<"f32">): Tensor<"f32"> => (lrScale === 1 ? rate : rate.mul(lrScale));
        const next = graph.within(`adamw.${name}`, () =>
          adamwStep(tensor, gradient, m, v, { lr: scaled(lr), step: scaled(step), epsHat, gradScale }, { beta1, beta2, decay }));
        state.push(m, v);
        updates[name] = next.p;
        updates[`adamw.m.${name}`] = next.m;
        updates[`adamw.v.${name}`] = next.v;
      }
      return { state, updates };
    },

    hostScalars(t, lr) {
      if (!(Number.isSafeInteger(t) && t >= 1)) throw new ConfigError(`adamw: expected updates to be counted from 1, got t = ${t}.`);
      const root = Math.sqrt(1 - beta2 ** t);
      return {
        "optim.lr": hostScalar(lr),
        "optim.step": hostScalar((lr * root) / (1 - beta1 ** t)),
        "optim.epsHat": hostScalar(eps * root),
      };
    },
  };
}
