/** The public API of the training loop: training, evaluation, checkpoints, resume, logs and reports. Node only. */
export { type Until } from "./budget.ts";
export { type Stage, type Stages } from "./stages.ts";
export { train, type TrainEvent, type TrainOptions, type TrainResult } from "./loop.ts";
export { type BestCheckpoint, type BestRule, type BestSoFar } from "./best.ts";
export { Evaluator, type Evaluation, type EvaluationNumbers, type EvaluationResult } from "./evaluate.ts";
export {
  checkpointsFolder,
  checkResumable,
  loadTrainerState,
  loadWeights,
  newestCheckpoint,
  saveCheckpoint,
  saveStep,
  tensorSources,
  type CheckpointContents,
} from "./checkpoint.ts";
export type { TrainerState } from "./trainer-state.ts";
export {
  accumulateProgram,
  applyProgram,
  resetProgram,
  stepProgram,
  traceLoss,
  type TrainSetup,
} from "./train-programs.ts";
export type { FeedTypes } from "@cloze/nn";
export type { ModelSource, Weights } from "./model-source.ts";
export { NumericError, type NumericFacts } from "./numeric-error.ts";
export { firstNonFinite, type Culprit } from "./diagnose.ts";
export { initialState } from "./state.ts";
export {
  MetricsLog,
  parseMetrics,
  readMetrics,
  withoutTime,
  type MetricsFile,
  type MetricsRow,
  type MetricsTime,
} from "./log/metrics-log.ts";
export { TensorBoardWriter } from "./log/tensorboard.ts";
export { renderReport, type ReportOptions } from "./log/report.ts";
export { formatProgress, ProgressWriter, type ProgressState, type ProgressStream } from "./log/progress.ts";
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatFlops,
  formatInteger,
  formatValue,
} from "./log/human-format.ts";
export { planTraining, type StepPlan } from "./programs.ts";
