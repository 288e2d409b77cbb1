/** `--optimizer`: the optimizers of @cloze/optim by name. */
import { adamw, byParameter, clipByPercentile, ema, lamb, muon, muonRules, stableAdamw, type Optimizer } from "@cloze/optim";

export interface OptimizerSettings {
  readonly optimizer: "adamw" | "muon" | "stable-adamw" | "lamb";
  readonly lr: number;
  /** With Muon: the rate of what it does not train. */
  readonly adamLr: number;
  readonly beta1: number;
  readonly beta2: number;
  /** These two may change over the run: `0:0.1,1:0.01`. */
  readonly weightDecay: number | string;
  readonly muonMomentum: number | string;
  readonly clipPercentile: number | undefined;
  readonly clipHistory: number;
  /** Decay of the moving average of the weights; undefined: there is none. */
  readonly ema: number | undefined;
}

/** Muon's steps have the length of the rate, AdamW's too, but by element: their rates are of different size. */
export const MUON_LR = 0.02;

/** The optimizer, and what was asked for around it. */
export function optimizerOf(settings: OptimizerSettings): Optimizer {
  const { clipPercentile: percentile, clipHistory: history, ema: decay } = settings, plain = plainOptimizer(settings);
  const clipped = percentile === undefined ? plain : clipByPercentile(plain, { percentile, history });
  return decay === undefined ? clipped : ema(clipped, { decay });
}

function plainOptimizer({ optimizer, lr, adamLr, beta1, beta2, weightDecay, muonMomentum }: OptimizerSettings): Optimizer {
  const adam = { beta1, beta2, weightDecay };
  switch (optimizer) {
    case "adamw": return adamw(adam);
    case "stable-adamw": return stableAdamw(adam);
    case "lamb": return lamb(adam);
    case "muon": return byParameter(muonRules({ matrices: muon({ momentum: muonMomentum, weightDecay, split: [{ name: "\\.Wqkv\\.", parts: 3 }] }), rest: adamw(adam), lrScale: adamLr / lr }));
  }
}
