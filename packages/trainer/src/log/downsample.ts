/**
 * Fewer points, the same picture: of every bucket of neighbours the lowest and the highest stay, so that no spike is
 * lost, and one value that is not finite, so that no NaN is hidden. An average would smooth away just what one looks
 * for.
 */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** At most about `limit` points of `points`, in their order; the first and the last always among them. */
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
 * Centred moving average over `2 * half + 1` points: it does not lag behind a falling curve as a running one does.
 * Towards the ends the window shrinks on both sides, and where under a third of it is left there is no average. Values
 * that are not finite are left out.
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
