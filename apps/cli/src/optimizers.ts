/** The optimizers of @cloze/optim, by the names of `--optimizer`. */
import { ConfigError } from "@cloze/errors";
import {
  adamw,
  byParameter,
  clipByPercentile,
  ema,
  lamb,
  muon,
  muonRules,
  stableAdamw,
  type Optimizer,
  type ParameterGroup,
} from "@cloze/optim";
import { schedule, type Schedule, type ScheduleName } from "@cloze/schedule";

export interface OptimizerSettings {
  readonly optimizer: "adamw" | "muon" | "stable-adamw" | "lamb";
  readonly lr: number;
  /** With Muon: the rate of the parameters that AdamW trains. */
  readonly adamLr: number;
  /** With Muon: the rates of embedding tables and of the head's matrices. Undefined: `adamLr`. */
  readonly embeddingLr?: number | undefined;
  readonly headLr?: number | undefined;
  readonly beta1: number;
  readonly beta2: number;
  /** `weightDecay` and `muonMomentum` may change over the run: `0:0.1,1:0.01`. */
  readonly weightDecay: number | string;
  readonly muonMomentum: number | string;
  readonly clipPercentile: number | undefined;
  readonly clipHistory: number;
  /** Decay of the moving average of the weights. Undefined: no average. */
  readonly ema: number | undefined;
}

/**
 * Muon's default rate. A whole step of Muon has the length of the rate; in AdamW each element of a step has it. So the
 * rates of the two differ in size.
 */
const MUON_LR = 0.02;

/** The options with the optimizer's default rate, if the user set no rate. */
export function withUsualRate<T extends Pick<OptimizerSettings, "optimizer" | "lr">>(
  options: T,
  given: ReadonlySet<string>,
): T {
  return options.optimizer === "muon" && !given.has("lr") ? { ...options, lr: MUON_LR } : options;
}

/** The schedule of `--schedule`, with warm-up, final rate and decay. */
export function scheduleOf({
  schedule: name,
  warmup,
  finalLr,
  decay,
}: {
  readonly schedule: ScheduleName;
  readonly warmup: number;
  readonly finalLr: number;
  readonly decay: number | undefined;
}): Schedule {
  return schedule(name, { warmup, final: name === "constant" ? 0 : finalLr, ...(decay !== undefined && { decay }) });
}

/**
 * The optimizer, with clipping by percentile and a moving average of the weights around it if the user asked for them.
 */
export function optimizerOf(settings: OptimizerSettings): Optimizer {
  const { clipPercentile: percentile, clipHistory: history, ema: decay } = settings;
  const plain = plainOptimizer(settings);
  const clipped = percentile === undefined ? plain : clipByPercentile(plain, { percentile, history });
  return decay === undefined ? clipped : ema(clipped, { decay });
}

function plainOptimizer(settings: OptimizerSettings): Optimizer {
  const { optimizer, lr, adamLr, beta1, beta2, weightDecay, muonMomentum } = settings;
  const adam = { beta1, beta2, weightDecay };
  if (optimizer !== "muon") {
    const own = (["embeddingLr", "headLr"] as const).find((key) => settings[key] !== undefined);
    if (own !== undefined)
      throw new ConfigError(
        `--${own === "headLr" ? "head-lr" : "embedding-lr"}: expected --optimizer muon, which divides the ` +
          `parameters, got ${optimizer}. Leave it out.`,
      );
  }
  switch (optimizer) {
    case "adamw":
      return adamw(adam);
    case "stable-adamw":
      return stableAdamw(adam);
    case "lamb":
      return lamb(adam);
    case "muon":
      return byParameter(
        muonRules({
          matrices: muon({ momentum: muonMomentum, weightDecay }),
          rest: adamw(ratesByPart(settings)),
          lrScale: adamLr / lr,
        }),
      );
  }
}

/**
 * AdamW's settings beside Muon. Embedding tables and head matrices have their own rates; vectors and scalars have
 * AdamW's rate and no decay.
 */
function ratesByPart({
  adamLr,
  embeddingLr,
  headLr,
  beta1,
  beta2,
  weightDecay,
}: OptimizerSettings): Parameters<typeof adamw>[0] {
  if (embeddingLr === undefined && headLr === undefined) return { beta1, beta2, weightDecay };
  if (typeof weightDecay === "string")
    throw new ConfigError(
      `--weight-decay: expected one value beside --embedding-lr and --head-lr, got ${weightDecay}. Give one, or ` +
        "leave the two rates out.",
    );
  const ofKind = (kind: string, rate = adamLr): ParameterGroup => ({
    kinds: [kind],
    weightDecay,
    lrScale: rate / adamLr,
  });
  return {
    beta1,
    beta2,
    groups: [
      ofKind("table", embeddingLr),
      ofKind("head", headLr),
      { kinds: ["vector"], weightDecay: 0 },
      { weightDecay },
    ],
  };
}
