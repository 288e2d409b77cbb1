/**
 * Learning-rate schedules: pure functions of the update t = 1, 2, …, total. The value is a multiplier of the peak rate.
 *
 * All schedules warm up linearly, t / warmup, then follow their shape down to `final`, and stay there. With f(p) a
 * curve from 1 to 0:
 *
 *   constant      1                               inverse-sqrt  sqrt(w / t), w = warmup; without a warm-up
 *                                                               sqrt(10^4 / (t + 10^4)); at least final
 *   linear        f(p) = 1 - p                    cosine        f(p) = (1 + cos(pi p)) / 2
 *   wsd           1, then f(p) = 1 - p            1-sqrt        1, then f(p) = 1 - sqrt(p)
 *
 * linear and cosine fall from the end of the warm-up on. wsd (warmup-stable-decay) and 1-sqrt stay at the peak and fall
 * over the last part. A cosine with several `cycles` falls once a cycle and returns to the peak between cycles (warm
 * restarts). The total may also count tokens or seconds: spans have the same unit. Updates count from 1, as in Adam, so
 * the first update of a warm-up does not have a rate of 0. The value at update t is the value of transformers'
 * `get_scheduler` at its step t. Sources: Loshchilov and Hutter 2017, arXiv:1608.03983 (restarts); Hu et al. 2024,
 * arXiv:2404.06395 (wsd); Hägele et al. 2024, arXiv:2405.18392 (1-sqrt).
 */
import { ConfigError } from "@cloze/errors";

export interface ScheduleOptions {
  /** Number of updates; below 1, a share of the total. Default 0. */
  readonly warmup?: number;
  /** Multiplier at the end of the decay. Default 0. */
  readonly final?: number;
  /**
   * Length of the decay in updates; below 1, a share of the total. linear and cosine: from the end of the warm-up,
   * default the rest of the run. wsd and 1-sqrt: the last updates, default 0.2. constant and inverse-sqrt have no
   * decay.
   */
  readonly decay?: number;
  /**
   * Number of times that cosine falls, each time from the peak and over an equal part of the decay. Default 1. The
   * other schedules have no cycles.
   */
  readonly cycles?: number;
}

export type ScheduleName = "constant" | "linear" | "cosine" | "inverse-sqrt" | "wsd" | "1-sqrt";

/** Multiplier of the peak rate at update `step` (from 1) of `total`. */
export type Schedule = (step: number, total: number) => number;

interface Spans {
  readonly warmup: number;
  readonly decay: number | undefined;
  readonly total: number;
  readonly cycles: number;
}

type Curve = (p: number) => number;

/** 1 before the decay, the curve within it, 0 after it; `t` is past the warm-up. */
type Shape = (t: number, spans: Spans) => number;

const falling =
  (curve: Curve): Shape =>
  (t, { warmup, decay, total, cycles }) => {
    const p = share(t - warmup, Math.min(decay ?? total, total - warmup));
    return curve(p < 1 ? (cycles * p) % 1 : 1);
  };
const holding =
  (curve: Curve): Shape =>
  (t, { warmup, decay, total }) => {
    const length = Math.min(decay ?? 0.2 * total, total - warmup);
    return curve(share(t - (total - length), length));
  };
/** Place in a span, limited to [0, 1]. An empty span is complete as soon as it begins. */
const share = (at: number, length: number): number =>
  length <= 0 ? Number(at >= 0) : Math.min(1, Math.max(0, at / length));

const shapes: Readonly<Record<ScheduleName, Shape>> = {
  constant: () => 1,
  linear: falling((p) => 1 - p),
  cosine: falling((p) => (1 + Math.cos(Math.PI * p)) / 2),
  "inverse-sqrt": (t, { warmup }) => Math.sqrt((warmup || 10_000) / (t + (warmup > 0 ? 0 : 10_000))),
  wsd: holding((p) => 1 - p),
  "1-sqrt": holding((p) => 1 - Math.sqrt(p)),
};

export const scheduleNames: readonly ScheduleName[] = Object.keys(shapes) as ScheduleName[];

export const isScheduleName = (name: string): name is ScheduleName => Object.hasOwn(shapes, name);

/**
 * The schedule of a name.
 *
 * @example
 * const rate = schedule("cosine", { warmup: 10, final: 0.1 });
 * [rate(5, 100), rate(10, 100), rate(55, 100), rate(100, 100)]  // => [0.5, 1, 0.55, 0.1]
 */
export function schedule(name: ScheduleName, options: ScheduleOptions = {}): Schedule {
  const { warmup = 0, final = 0, decay, cycles = 1 } = options;
  if (!isScheduleName(name))
    throw new ConfigError(`schedule: expected one of ${scheduleNames.join(", ")}, got "${String(name)}".`);
  if (!(warmup >= 0)) throw new ConfigError(`schedule: expected a warmup of 0 or more, got ${warmup}.`);
  if (!(final >= 0 && final <= 1)) throw new ConfigError(`schedule: expected final in [0, 1], got ${final}.`);
  if (decay !== undefined && !(decay > 0)) throw new ConfigError(`schedule: expected a decay above 0, got ${decay}.`);
  if (decay !== undefined && (name === "constant" || name === "inverse-sqrt"))
    throw new ConfigError(`schedule: ${name} has no decay span, got decay = ${decay}. Leave it out.`);
  if (!(Number.isSafeInteger(cycles) && cycles >= 1))
    throw new ConfigError(`schedule: expected cycles to be a whole number of at least 1, got ${cycles}.`);
  if (cycles > 1 && name !== "cosine")
    throw new ConfigError(`schedule: ${name} has no cycles, got cycles = ${cycles}. Leave it out, or choose cosine.`);
  const shape = shapes[name];
  return (step, total) => {
    const updates = (span: number): number => (span < 1 ? Math.round(span * total) : span);
    const spans: Spans = {
      warmup: updates(warmup),
      decay: decay === undefined ? undefined : updates(decay),
      total,
      cycles,
    };
    if (step < spans.warmup) return step / spans.warmup;
    const value = shape(step, spans);
    return name === "inverse-sqrt" ? Math.max(final, value) : final + (1 - final) * value;
  };
}
