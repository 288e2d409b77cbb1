/** An axis of a chart, linear or logarithmic: a map from values to [0, 1], and round numbers as labels. */
export interface AxisScale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** The position of a value: 0 at `low`, 1 at `high`. */
  at(value: number): number;
}

/**
 * A linear axis. Ticks are 1, 2 or 5 times a power of ten apart: about `count` ticks within [low, high], at least
 * `minStep` apart (1 for whole numbers). If `low` equals `high`, the range becomes wider.
 */
export function linearScale(low: number, high: number, count: number, minStep = 0): AxisScale {
  if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) * 0.05, high + Math.abs(high) * 0.05];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const off = (m: number): number => Math.abs(Math.log((m * power) / rough));
  const step = Math.max(minStep, power * [1, 2, 5, 10].reduce((best, m) => (off(m) < off(best) ? m : best)));
  const ticks: number[] = [];
  // Ticks come from an index and are rounded to 12 digits, because 0.1 + 0.2 must not become a label.
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return { low, high, ticks, at: (value) => (value - low) / (high - low) };
}

/**
 * A logarithmic axis. Ticks are at powers of ten; a narrow range also has some multiples of each power. `low` must be
 * above 0.
 */
export function logScale(low: number, high: number): AxisScale {
  const decades = Math.log10(high / low);
  const stride = Math.max(1, Math.ceil(decades / 6));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += stride) {
    for (const m of decades <= 1.5 ? [1, 2, 5] : decades <= 3 ? [1, 3] : [1]) {
      const tick = Number((m * 10 ** power).toPrecision(12));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return { low, high, ticks, at: (value) => Math.log(value / low) / Math.log(high / low) };
}

/** The shortest label of a value: `0`, `2.4`, `20k`, `1.5M`, `3e-4`. */
export function tickLabel(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size < 1e-3 || size >= 1e12) return value.toExponential().replace("e+", "e");
  for (const [unit, name] of [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (size >= unit) return `${Number((value / unit).toPrecision(6))}${name}`;
  }
  return String(Number(value.toPrecision(6)));
}
