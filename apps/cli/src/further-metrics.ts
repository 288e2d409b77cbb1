/** The figures of a composed objective beside its first part's own: `nsp.accuracy`, `nsp.loss`. */

/** Names in words, and values as shares or as nats. The loss of the first part is `loss` already, and not said again. */
export function furtherMetrics(figures: object): readonly (readonly [name: string, shown: string])[] {
  const { loss } = figures as { readonly loss?: unknown };
  return Object.entries(figures).flatMap(([name, value]) => {
    if (!name.includes(".") || typeof value !== "number" || value === loss) return [];
    return [[name.replace(".", " "), name.endsWith(".accuracy") ? `${(value * 100).toFixed(1)} %` : value.toFixed(4)] as const];
  });
}
