/**
 * Scores of a classifier: accuracy, the Matthews coefficient, precision, recall and F1 with all averages, and the
 * scores of each class. Checked against scikit-learn 1.9 (`precision_recall_fscore_support`, `matthews_corrcoef`,
 * `roc_auc_score`), test/goldens/tasks.json.
 */
import { ConfigError } from "@cloze/errors";
import { averagedScores, type AveragedScores } from "./averaged-scores.ts";
import { classScores } from "./class-scores.ts";
import { averageRanks } from "./spearman.ts";

export interface ClassReport extends AveragedScores {
  readonly accuracy: number;
  /** Matthews correlation for any number of classes; 0 if all targets or all predictions are the same class. */
  readonly mcc: number;
  readonly examples: number;
}

/**
 * Shapes: targets and predictions `[n]`, ids of `count` classes.
 * Throws: ConfigError on different lengths, empty lists, or an id outside `[0, count)`.
 *
 * @example
 * classReport([0, 1, 1, 0], [0, 1, 0, 0], 2).macro.f1  // => 0.7333333333333334
 */
export function classReport(targets: ArrayLike<number>, predictions: ArrayLike<number>, count: number): ClassReport {
  expectPairs("classReport", targets, predictions);
  const hits = new Float64Array(count);
  const predicted = new Float64Array(count);
  const present = new Float64Array(count);
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i] as number;
    const prediction = predictions[i] as number;
    for (const [what, id] of [
      ["target", target],
      ["prediction", prediction],
    ] as const) {
      if (!(Number.isInteger(id) && id >= 0 && id < count))
        throw new ConfigError(
          `classReport: expected every ${what} in [0, ${count}), got ${id} at position ${i}. Is the number of ` +
            "classes right?",
        );
    }
    present[target] = (present[target] as number) + 1;
    predicted[prediction] = (predicted[prediction] as number) + 1;
    if (target === prediction) hits[target] = (hits[target] as number) + 1;
  }
  const counts = { hits, predicted, present };
  const { accuracy, mcc } = classScores(counts);
  return { accuracy, mcc, examples: targets.length, ...averagedScores(counts) };
}

/**
 * Area under the ROC curve: the probability that a random example of the class has a higher score than a random example
 * outside the class. Equal scores count half.
 *
 * Shapes: targets `[n]`, 0 or 1; scores `[n]`, on any scale where higher means more likely.
 * Returns NaN if all targets are equal. Cost: one sort. Source: Hanley and McNeil 1982 (by way of the rank sum).
 *
 * @example
 * rocAuc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])  // => 0.75
 */
export function rocAuc(targets: ArrayLike<number>, scores: ArrayLike<number>): number {
  expectPairs("rocAuc", targets, scores);
  const ranks = averageRanks(scores);
  let positives = 0;
  let sum = 0;
  for (let i = 0; i < targets.length; i++) {
    if (targets[i] !== 0 && targets[i] !== 1)
      throw new ConfigError(
        `rocAuc: expected targets of 0 or 1, got ${targets[i]} at position ${i}. Ask of one class at a time.`,
      );
    if (targets[i] === 0) continue;
    positives += 1;
    sum += ranks[i] as number;
  }
  return (sum - (positives * (positives + 1)) / 2) / (positives * (targets.length - positives));
}

/** Throws ConfigError unless both lists have the same length, at least 1. */
export function expectPairs(where: string, targets: ArrayLike<number>, predictions: ArrayLike<number>): void {
  if (targets.length !== predictions.length || targets.length === 0) {
    throw new ConfigError(
      `${where}: expected as many predictions as targets and at least one, got ${predictions.length} and ` +
        `${targets.length}. Pass one prediction for each target.`,
    );
  }
}
