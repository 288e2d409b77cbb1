/** What a matmul kernel is asked for: several products of one size side by side, each a sum of products. */
import type { Loader, Storer } from "./kernel.ts";

export interface MatmulSpec {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** A is stored [batch, k, m] instead of [batch, m, k]. */
  readonly transposeA: boolean;
  /** B is stored [batch, n, k] instead of [batch, k, n]. */
  readonly transposeB: boolean;
  /** What the loaders of A and B yield. Products are accumulated in f32 either way. */
  readonly element: "f32" | "f16";
  /** Products that share sizes and layouts and run in one dispatch: q, k and v. */
  readonly problems: readonly MatmulProblem[];
}

export interface MatmulProblem {
  /**
   * Summed one after another into one accumulator: dX of q, k and v. Loaders take (batch, i, j) in the order stored.
   */
  readonly terms: readonly { readonly a: Loader; readonly b: Loader }[];
  /**
   * Takes (batch, row, col, value), each element once. With `splits` > 1 the first index is split * batch + batch
   * index, and the value is that split's part of the sum over k.
   */
  readonly store: Storer;
  /**
   * Takes (batch, row, value): the sum over k of row `row` of A (the first term): the bias gradient beside a weight
   * gradient.
   */
  readonly rowSums?: Storer;
}
