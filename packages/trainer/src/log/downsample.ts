/**
 * The points of a curve, thinned out without a visible change. From every bucket of neighbouring points, the lowest and
 * the highest point stay, so that no spike is lost. One value that is not finite stays too, so that no NaN is hidden.
 * An average would hide exactly these points.
 */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** About `limit` of the points at most, in their order, always with the first and the last point. */
export function downsample(points: readonly Point[], limit: number): readonly Point[] {
  if (points.length <= limit) return points;
  const buckets = Math.max(1, Math.floor((limit - 2) / 2));
  const kept: Point[] = [];
  for (let b = 0; b < buckets; b++) {
    const start = Math.floor((b * points.length) / buckets);
    const end = Math.floor(((b + 1) * points.length) / buckets);
    let low = -1;
    let high = -1;
    let broken = -1;
    for (let i = start; i < end; i++) {
      const y = points[i]!.y;
      if (!Number.isFinite(y)) broken = broken < 0 ? i : broken;
      else {
        if (low < 0 || y < points[low]!.y) low = i;
        if (high < 0 || y > points[high]!.y) high = i;
      }
    }
    const chosen = new Set([low, high, broken, b === 0 ? start : -1, b === buckets - 1 ? end - 1 : -1]);
    chosen.delete(-1);
    for (const i of [...chosen].sort((i, j) => i - j)) kept.push(points[i]!);
  }
  return kept;
}

/**
 * Centred moving average over `2 * half + 1` points. It does not lag behind a falling curve, unlike a running average.
 * Towards the ends the window shrinks on both sides. Where less than a third of the window is left, there is no
 * average. Values that are not finite are left out.
 */
export function smooth(points: readonly Point[], half: number): readonly Point[] {
  const finite = points.filter(({ y }) => Number.isFinite(y));
  const sums = new Float64Array(finite.length + 1);
  finite.forEach(({ y }, i) => void (sums[i + 1] = sums[i]! + y));
  return finite.flatMap(({ x }, i) => {
    const reach = Math.min(half, i, finite.length - 1 - i);
    return reach < half / 3 ? [] : [{ x, y: (sums[i + reach + 1]! - sums[i - reach]!) / (2 * reach + 1) }];
  });
}
