/**
 * scatterAdd: out[r, j] = sum of update(i, j) over the i with index(i) = r, in an order that never varies, without
 * float atomics. What calls it most is the gradient of an embedding.
 *
 *   dense   few rows (a protein's vocabulary): a thread adds a stretch of updates, in order, into a column of all rows
 *           in
 *           workgroup memory; a second kernel adds the stretches. Each update is read once, in the order it lies.
 *   sorted  many rows, most of them empty (a vocabulary of words): indices are sorted, then each row adds its own list.
 *           Lists
 *           may be long (`[MASK]` is an eighth of all tokens), so whole blocks of a list are added beforehand, in
 *           parallel.
 *
 * Both write every row; one that no index names gets 0. An index outside [0, size) is left out. f16 is added in f32.
 */
import type { Loader, Part, Scratch, Storer } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { denseParts, denseRows } from "./dense.ts";
import { sortedParts } from "./sorted.ts";

export interface ScatterSpec {
  /** Indices, and rows of updates. */
  readonly count: number;
  /** Elements of a row. */
  readonly width: number;
  /** Rows of the result. */
  readonly size: number;
  /** `fn(i) -> i32`. */
  readonly index: Loader;
  /** `fn(i, j)`; f32, f16, or an integer, which is added as one. */
  readonly update: Loader;
  /** Takes (row, j, value), each element once: value is f32, or the update's integer type. */
  readonly store: Storer;
}

export interface ScatterParts {
  /** In the order they run. */
  readonly parts: readonly Part[];
  readonly scratch: readonly Scratch[];
}

export function scatterParts(spec: ScatterSpec, profile: Profile): ScatterParts {
  return spec.size <= denseRows(profile) ? denseParts(spec, profile) : sortedParts(spec, profile);
}
