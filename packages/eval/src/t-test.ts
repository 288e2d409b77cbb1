/**
 * Student's t-test of one sample: is the mean really below a target, or is the result chance?
 *
 *     t = (mean - target) / (s / sqrt(n))      p = P(T <= t), T of Student's distribution with n - 1 degrees of freedom
 *     P(T <= t) = I_x(d/2, 1/2) / 2 for t <= 0, x = d / (d + t^2); symmetry gives the values for t > 0
 *
 * I is the regularised incomplete beta function, computed by Lentz's continued fraction (Numerical Recipes, 3rd
 * edition, 6.4). I needs the gamma function, computed by Lanczos' series (Numerical Recipes, 6.1).
 */
import { ConfigError } from "@cloze/errors";

export interface TTest {
  readonly mean: number;
  /** Standard deviation of the sample, with the divisor n - 1. */
  readonly deviation: number;
  readonly t: number;
  /** The probability of this mean or a lower one if the true mean equals the target. */
  readonly p: number;
}

/**
 * One-sided test of "the mean is below the target".
 *
 * Throws ConfigError for fewer than 2 values, and for values that are not finite. Equal values give p = 0 or 1, and NaN
 * if they equal the target. Checked against: scipy 1.17 `ttest_1samp(alternative="less")`,
 * packages/eval/test/goldens/t-test.json, to 1e-8 relative.
 *
 * @example
 * oneSidedTTest([2.79, 2.81, 2.8], 2.86).p < 0.01  // => true
 */
export function oneSidedTTest(values: readonly number[], target: number): TTest {
  const wrong = [...values, target].find((value) => !Number.isFinite(value));
  if (values.length < 2 || wrong !== undefined)
    throw new ConfigError(
      "oneSidedTTest: expected at least 2 finite values and a finite target, got " +
        `${wrong === undefined ? `${values.length} values` : String(wrong)}. Run more seeds.`,
    );
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1));
  const t = (mean - target) / (deviation / Math.sqrt(n));
  return { mean, deviation, t, p: studentCdf(t, n - 1) };
}

/** P(T <= t) with `degrees` degrees of freedom, above 0. Checked against scipy to 1e-10 relative. */
export function studentCdf(t: number, degrees: number): number {
  if (Number.isNaN(t)) return NaN;
  const tail = Number.isFinite(t) ? incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2 : 0;
  return t <= 0 ? tail : 1 - tail;
}

/** I_x(a, b) for x in [0, 1]. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // The continued fraction converges fast only on one side of the mean.
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

const TINY = 1e-300;

function betaFraction(x: number, a: number, b: number): number {
  const away = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    h *= d * c;
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return h;
}

/** Lanczos' coefficients for g = 7 and 9 terms: 15 digits for x above 0. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  const sum = LANCZOS.reduce((total, term, i) => total + (i === 0 ? term : term / (x + i - 1)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
