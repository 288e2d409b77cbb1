/**
 * The contract of a task. A task is a value that defines: how records are read and become rows of tokens, which head of
 * a model they need and the head's loss, how logits become an answer, and how answers are scored. A task knows no
 * model, no backend and no file.
 *
 *   record ─encode─▶ rows ─┬─ targets ─▶ head.loss            (training)
 *                          └─ head.logits ─▶ decode ─▶ score   (prediction, evaluation)
 *
 * A record is usually one row. It is several rows if a text is cut into windows, or if each choice is read separately.
 */
import type { SupportedScores } from "@cloze/eval";
import type { HostTensors, Tensor } from "@cloze/graph";
import type { EncoderInputs, Scope } from "@cloze/nn";
import type { LossTerms, ModelParts } from "@cloze/objective";
import type { TokenBatch, Tokenizer, Utf16Offsets } from "@cloze/tokenizer";

export const TASK_KINDS = [
  "text-classification",
  "multi-label",
  "regression",
  "token-classification",
  "question-answering",
  "multiple-choice",
] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** The model part that a task can require. */
export type TaskPart = "sequence-classification" | "token-classification" | "question-answering" | "multiple-choice";

/**
 * One sequence as the model reads it, with the origin of its tokens. All arrays have the length of `ids`, except
 * `offsets`, which has twice that length.
 */
export interface EncodedRow {
  readonly ids: Int32Array;
  /** Token types. Absent if the tokenizer does not support pairs. */
  readonly types?: Int32Array;
  /** Start and end of each token in its text, in UTF-16 units. */
  readonly offsets: Utf16Offsets;
  /** Number of the token's word in its text; -1 for special tokens. */
  readonly words: Int32Array;
  /** 0 for tokens of the first text, 1 for the second, -1 for special tokens. */
  readonly sequences: Int32Array;
  /** Number of tokens that `maxLength` cut off and that no other row holds. */
  readonly truncated: number;
}

/** The target of one row. Each head defines the meaning of the numbers. */
export type RowTarget = ArrayLike<number>;

export interface Head {
  readonly requires: TaskPart;
  /** Number of logits for each row, or with `perToken` for each token. */
  readonly width: number;
  readonly perToken: boolean;
  /** `[rows, width]`, or `[rows, length, width]`. */
  logits(scope: Scope, model: ModelParts[TaskPart], inputs: EncoderInputs): Tensor<"f32">;
  /** The feeds of the loss, besides the encoder's feeds. `targetOf`: the target of each example in the batch. */
  targetFeeds(batch: TokenBatch, targetOf: (example: number) => RowTarget): HostTensors;
  loss(logits: Tensor<"f32">, feeds: Readonly<Record<string, Tensor>>): Pick<LossTerms, "loss" | "metrics">;
}

export interface EncodeLimits {
  /** Largest number of tokens in a row, special tokens included. */
  readonly maxLength: number;
}

/** Figures by name. */
export type Figures = Readonly<Record<string, number>>;

/** Precision, recall, F1 and support by label. */
export type LabelScores = Readonly<Record<string, SupportedScores>>;

/** A row of a file: fields by name, as `readRows` of @cloze/data returns them. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Task<R extends object = object, O extends object = object> {
  readonly kind: TaskKind;
  readonly head: Head;
  /**
   * The label names in the order of `id2label`. Empty if the kind has no labels, or if `fit` has not yet taken the
   * labels from data.
   */
  readonly labels: readonly string[];
  readonly problemType?: "regression" | "single_label_classification" | "multi_label_classification";
  /** The options that a saved model must keep, as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The figure that selects the better model. */
  readonly best: { readonly metric: string; readonly better: "higher" | "lower" };
  /** True if the rows of a record must be in one batch. */
  readonly grouped: boolean;
  /**
   * The fields of a record that the task reads, in the order of a file without a header. The last field is the label.
   */
  readonly columns: readonly string[];

  /** The task with labels. If the options gave none, the labels come from these records. */
  fit(records: readonly R[]): Task<R, O>;
  /** A record from a caller's input: the record itself, or a text if the task needs only a text. */
  record(given: R | string): R;
  /**
   * A record from a row of a file. `where` names the row in errors. If `labelled` is false, the label may be missing.
   */
  read(fields: Fields, where: string, labelled: boolean): R;
  encode(tokenizer: Tokenizer, record: R, limits: EncodeLimits): readonly EncodedRow[];
  /** A target for each row. Throws ConfigError for a missing or unknown label; the message begins with `where`. */
  targets(record: R, rows: readonly EncodedRow[], where: string): readonly RowTarget[];
  /** The answer for a record. `logits`: for each row, `[width]` or `[tokens * width]`. */
  decode(record: R, rows: readonly EncodedRow[], logits: readonly Float32Array[]): O;
  /** Figures over labelled records. */
  score(records: readonly R[], outputs: readonly O[]): Figures;
  /** The scores of each label or each entity type. Absent if the kind has no labels. */
  byLabel?(records: readonly R[], outputs: readonly O[]): LabelScores;
  /**
   * The answer as files have it: places in a text count code points, as in Python, where `decode` counts UTF-16 units.
   * Absent if an answer holds no places.
   */
  inFile?(record: R, output: O): O;
  /** The answer of one record, as files have it, as columns of a table. */
  cells(output: O): Readonly<Record<string, string | number>>;
}
