/** The specification of a matmul kernel: several problems of one size side by side, each a sum of products. */
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
  /** Type of the elements that the loaders of A and B return. Sums are f32 for both types. */
  readonly element: "f32" | "f16";
  /** Problems with equal sizes and layouts that run in one dispatch: for example q, k and v. */
  readonly problems: readonly MatmulProblem[];
}

export interface MatmulProblem {
  /**
   * The products that are summed in one accumulator, in order: for example dX of q, k and v. Loaders take (batch, i,
   * j), with i and j in the order of storage.
   */
  readonly terms: readonly { readonly a: Loader; readonly b: Loader }[];
  /**
   * Stores (batch, row, col, value). The kernel calls it once for each element. With `splits` > 1 the first index is
   * split * batch + batch index, and the value is that split's partial sum over k.
   */
  readonly store: Storer;
  /**
   * Stores (batch, row, value). The value is the sum over k of row `row` of A in the first term. It gives the bias
   * gradient beside a weight gradient.
   */
  readonly rowSums?: Storer;
}
