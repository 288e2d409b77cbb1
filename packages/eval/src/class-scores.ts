/**
 * Scores of a classifier from three counts per class: how often the class was predicted correctly, was predicted, and
 * was present. These counts are the diagonal and the two margins of the confusion matrix. Precision, recall, F1 and the
 * Matthews coefficient need nothing else of the matrix. So the memory is 3 numbers per class instead of classes²: a
 * 50,000-word vocabulary costs 1.2 MB, not 20 GB.
 *
 * The conventions are scikit-learn's: `average="weighted"` (each class weighted by how often it is present),
 * `zero_division=0`. Checked against: scikit-learn 1.9, packages/eval/test/goldens/metrics.json.
 */

/** Per-class counts, all `[classes]`. `hits[k]` tokens of class k were predicted as k. */
export interface ClassCounts {
  readonly hits: Float64Array;
  readonly predicted: Float64Array;
  readonly present: Float64Array;
}

export interface ClassScores {
  readonly accuracy: number;
  /**
   * Mean over the classes, weighted by how often each class is present. A class that was never predicted has precision
   * 0.
   */
  readonly precision: number;
  /** Weighted recall. By definition it equals the accuracy; it is here because people look for it. */
  readonly recall: number;
  /** Weighted mean of the classes' F1, not the F1 of the two means above. */
  readonly f1: number;
  /** Matthews correlation for any number of classes; 0 if all targets or all predictions are the same class. */
  readonly mcc: number;
}

/**
 * Accuracy, weighted precision, recall and F1, and the Matthews correlation coefficient.
 *
 * Cost:   one pass over the classes.
 * Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient" (mcc).
 */
export function classScores({ hits, predicted, present }: ClassCounts): ClassScores {
  const total = sum(present);
  let right = 0;
  let precision = 0;
  let f1 = 0;
  let covariance = 0;
  let spreadPredicted = 0;
  let spreadPresent = 0;
  for (let k = 0; k < present.length; k++) {
    const h = hits[k] ?? 0;
    const p = predicted[k] ?? 0;
    const t = present[k] ?? 0;
    right += h;
    if (p > 0) precision += (t / total) * (h / p);
    if (p + t > 0) f1 += (t / total) * ((2 * h) / (p + t));
    // h * total - p * t and total² - Σp², rearranged (true negatives first), so that no digits cancel at any size.
    covariance += h * (total - p - t + h) - (p - h) * (t - h);
    spreadPredicted += p * (total - p);
    spreadPresent += t * (total - t);
  }
  const spread = Math.sqrt(spreadPredicted * spreadPresent);
  return { accuracy: right / total, precision, recall: right / total, f1, mcc: spread === 0 ? 0 : covariance / spread };
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
