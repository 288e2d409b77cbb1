/**
 * The kernels of scatterAdd: out[r, j] = sum of update(i, j) over the i with index(i) = r. The order of the sum is
 * fixed, without float atomics. The main use is the gradient of an embedding.
 *
 *   dense   for few rows (the vocabulary of proteins). A thread adds a stretch of updates, in order, to one column of
 *           all rows in workgroup memory. A second kernel adds the stretches. Each update is read once, in the order of
 *           memory.
 *   sorted  for many rows, most of them empty (a vocabulary of words). Indices are sorted, then each row adds its own
 *           list. A list may be long (`[MASK]` is an eighth of all tokens), so whole blocks of a list are added first,
 *           in parallel.
 *
 * Both write every row; a row without indices gets 0. An index outside [0, size) is ignored. f16 is added in f32.
 */
import type { Loader, Part, Scratch, Storer } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { denseParts, denseRows } from "./dense.ts";
import { sortedParts } from "./sorted.ts";

export interface ScatterSpec {
  /** Number of indices, and of rows of updates. */
  readonly count: number;
  /** Elements in a row. */
  readonly width: number;
  /** Rows of the result. */
  readonly size: number;
  /** `fn(i) -> i32`. */
  readonly index: Loader;
  /** `fn(i, j)`: f32, f16, or an integer. Integers are added as integers. */
  readonly update: Loader;
  /** Stores (row, j, value), once for each element. `value` is f32, or the update's integer type. */
  readonly store: Storer;
}

export interface ScatterParts {
  /** Parts in the order of execution. */
  readonly parts: readonly Part[];
  readonly scratch: readonly Scratch[];
}

export function scatterParts(spec: ScatterSpec, profile: Profile): ScatterParts {
  return spec.size <= denseRows(profile) ? denseParts(spec, profile) : sortedParts(spec, profile);
}
