/** The public API of tasks: their inputs, heads, answers and scores. Files and training: `@cloze/tasks/node`. */
export {
  textClassification,
  type TextClass,
  type TextClassificationOptions,
  type TextRecord,
} from "./text-classification.ts";
export { regression, type NumberPrediction, type ScoredRecord } from "./regression.ts";
export { multiLabel, type LabelledRecord, type LabelSet, type MultiLabelOptions } from "./multi-label.ts";
export {
  tokenClassification,
  type TaggedEntity,
  type TaggedRecord,
  type TaggedWord,
  type Tagging,
  type TokenClassificationOptions,
} from "./token-classification.ts";
export {
  questionAnswering,
  type Answer,
  type AnswerCandidate,
  type GivenAnswer,
  type QuestionAnsweringOptions,
  type QuestionRecord,
} from "./question-answering.ts";
export { multipleChoice, type Choice, type ChoiceRecord } from "./multiple-choice.ts";
export {
  TASK_KINDS,
  type EncodedRow,
  type EncodeLimits,
  type Fields,
  type Figures,
  type Head,
  type LabelScores,
  type RowTarget,
  type Task,
  type TaskKind,
  type TaskPart,
} from "./task.ts";
export {
  createTaskModel,
  type ManyOf,
  type StreamOptions,
  type TaskModel,
  type TaskModelOptions,
} from "./task-model.ts";
export { TaskEvaluation, type TaskEvaluationOptions, type TaskFigures, type TaskReport } from "./task-evaluation.ts";
export { taskObjective } from "./task-objective.ts";
export {
  encodeExamples,
  encodeLabelled,
  type Cut,
  type EncodedExamples,
  type LabelledExamples,
} from "./encode-examples.ts";
export { rowBatches, rowLength, type RowBatches, type RowBatchOptions, type RowGroup } from "./row-batches.ts";
export {
  parseTask,
  TASK_FILE,
  taskOf,
  taskOfConfig,
  taskText,
  type AnyTaskOptions,
  type SavedTask,
  type TasksByKind,
} from "./saved-task.ts";
export type { LabelValue } from "./labels.ts";
export { parseConll, type TaggedSentence } from "./conll.ts";
export { parseSquad } from "./squad.ts";
