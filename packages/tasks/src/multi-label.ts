/** Multi-label classification: any number of labels for a text or a pair of texts, each decided independently. */
import { finiteNumber } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { multiLabelScores, type MultiLabelScores } from "@cloze/eval";
import { encodeRows } from "./encode-text.ts";
import { field, labelTexts, missing } from "./fields.ts";
import { checkLabels, classWeights, labelId, labelNames } from "./labels.ts";
import { labelsHead } from "./sequence-head.ts";
import type { Fields, Task } from "./task.ts";
import { missingLabel, readTexts } from "./text-classification.ts";

export interface LabelledRecord {
  readonly text: string;
  readonly pair?: string | undefined;
  /** The correct labels. An empty list: no label is correct. */
  readonly labels?: readonly string[] | undefined;
}

export interface LabelSet {
  /** Labels with a probability above the threshold. */
  readonly labels: readonly string[];
  /** Probabilities by label. */
  readonly scores: Readonly<Record<string, number>>;
}

export interface MultiLabelOptions {
  /** Default: the labels of the training data. */
  readonly labels?: readonly string[];
  /** A label is predicted if its probability is above this threshold. Default 0.5. */
  readonly threshold?: number;
  /** Weight of each label in the loss (default 1). */
  readonly classWeights?: Readonly<Record<string, number>>;
}

export function multiLabel(options: MultiLabelOptions = {}): Task<LabelledRecord, LabelSet> {
  const { threshold = 0.5 } = options;
  const labels = checkLabels(options.labels ?? [], "multiLabel", 1);
  if (!(threshold > 0 && threshold < 1))
    throw new ConfigError(`multiLabel: expected a threshold between 0 and 1, got ${threshold}.`);
  const decisions = (chosen: readonly string[], where: string): readonly number[] => {
    const ids = new Set(chosen.map((label) => labelId(labels, label, where)));
    return labels.map((_, k) => Number(ids.has(k)));
  };
  const scoresOf = (records: readonly LabelledRecord[], outputs: readonly LabelSet[]): MultiLabelScores =>
    multiLabelScores(
      records.flatMap(({ labels: given = [] }) => decisions(given, "score")),
      outputs.flatMap(({ labels: given }) => decisions(given, "score")),
      labels.length,
    );
  return {
    kind: "multi-label",
    labels,
    problemType: "multi_label_classification",
    settings: { threshold },
    best: { metric: "microF1", better: "higher" },
    grouped: false,
    columns: ["text", "pair", "labels"],
    head: labelsHead(Math.max(1, labels.length), classWeights(options.classWeights, labels, "multiLabel")),
    fit: (records) =>
      multiLabel({
        ...options,
        labels:
          labels.length > 0 ? labels : labelNames(records.flatMap(({ labels: given }, i) => given ?? missingLabel(i))),
      }),
    record: (input) => (typeof input === "string" ? { text: input } : input),
    read: (fields, where, labelled) => ({
      ...readTexts(fields, where),
      labels: readIndicators(fields, labels) ?? readLabels(fields, where, labelled),
    }),
    encode: (tokenizer, { text, pair }, { maxLength }) => encodeRows(tokenizer, { text, pair }, { maxLength }),
    targets({ labels: given }, _rows, where) {
      if (given === undefined)
        throw new ConfigError(`${where}: expected labels, got none. An empty list says that there are none.`);
      return [decisions(given, where)];
    },
    decode(_record, _rows, [logits = new Float32Array(0)]) {
      const chances = Array.from(logits, (x) => 1 / (1 + Math.exp(-x)));
      return {
        labels: labels.filter((_, k) => (chances[k] as number) > threshold),
        scores: Object.fromEntries(labels.map((label, k) => [label, chances[k] as number])),
      };
    },
    score(records, outputs) {
      const { micro, macro, weighted, samples, exactMatch, hammingLoss } = scoresOf(records, outputs);
      return {
        microF1: micro.f1,
        microPrecision: micro.precision,
        microRecall: micro.recall,
        macroF1: macro.f1,
        weightedF1: weighted.f1,
        samplesF1: samples.f1,
        exactMatch,
        hammingLoss,
      };
    },
    byLabel: (records, outputs) =>
      Object.fromEntries(scoresOf(records, outputs).classes.map((scores, k) => [labels[k] as string, scores])),
    cells: ({ labels: given }) => ({ labels: given.join(";") }),
  };
}

/**
 * The labels from one column per label, each 0 or 1, or true or false. Undefined if the labels are not known or the
 * columns do not exist.
 */
function readIndicators(fields: Fields, labels: readonly string[]): readonly string[] | undefined {
  const values = labels.map((label) => {
    const value = Object.hasOwn(fields, label) ? fields[label] : undefined;
    return typeof value === "boolean" ? Number(value) : finiteNumber(value);
  });
  return labels.length > 0 && values.every((value) => value === 0 || value === 1)
    ? labels.filter((_, k) => values[k] === 1)
    : undefined;
}

/** The labels from a list, or from one text with semicolons or commas between labels. */
function readLabels(fields: Fields, where: string, labelled: boolean): readonly string[] | undefined {
  const value = field(fields, "label");
  if (typeof value === "string")
    return value
      .split(/[;,]/)
      .map((label) => label.trim())
      .filter((label) => label !== "");
  const list = labelTexts(Array.isArray(value) ? value : [value]);
  if (list !== undefined) return list;
  if (value === undefined && !labelled) return undefined;
  throw missing(fields, "label", "a list of labels, or labels between semicolons", value, where);
}
