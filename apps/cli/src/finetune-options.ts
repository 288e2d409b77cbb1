/** The options of `cloze finetune`, as a table. */
import { BACKEND_OPTIONS, PRECISION_OPTION } from "./compute-options.ts";
import { NUCLEOTIDE_OPTION } from "./data-options.ts";
import { inGroup } from "./options.ts";

const MODEL = {
  from: {
    kind: "string",
    value: "DIR|NAME",
    checkpoint: true,
    help: "the checkpoint to start from: a folder, a run, or a model of the Hub",
  },
  modelOptions: {
    kind: "json",
    default: "{}",
    help: "keys of its config.json to change, e.g. '{\"hidden_dropout_prob\":0.2}'",
  },
  scratch: { kind: "boolean", help: "begin from new weights instead of the checkpoint's: what it is better than" },
  freeze: { kind: "integer", min: 0, help: "keep the embeddings and so many layers as they are" },
} as const;

const DATA = {
  data: {
    kind: "list",
    value: "FILE",
    file: true,
    help: "training examples: TSV, CSV, JSONL, Parquet; CoNLL for tags; the JSON of SQuAD for questions",
  },
  valid: {
    kind: "list",
    value: "FILE",
    file: true,
    help: "examples to evaluate on after each epoch; the best checkpoint is kept",
  },
  splitColumn: {
    kind: "string",
    value: "NAME",
    default: "auto",
    help: ("column that marks rows to train, valid and test, without --valid; auto: set, split or validation; none: " +
      "take all rows") as string,
  },
  unlabelled: {
    kind: "choice",
    choices: ["refuse", "skip"],
    default: "refuse",
    help: "rows whose label is empty, NaN or NA: an error, or left out",
  },
  similarLabels: {
    kind: "choice",
    choices: ["refuse", "merge", "keep"],
    default: "refuse",
    help: "labels that differ only by blanks, upper case or as 1 and 1.0: an error, one label, or two",
  },
  format: {
    kind: "choice",
    choices: ["jsonl", "csv", "tsv", "text", "parquet"],
    help: "of --data and --valid; text is CoNLL (default: by the endings; of standard input JSONL)",
  },
  columns: {
    kind: "string",
    value: "NAMES",
    help: "text,label: columns of a file without a header, in order; text=review,label=stars: ours=theirs",
  },
  maxLength: {
    kind: "integer",
    min: 8,
    help: ("longest row in tokens; longer texts are cut, or read in windows (default 128, questions 384, and more " +
      "where that would cut many)") as string,
  },
} as const;

const TASK = {
  task: {
    kind: "choice",
    choices: [
      "text-classification",
      "multi-label",
      "regression",
      "token-classification",
      "question-answering",
      "multiple-choice",
    ],
    help: "what is to be learnt",
  },
  tagScheme: {
    kind: "choice",
    choices: ["auto", "IOB1", "IOB2", "IO", "IOE1", "IOE2", "IOBES", "BILOU", "BMES", "bare", "none"],
    default: "auto",
    help: "how tags spell entities (default: as the training data shows); none: each tag by itself",
  },
  labels: { kind: "list", value: "LABEL", help: "labels in order (default: those of the training data)" },
  classWeights: {
    kind: "string",
    value: "WEIGHTS",
    help: "balanced, or what a mistake costs by label: rare=5,common=1",
  },
  noAnswer: { kind: "boolean", help: "questions may have no answer (SQuAD 2)" },
  threshold: {
    kind: "number",
    help: "multi-label: probability above which a label is given (default 0.5); questions: above it there is no answer",
  },
} as const;

const LENGTH = {
  epochs: { kind: "number", above: 0, default: 3, help: "passes over the training data" },
  batch: { kind: "integer", min: 1, default: 16, help: "examples in a step" },
  accumulate: { kind: "integer", min: 1, default: 1, help: "parts that a step is computed in" },
} as const;

const OPTIMIZER = {
  weightDecay: { kind: "number", min: 0, default: 0.01, help: "of matrices; vectors do not decay" },
  clip: { kind: "number", min: 0, default: 1, help: "largest norm of the gradient; 0: any" },
} as const;

const RATE = {
  lr: { kind: "number", above: 0, default: 5e-5, help: "peak learning rate" },
  schedule: {
    kind: "choice",
    choices: ["linear", "cosine", "constant", "inverse-sqrt", "wsd", "1-sqrt"],
    default: "linear",
    help: "how the rate falls",
  },
  warmup: { kind: "number", min: 0, default: 0.1, help: "steps of warm-up; below 1, a share" },
  layerDecay: {
    kind: "number",
    above: 0,
    max: 1,
    default: 1,
    help: "rate of a layer as a share of that of the layer above",
  },
} as const;

const SAVING = {
  evalEvery: { kind: "count", min: 1, help: "steps between evaluations (default: an epoch)" },
  metric: { kind: "string", value: "NAME", help: "figure that says which checkpoint is best (default: the task's)" },
  patience: { kind: "integer", min: 1, help: "end after so many evaluations without a better one" },
  out: { kind: "string", value: "DIR", help: "run folder (default: runs/…)" },
  resume: { kind: "string", value: "DIR", inFile: false, help: "go on with an interrupted run" },
  acceptChangedData: {
    kind: "boolean",
    default: false,
    inFile: false,
    help: "with --resume: go on although files that the run read have changed; the run keeps a record of it",
  },
} as const;

const OTHER = {
  seed: { kind: "integer", min: 0, default: 0, help: "of new weights, order and dropout" },
  seeds: {
    kind: "integer",
    min: 1,
    max: 100,
    default: 1,
    help: "runs, from --seed on; figures are then a mean and a deviation",
  },
} as const;

export const FINETUNE_OPTIONS: typeof TASK &
  typeof MODEL &
  typeof DATA &
  typeof NUCLEOTIDE_OPTION &
  typeof LENGTH &
  typeof OPTIMIZER &
  typeof RATE &
  typeof SAVING &
  typeof BACKEND_OPTIONS &
  typeof PRECISION_OPTION &
  typeof OTHER = {
  ...inGroup("Task", TASK),
  ...inGroup("Model", MODEL),
  ...inGroup("Data", DATA),
  ...NUCLEOTIDE_OPTION,
  ...inGroup("Length and batches", LENGTH),
  ...inGroup("Optimizer", OPTIMIZER),
  ...inGroup("Learning rate", RATE),
  ...inGroup("Evaluation and saving", SAVING),
  ...BACKEND_OPTIONS,
  ...PRECISION_OPTION,
  ...OTHER,
};

/** The option `--columns`, for every command that reads records. */
export const COLUMNS_OPTION: Pick<typeof FINETUNE_OPTIONS, "columns"> = { columns: FINETUNE_OPTIONS.columns };

/** The options that choose rows of labelled files, for every command that reads their labels. */
export const ROWS_OPTIONS: Pick<typeof FINETUNE_OPTIONS, "splitColumn" | "unlabelled"> = {
  splitColumn: FINETUNE_OPTIONS.splitColumn,
  unlabelled: FINETUNE_OPTIONS.unlabelled,
};
