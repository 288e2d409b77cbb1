/** Floating-point operations of a token, for models that are a stack of transformer layers with a masked-token head. */

export interface FlopsConfig {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly vocab: number;
  /** True if the head has a dense layer before its decoder. Default true. */
  readonly headDense?: boolean;
  /** Number of matrices `[hidden, intermediate]` in the feed-forward block: 3 in a gated block. Default 2. */
  readonly feedForwardMatrices?: number;
  /** Attention with heads in pairs: each map weighs the values of both heads. Default false. */
  readonly differential?: boolean;
  /**
   * By layer, the largest distance at which tokens see each other; undefined: any. Default: all tokens see each other.
   */
  readonly windows?: readonly (number | undefined)[];
}

export interface FlopsOptions {
  /** Share of the tokens that the head predicts. Default 0.15. */
  readonly predicted?: number;
  /** Counts forward and backward. Default true. */
  readonly training?: boolean;
}

/**
 * Floating-point operations for one token of a row of `seq` tokens: 2 for each weight of a matmul, and in each layer 4
 * hidden for every token seen (6 with differential attention). Backward costs twice the forward count. The head counts
 * for the share of predicted tokens.
 */
export function flopsPerToken(config: FlopsConfig, seq: number, options: FlopsOptions = {}): number {
  const { predicted = 0.15, training = true } = options;
  const {
    hidden,
    intermediate,
    layers,
    vocab,
    headDense = true,
    feedForwardMatrices = 2,
    differential = false,
    windows = [],
  } = config;
  const weights = layers * 2 * (4 * hidden ** 2 + feedForwardMatrices * hidden * intermediate);
  let seen = 0;
  for (let i = 0; i < layers; i++) seen += tokensSeen(seq, windows[i]);
  const forward =
    weights + (differential ? 6 : 4) * hidden * seen + predicted * 2 * ((headDense ? hidden ** 2 : 0) + hidden * vocab);
  return training ? 3 * forward : forward;
}

/**
 * Number of tokens at a distance of at most `window`, with the token itself: the mean over a row of `seq` tokens. The
 * tokens at the ends of a row see fewer.
 */
function tokensSeen(seq: number, window = Infinity): number {
  const reach = Math.min(window, seq - 1);
  return 2 * reach + 1 - (reach * (reach + 1)) / seq;
}
