/**
 * Scores of a regression: predicted numbers against target numbers. Checked against scikit-learn 1.9 and scipy 1.17,
 * test/goldens/tasks.json.
 *
 *   mse   mean (y - p)²            r2  1 - Σ (y - p)² / Σ (y - mean y)²
 *   mae   mean |y - p|             pearson, spearman   NaN for a constant list
 */
import { ConfigError } from "@cloze/errors";
import { expectPairs } from "./class-report.ts";
import { spearman } from "./spearman.ts";

export interface RegressionScores {
  readonly mse: number;
  readonly rmse: number;
  readonly mae: number;
  /**
   * 1 is perfect, 0 is no better than the mean. For constant targets: 1 if all predictions are exact, otherwise 0, as
   * in scikit-learn.
   */
  readonly r2: number;
  /** NaN for fewer than 2 examples. */
  readonly pearson: number;
  /** NaN for fewer than 2 examples. */
  readonly spearman: number;
}

/** Shapes: targets and predictions `[n]`. Throws ConfigError on different lengths or empty lists. */
export function regressionScores(targets: ArrayLike<number>, predictions: ArrayLike<number>): RegressionScores {
  expectPairs("regressionScores", targets, predictions);
  const n = targets.length;
  const mean = sumOf(targets) / n;
  let squares = 0;
  let absolute = 0;
  let spread = 0;
  for (let i = 0; i < n; i++) {
    const y = targets[i] as number;
    const error = y - (predictions[i] as number);
    squares += error * error;
    absolute += Math.abs(error);
    spread += (y - mean) ** 2;
  }
  const r2 = spread > 0 ? 1 - squares / spread : squares === 0 ? 1 : 0;
  const ranked = n > 1;
  return {
    mse: squares / n,
    rmse: Math.sqrt(squares / n),
    mae: absolute / n,
    r2,
    pearson: ranked ? pearson(targets, predictions) : NaN,
    spearman: ranked ? spearman(targets, predictions) : NaN,
  };
}

/**
 * Pearson's correlation, in [-1, 1]; NaN for a constant list.
 *
 * @example
 * pearson([1, 2, 3], [2, 4, 6])  // => 1
 */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length || x.length < 2)
    throw new ConfigError(`pearson: expected two lists of one length >= 2, got ${x.length} and ${y.length}.`);
  const n = x.length;
  const mx = sumOf(x) / n;
  const my = sumOf(y) / n;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < n; i++) {
    const dx = (x[i] as number) - mx;
    const dy = (y[i] as number) - my;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
}
