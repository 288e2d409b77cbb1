/**
 * Scores of sets of labels: each example has any number of labels. The averages micro, macro and weighted are over
 * labels; `samples` is the average over examples. Checked against scikit-learn 1.9 on indicator matrices,
 * test/goldens/tasks.json.
 */
import { ConfigError } from "@cloze/errors";
import { averagedScores, scoresOf, type AveragedScores, type Scores } from "./averaged-scores.ts";
import { expectPairs } from "./class-report.ts";

export interface MultiLabelScores extends AveragedScores {
  /** Mean over the examples of each example's own scores. An example without targets and predictions counts 0. */
  readonly samples: Scores;
  /** Fraction of the examples whose whole set is correct. */
  readonly exactMatch: number;
  /** Fraction of the single decisions that are wrong. */
  readonly hammingLoss: number;
  readonly examples: number;
}

/**
 * Shapes: targets and predictions `[examples * labels]`, 0 or 1, example by example.
 * Throws: ConfigError on different lengths, or a length that is no multiple of `labels`.
 */
export function multiLabelScores(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  labels: number,
): MultiLabelScores {
  expectPairs("multiLabelScores", targets, predictions);
  const examples = targets.length / labels;
  if (!Number.isInteger(examples))
    throw new ConfigError(
      `multiLabelScores: expected a multiple of ${labels} labels, got ${targets.length} decisions. Pass a row of ` +
        "labels for each example.",
    );
  const hits = new Float64Array(labels);
  const predicted = new Float64Array(labels);
  const present = new Float64Array(labels);
  const samples = { precision: 0, recall: 0, f1: 0 };
  let exact = 0;
  let wrong = 0;
  for (let row = 0; row < examples; row++) {
    let h = 0;
    let p = 0;
    let t = 0;
    for (let k = 0; k < labels; k++) {
      const target = targets[row * labels + k] === 1 ? 1 : 0;
      const prediction = predictions[row * labels + k] === 1 ? 1 : 0;
      const hit = target * prediction;
      hits[k] = (hits[k] as number) + hit;
      predicted[k] = (predicted[k] as number) + prediction;
      present[k] = (present[k] as number) + target;
      h += hit;
      p += prediction;
      t += target;
    }
    const own = scoresOf(h, p, t);
    for (const key of ["precision", "recall", "f1"] as const) samples[key] += own[key] / examples;
    wrong += p + t - 2 * h;
    if (p + t === 2 * h) exact += 1;
  }
  return {
    ...averagedScores({ hits, predicted, present }, "all"),
    samples,
    exactMatch: exact / examples,
    hammingLoss: wrong / targets.length,
    examples,
  };
}
