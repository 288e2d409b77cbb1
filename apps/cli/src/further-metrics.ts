/**
 * Figures beside the first part of an objective's own: those of its other parts, `nsp.accuracy`, and of averaged
 * weights, `ema.loss`.
 */

/**
 * Names in words, and values as shares or as nats. The loss of the first part is `loss` already, and not said again.
 */
export function furtherMetrics(figures: object): readonly (readonly [name: string, shown: string])[] {
  const { loss } = figures as { readonly loss?: unknown };
  return Object.entries(figures).flatMap(([name, value]) => {
    // Of the averaged weights the loss and accuracy are enough; metrics.jsonl has them all.
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
