/**
 * The public API of pretraining objectives: the contract and its shared pieces. The kit that tests an objective is
 * `@cloze/objective/kit`.
 */
export { feedTypes } from "./objective.ts";
export type {
  LossTerm,
  LossTerms,
  Moment,
  Objective,
  ObjectiveMaker,
  Prepared,
  Rows,
  TokenPredictions,
  TokenSet,
  WeightedSum,
} from "./objective.ts";
export { shareFeed, shareFeeds, totalLoss, type TotalLoss } from "./total-loss.ts";
export { EVALUATION_RATE, contentKey, evaluationMask, maskTokenOf } from "./evaluation-mask.ts";
export {
  TOKEN_LOSS_KEYS,
  tokenLoss,
  type PredictedTokens,
  type TokenLoss,
  type TokenLossOptions,
} from "./token-loss.ts";
export { slotCount, slotFeeds, type Target } from "./slots.ts";
export { predictSlots } from "./predict-slots.ts";
export { encoderFeeds } from "./batch-feeds.ts";
export { encoderInputsOf as encoderInputs } from "@cloze/nn";
export { checkModel, unionOfParts } from "./model-parts.ts";
export { hasPart, missingMethods, PART_METHODS, type AnyModel, type ModelPart, type ModelParts } from "@cloze/nn";
export { composeObjectives, type ComposeOptions } from "./compose.ts";
export { sentencePairObjective } from "./sentence-pair.ts";
