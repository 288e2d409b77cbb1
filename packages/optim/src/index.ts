/** Optimizers, clipping and accumulation, as parts of the graph. */
export {
  gradients,
  type ByName,
  type Optimizer,
  type Parameters,
  type Update,
  type UpdateInputs,
} from "./optimizer.ts";
export { adamw } from "./adamw.ts";
export type { AdamWOptions } from "./adam-options.ts";
export { stableAdamw } from "./stable-adamw.ts";
export { lamb } from "./lamb.ts";
export { muon, type MuonOptions } from "./muon.ts";
export { byParameter, muonRules, type OptimizerRule } from "./by-parameter.ts";
export { decayGroups, groupOf, layerGroups, type LayerGroupOptions, type ParameterGroup } from "./parameter-group.ts";
export { clipScale, globalNorm, type ClipOptions, type ClipScale } from "./clip.ts";
export { clipByPercentile, percentileOf, type ClipPercentileOptions } from "./clip-percentile.ts";
export { ema, type EmaOptions } from "./ema.ts";
export { lossScaler, type LossScale, type LossScaleOptions, type LossScaler, type StepOutcome } from "./loss-scale.ts";
export { accumulate, accumulators, resetAccumulators, type Accumulators } from "./accumulate.ts";
export { kindOf, type ParameterFacts, type Selection } from "./parameter.ts";
