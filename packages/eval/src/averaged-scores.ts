/**
 * Precision, recall and F1 from three counts per class, with the averages that papers report.
 *
 *   micro      from the summed counts
 *   macro      plain mean over the classes
 *   weighted   mean over the classes, weighted by how often each class is present
 *
 * 0 / 0 is 0 (`zero_division=0`). Checked against scikit-learn 1.9, test/goldens/tasks.json.
 */
import type { ClassCounts } from "./class-scores.ts";

export interface Scores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface SupportedScores extends Scores {
  /** Number of times that the class is present. */
  readonly support: number;
}

export interface AveragedScores {
  readonly micro: Scores;
  readonly macro: Scores;
  readonly weighted: Scores;
  readonly classes: readonly SupportedScores[];
}

const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);

/**
 * Scores of one class, or of summed counts. F1 is 2 hits / (predicted + present), the harmonic mean of precision and
 * recall.
 */
export function scoresOf(hits: number, predicted: number, present: number): Scores {
  return { precision: share(hits, predicted), recall: share(hits, present), f1: share(2 * hits, predicted + present) };
}

/**
 * Scores of each class and their averages. `over`: the classes of the macro mean, either all classes or only classes
 * that are present or predicted (scikit-learn's default for class ids).
 */
export function averagedScores(
  { hits, predicted, present }: ClassCounts,
  over: "all" | "occurring" = "occurring",
): AveragedScores {
  const classes = Array.from(hits, (h, k): SupportedScores => ({
    ...scoresOf(h, predicted[k] ?? 0, present[k] ?? 0),
    support: present[k] ?? 0,
  }));
  const counted = over === "all" ? classes : classes.filter((_, k) => (predicted[k] ?? 0) + (present[k] ?? 0) > 0);
  const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
  return {
    micro: scoresOf(sum(hits), sum(predicted), sum(present)),
    macro: mean(counted, () => 1),
    weighted: mean(classes, ({ support }) => support),
    classes,
  };
}

function mean(classes: readonly SupportedScores[], weigh: (scores: SupportedScores) => number): Scores {
  const total = classes.reduce((sum, each) => sum + weigh(each), 0);
  const of = (key: keyof Scores): number =>
    share(
      classes.reduce((sum, each) => sum + each[key] * weigh(each), 0),
      total,
    );
  return { precision: of("precision"), recall: of("recall"), f1: of("f1") };
}
