/** What a token costs, for models that are a stack of transformer layers with a masked-token head. */

export interface FlopsConfig {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly vocab: number;
  /** The head has a dense layer before its decoder. Default true. */
  readonly headDense?: boolean;
}

/**
 * Floating-point operations for one token of a row of `seq`: 2 for each weight of a matmul and 4 seq hidden for the attention of
 * each layer; backward twice that. The head counts for the share of tokens that is predicted.
 */
export function flopsPerToken(config: FlopsConfig, seq: number, options: { readonly predicted?: number; readonly training?: boolean } = {}): number {
  const { predicted = 0.15, training = true } = options, { hidden, intermediate, layers, vocab, headDense = true } = config;
  const perLayer = 2 * (4 * hidden ** 2 + 2 * hidden * intermediate) + 4 * seq * hidden;
  const forward = layers * perLayer + predicted * 2 * ((headDense ? hidden ** 2 : 0) + hidden * vocab);
  return training ? 3 * forward : forward;
}
