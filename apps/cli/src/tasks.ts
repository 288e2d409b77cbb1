/** `cloze/tasks`: fine-tuning and its models, for programs. The command line is `cloze`. */
export { finetune, taskPipeline, type Examples, type FinetunedModel, type FinetuneRequest, type PipelineOptions } from "./library.ts";
export {
  multiLabel, multipleChoice, questionAnswering, regression, textClassification, tokenClassification,
  type Answer, type Choice, type ChoiceRecord, type LabelledRecord, type LabelSet, type NumberPrediction, type QuestionRecord, type ScoredRecord,
  type TaggedRecord, type Tagging, type Task, type TaskKind, type TaskModel, type TextClass, type TextRecord,
} from "@cloze/tasks";
