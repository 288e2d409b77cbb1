/**
 * Steps and evaluations without files, logs or Node: what a loop of one's own is made of, in a browser's worker for
 * one. `train` runs the same programs.
 */
export { prepareStep, Programs, type PreparedStep, type StepCall } from "./programs.ts";
export type { StepOptions } from "./step-options.ts";
export { Evaluator, type Evaluation, type EvaluationNumbers, type EvaluationResult } from "./evaluate.ts";
export { firstNonFinite, type Culprit } from "./diagnose.ts";
export { stepProgram, type TrainSetup } from "./train-programs.ts";
export type { ModelSource, Weights } from "./model-source.ts";
export type { TrainerState } from "./trainer-state.ts";
