/**
 * A task is a value: what it reads, how that becomes rows of tokens, which head of a model it needs and what that
 * loses, how logits become an answer, and how answers are scored. It knows no model, no backend and no file.
 *
 *   record ─encode─▶ rows ─┬─ targets ─▶ head.loss            (training)
 *                          └─ head.logits ─▶ decode ─▶ score   (prediction, evaluation)
 *
 * A record is usually one row; several where a text is cut into windows, or where each choice is read by itself.
 */
import type { SupportedScores } from "@cloze/eval";
import type { HostTensors, Tensor } from "@cloze/graph";
import type { EncoderInputs, Scope } from "@cloze/nn";
import type { LossTerms, ModelParts } from "@cloze/objective";
import type { TokenBatch, Tokenizer } from "@cloze/tokenizer";

export const TASK_KINDS = [
  "text-classification",
  "multi-label",
  "regression",
  "token-classification",
  "question-answering",
  "multiple-choice",
] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** What a task may ask of a model. */
export type TaskPart = "sequence-classification" | "token-classification" | "question-answering" | "multiple-choice";

/**
 * One sequence as a model reads it, and where its tokens come from. All arrays are as long as `ids`, `offsets` twice
 * that.
 */
export interface EncodedRow {
  readonly ids: Int32Array;
  /** Absent where the tokenizer knows no pairs. */
  readonly types?: Int32Array;
  /** Start and end in the text that a token is of, in UTF-16 units. */
  readonly offsets: Int32Array;
  /** Number of the token's word in its text; -1 for special tokens. */
  readonly words: Int32Array;
  /** 0 for tokens of the first text, 1 for the second, -1 for special tokens. */
  readonly sequences: Int32Array;
  /** Tokens that `maxLength` cut off, and no other row holds. */
  readonly truncated: number;
}

/** What a head is to give for one row; what the numbers mean is the head's. */
export type RowTarget = ArrayLike<number>;

export interface Head {
  readonly requires: TaskPart;
  /** Numbers for each row, or for each token. */
  readonly width: number;
  readonly perToken: boolean;
  /** `[rows, width]`, or `[rows, length, width]`. */
  logits(scope: Scope, model: ModelParts[TaskPart], inputs: EncoderInputs): Tensor<"f32">;
  /** Feeds of the loss beside the encoder's; the targets of a batch's examples. */
  targetFeeds(batch: TokenBatch, targetOf: (example: number) => RowTarget): HostTensors;
  loss(logits: Tensor<"f32">, feeds: Readonly<Record<string, Tensor>>): Pick<LossTerms, "loss" | "metrics">;
}

export interface EncodeLimits {
  /** Most tokens in a row, special tokens included. */
  readonly maxLength: number;
}

/** Figures by name. */
export type Figures = Readonly<Record<string, number>>;

/** Precision, recall, F1 and support by label. */
export type LabelScores = Readonly<Record<string, SupportedScores>>;

/** A row of a file: fields by name, as `readRows` of @cloze/data gives them. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Task<R extends object = object, O extends object = object> {
  readonly kind: TaskKind;
  readonly head: Head;
  /** `id2label`; empty where the kind has none, or where they are still to be taken from data (`fit`). */
  readonly labels: readonly string[];
  readonly problemType?: "regression" | "single_label_classification" | "multi_label_classification";
  /** Options that a saved model needs again, as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The figure that says which model is better. */
  readonly best: { readonly metric: string; readonly better: "higher" | "lower" };
  /** Whether the rows of a record must lie in one batch. */
  readonly grouped: boolean;
  /** What of a record's fields is read, in the order of a file without a header; the last one is the label. */
  readonly columns: readonly string[];

  /** The task with its labels taken from these records, where they were not given. */
  fit(records: readonly R[]): Task<R, O>;
  /** A record from what a caller gives: itself, or a text where that is enough. */
  record(given: R | string): R;
  /** A record from a row of a file. `where` names the row in errors. Without `labelled` the label may be missing. */
  read(fields: Fields, where: string, labelled: boolean): R;
  encode(tokenizer: Tokenizer, record: R, limits: EncodeLimits): readonly EncodedRow[];
  /** A target for each row. Throws ConfigError, beginning with `where`, for a label that is missing or unknown. */
  targets(record: R, rows: readonly EncodedRow[], where: string): readonly RowTarget[];
  /** `logits` by row: `[width]`, or `[tokens * width]`. */
  decode(record: R, rows: readonly EncodedRow[], logits: readonly Float32Array[]): O;
  /** Of labelled records. */
  score(records: readonly R[], outputs: readonly O[]): Figures;
  /** The scores of each label by itself, or of each type of entity; absent where there are no labels. */
  byLabel?(records: readonly R[], outputs: readonly O[]): LabelScores;
  /** The answer of one record as columns of a table. */
  cells(output: O): Readonly<Record<string, string | number>>;
}
