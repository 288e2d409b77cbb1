/** The contract of a pretraining objective. The kit that tests one is `@cloze/objective/kit`. */
export { feedTypes } from "./objective.ts";
export type {
  LossTerms, AnyModel, ModelPart, ModelParts, Moment, Objective, ObjectiveMaker, Prepared, TokenPredictions, TokenSet, WeightedSum,
} from "./objective.ts";
export { slotCount, slotFeeds, type Target } from "./slots.ts";
export { encoderFeeds, encoderInputs } from "./batch-feeds.ts";
