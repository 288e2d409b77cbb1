/** Options of AdamW and related optimizers: two moments, a floor, and decay by group. */
import { ConfigError } from "@cloze/errors";
import type { Scheduled } from "@cloze/schedule";
import { decayOf, type Decay } from "./decay.ts";
import { decayGroups, type ParameterGroup } from "./parameter-group.ts";

export interface AdamWOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999; ESM-2 used 0.98. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /**
   * Weight decay of matrices and tables; vectors do not decay. May change over the run. Default 0.01. Not with
   * `groups`.
   */
  readonly weightDecay?: Scheduled<number>;
  /** Parameter groups of the caller, instead of `weightDecay`. */
  readonly groups?: readonly ParameterGroup[];
}

export interface AdamSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly decay: Decay;
}

/** The checked options, with the defaults of the optimizer `name` for missing options. Throws ConfigError. */
export function adamSettings(
  name: string,
  options: AdamWOptions,
  defaults: Required<Omit<AdamWOptions, "groups" | "weightDecay">> & { readonly weightDecay: number },
): AdamSettings {
  const { beta1 = defaults.beta1, beta2 = defaults.beta2, eps = defaults.eps } = options;
  for (const [key, beta] of [
    ["beta1", beta1],
    ["beta2", beta2],
  ] as const) {
    if (!(beta >= 0 && beta < 1)) throw new ConfigError(`${name}: expected ${key} in [0, 1), got ${beta}.`);
  }
  if (!(eps > 0)) throw new ConfigError(`${name}: expected eps above 0, got ${eps}.`);
  return {
    beta1,
    beta2,
    eps,
    decay: decayOf(name, options.groups, options.weightDecay, { groups: decayGroups, usual: defaults.weightDecay }),
  };
}

/** Throws ConfigError if `t` is not a count of updates from 1. */
export function checkUpdate(name: string, t: number): void {
  if (!(Number.isSafeInteger(t) && t >= 1))
    throw new ConfigError(`${name}: expected updates to be counted from 1, got t = ${t}.`);
}
