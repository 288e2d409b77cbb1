/**
 * The public API for steps and evaluations without files, logs or Node. Use it to write another loop, for instance in a
 * browser's worker. `train` runs the same programs.
 */
export { prepareStep, Programs, type PreparedStep, type StepCall } from "./programs.ts";
export type { StepOptions } from "./step-options.ts";
export { Evaluator, type Evaluation, type EvaluationNumbers, type EvaluationResult } from "./evaluate.ts";
export { firstNonFinite, type Culprit } from "./diagnose.ts";
export { stepProgram, type TrainSetup } from "./train-programs.ts";
export type { ModelSource, Weights } from "./model-source.ts";
export type { TrainerState } from "./trainer-state.ts";
export { drawsOf } from "./draws.ts";
