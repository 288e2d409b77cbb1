/** Text classification: one class for a text or a pair of texts, such as sentiment, topic, entailment or paraphrase. */
import { classReport, rocAuc, type ClassReport } from "@cloze/eval";
import { encodeRows } from "./encode-text.ts";
import { field, labelOf, missing, optionalText, textField } from "./fields.ts";
import {
  balancedWeights,
  checkLabels,
  classWeights,
  labelId,
  labelNames,
  largest,
  softmaxOf,
  type LabelValue,
} from "./labels.ts";
import { classesHead } from "./sequence-head.ts";
import type { Fields, Task } from "./task.ts";

export interface TextRecord {
  readonly text: string;
  /** The second text of a pair. */
  readonly pair?: string | undefined;
  readonly label?: LabelValue | undefined;
}

export interface TextClass {
  readonly label: string;
  /** Probability of the label. */
  readonly score: number;
  /** Probabilities by label. */
  readonly scores: Readonly<Record<string, number>>;
}

export interface TextClassificationOptions {
  /** Default: the labels of the training data, in order of number or name. */
  readonly labels?: readonly string[];
  /**
   * Weight of each class in the loss, by label (default 1). "balanced": rare classes have larger weights, computed from
   * the training data.
   */
  readonly classWeights?: Readonly<Record<string, number>> | "balanced";
}

/**
 * @example
 * const task = textClassification({ labels: ["negative", "positive"] });
 */
export function textClassification(options: TextClassificationOptions = {}): Task<TextRecord, TextClass> {
  const { classWeights: given } = options;
  const labels = checkLabels(options.labels ?? [], "textClassification", 2);
  return {
    kind: "text-classification",
    labels,
    problemType: "single_label_classification",
    settings: {},
    best: { metric: "accuracy", better: "higher" },
    grouped: false,
    columns: ["text", "pair", "label"],
    head: classesHead(
      Math.max(2, labels.length),
      classWeights(given === "balanced" ? undefined : given, labels, "textClassification"),
    ),
    fit(records) {
      const values = records.map(({ label }, i) => label ?? missingLabel(i));
      const weights = given === "balanced" ? balancedWeights(values) : given;
      return textClassification({
        labels: labels.length > 0 ? labels : labelNames(values),
        ...(weights && { classWeights: weights }),
      });
    },
    record: (input) => (typeof input === "string" ? { text: input } : input),
    read: (fields, where, labelled) => ({
      ...readTexts(fields, where),
      label: labelled ? readLabel(fields, where) : readLabel(fields),
    }),
    encode: (tokenizer, { text, pair }, { maxLength }) => encodeRows(tokenizer, { text, pair }, { maxLength }),
    targets: ({ label }, _rows, where) => [[labelId(labels, label, where)]],
    decode(_record, _rows, [logits = new Float32Array(0)]) {
      const chances = softmaxOf(logits);
      const at = largest(chances);
      return {
        label: labels[at] ?? String(at),
        score: chances[at] as number,
        scores: Object.fromEntries(Array.from(chances, (p, k) => [labels[k] ?? String(k), p])),
      };
    },
    score(records, outputs) {
      const { targets, report } = reportOf(labels, records, outputs);
      const { accuracy, mcc, macro, weighted } = report;
      return {
        accuracy,
        mcc,
        macroF1: macro.f1,
        macroPrecision: macro.precision,
        macroRecall: macro.recall,
        weightedF1: weighted.f1,
        weightedPrecision: weighted.precision,
        weightedRecall: weighted.recall,
        ...(labels.length === 2 && {
          f1: report.classes[1]?.f1 ?? 0,
          auc: rocAuc(
            targets,
            outputs.map(({ scores }) => scores[labels[1] as string] as number),
          ),
        }),
      };
    },
    byLabel: (records, outputs) =>
      Object.fromEntries(
        reportOf(labels, records, outputs).report.classes.map((scores, k) => [labels[k] as string, scores]),
      ),
    cells: ({ label, score }) => ({ label, score }),
  };
}

function reportOf(
  labels: readonly string[],
  records: readonly TextRecord[],
  outputs: readonly TextClass[],
): { readonly targets: readonly number[]; readonly report: ClassReport } {
  const targets = records.map(({ label }) => labelId(labels, label, "score"));
  return {
    targets,
    report: classReport(
      targets,
      outputs.map(({ label }) => labels.indexOf(label)),
      labels.length,
    ),
  };
}

/** The texts of a row. */
export function readTexts(fields: Fields, where: string): { readonly text: string; readonly pair: string | undefined } {
  return { text: textField(fields, "text", where), pair: optionalText(fields, "pair", where) };
}

function readLabel(fields: Fields, where?: string): LabelValue | undefined {
  const value = field(fields, "label");
  const label = labelOf(value);
  if (label !== undefined || where === undefined) return label;
  throw missing(fields, "label", "a label", value, where);
}

export function missingLabel(index: number): never {
  throw new RangeError(`labels are taken from labelled records; record ${index + 1} has none`);
}
