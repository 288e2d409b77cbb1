/**
 * An exponential moving average of the parameters, kept beside the parameters. It wraps any optimizer. Evaluation and
 * checkpoints use the average, which is smoother than the last step.
 *
 *   n <- n + 1 d = min(decay, (1 + n) / (10 + n)) e <- e + (1 - d) (p - e), from the initial parameters on
 *
 * `n` counts the updates that ran, on the device: a skipped step (with f16, for example) does not count and changes
 * nothing. Parameters that do not train have no average.
 *
 * State: `ema.<parameter>`, with the shape of the parameter; `ema.count` []. The average is one more copy of the
 * parameters in memory.
 * Sources: Polyak and Juditsky 1992; the warm-up comes from TensorFlow's ExponentialMovingAverage(num_updates). Checked
 * against a plain loop in f64.
 */
import { ConfigError } from "@cloze/errors";
import type { Tensor } from "@cloze/graph";
import type { Optimizer } from "./optimizer.ts";

export interface EmaOptions {
  /** Share of the average that an update keeps after the warm-up. Default 0.999. */
  readonly decay?: number;
}

/** `optimizer` with the average of its parameters. Throws ConfigError for a decay outside [0, 1). */
export function ema(optimizer: Optimizer, { decay = 0.999 }: EmaOptions = {}): Optimizer {
  if (!(decay >= 0 && decay < 1)) throw new ConfigError(`ema: expected a decay in [0, 1), got ${decay}.`);
  const stateOf = (name: string): string => `ema.${name}`;
  return {
    ...optimizer,
    name: `${optimizer.name}, ema ${decay}`,
    averageOf: stateOf,
    stateNames(parameters) {
      const all = [...parameters];
      return [...optimizer.stateNames(all), ...all.map(({ name }) => stateOf(name)), "ema.count"];
    },
    update(inputs) {
      const { graph, parameters } = inputs;
      const made = optimizer.update(inputs);
      const count = graph.input("ema.count", "f32", []);
      const state: Tensor<"f32">[] = [...made.state, count];
      const n = graph.within("ema", () => count.add(1));
      const updates: Record<string, Tensor<"f32">> = { ...made.updates, "ema.count": n };
      const { kept, moved } = graph.within("ema", () => {
        const d = n.add(1).div(n.add(10)).min(decay);
        return { kept: count.greater(0), moved: d.neg().add(1) };
      });
      for (const [name, { tensor }] of parameters) {
        const next = made.updates[name];
        if (next === undefined) continue;
        const average = graph.input(stateOf(name), "f32", tensor.shape);
        state.push(average);
        updates[stateOf(name)] = graph.within(`ema.${name}`, () => {
          const before = kept.select(average, tensor);
          return before.add(next.sub(before).mul(moved));
        });
      }
      return { state, updates };
    },
  };
}
