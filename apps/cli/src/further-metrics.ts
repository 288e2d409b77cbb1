/**
 * Figures beyond those of an objective's first part: figures of its other parts, `nsp.accuracy`, and of averaged
 * weights, `ema.loss`.
 */

/**
 * Names in words, with values as shares or in nats. A value that equals `loss` is left out: it is the loss of the first
 * part, which is shown already.
 */
export function furtherMetrics(figures: object): readonly (readonly [name: string, shown: string])[] {
  const { loss } = figures as { readonly loss?: unknown };
  return Object.entries(figures).flatMap(([name, value]) => {
    // Loss and accuracy are enough for averaged weights; metrics.jsonl has all their figures.
    if (name.startsWith("ema.") && !["ema.loss", "ema.accuracy"].includes(name)) return [];
    if (!name.includes(".") || typeof value !== "number" || value === loss) return [];
    return [
      [
        name.replace(".", " "),
        name.endsWith(".accuracy") ? `${(value * 100).toFixed(1)} %` : value.toFixed(4),
      ] as const,
    ];
  });
}
