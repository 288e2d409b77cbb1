/**
 * The split rule of published protein sets: the held-out rows are drawn by row number, as Hugging Face `datasets` does
 * it.
 *
 *   shuffle(seeds.shuffle) -> train_test_split(heldOut, seeds.heldOut)
 *     -> of the held-out rows: train_test_split(half, seeds.halves)
 *
 * The last split's train rows are for validation, its test rows for testing. The parts of a set that is published in
 * parts are groups: each group is shuffled alone, then the groups are joined.
 *
 * Unlike the split by content, this split depends on the order and the number of the rows, and equal sequences may fall
 * into different splits. Its use is to compare with published figures. The training rows keep the order of the input,
 * because training shuffles them anyway.
 * Source: SpeedrunningPLMs, data/create_omgprot50_splits.py and create_uniref50_splits.py. Checked against numpy's
 * permutations.
 */
import { ConfigError } from "@cloze/errors";
import { numpyPermutation } from "./numpy-permutation.ts";
import type { SplitName } from "./split.ts";

export interface ShuffledSplit {
  /** Rows for validation and testing together, half for each. Of an odd number, testing has the larger half. */
  readonly heldOut: number;
  readonly seeds: { readonly shuffle: number; readonly heldOut: number; readonly halves: number };
  /**
   * The groups: the parts in which the set is published, in the order in which they are joined. Each group is a word in
   * the names of its files. Default: one group.
   */
  readonly groups?: readonly string[];
}

/**
 * The split of each held-out row, by row number. All other rows are for training. `sizes`: the rows of each group.
 *
 * @example
 * [...heldOutRows([10], { heldOut: 4, seeds: { shuffle: 11, heldOut: 22, halves: 33 } }).values()].toSorted()
 * // => ["test", "test", "valid", "valid"]
 */
export function heldOutRows(
  sizes: readonly number[],
  { heldOut, seeds }: ShuffledSplit,
): ReadonlyMap<number, SplitName> {
  const size = sizes.reduce((n, each) => n + each, 0);
  if (!Number.isInteger(heldOut) || heldOut < 2)
    throw new ConfigError(`split: expected to hold out two rows or more, got ${heldOut}.`);
  if (heldOut >= size)
    throw new ConfigError(
      `split: expected more than the ${heldOut} rows that are held out, got ${size}. Use the split by content ` +
        "for small sets: { seed: 0, valid: 0.01 }.",
    );
  const shuffledPlaces = numpyPermutation(seeds.heldOut, size, count(heldOut));
  const rows = rowsAt(shuffledPlaces, sizes, seeds.shuffle);
  const order = numpyPermutation(seeds.halves, heldOut, count(heldOut));
  const tested = Math.ceil(heldOut / 2);
  return new Map(Array.from(order, (which, i) => [rows[which] as number, i < tested ? "test" : "valid"] as const));
}

/** The row numbers at these places, after each group is shuffled alone and the groups are joined. */
function rowsAt(places: Uint32Array, sizes: readonly number[], seed: number): Uint32Array {
  const rows = new Uint32Array(places.length);
  let first = 0;
  for (const size of sizes) {
    const inside: number[] = [];
    for (let k = 0; k < places.length; k++)
      if ((places[k] as number) >= first && (places[k] as number) < first + size) inside.push(k);
    const found = numpyPermutation(
      seed,
      size,
      inside.map((k) => (places[k] as number) - first),
    );
    for (const [at, k] of inside.entries()) rows[k] = first + (found[at] as number);
    first += size;
  }
  return rows;
}

function count(size: number): Uint32Array {
  return Uint32Array.from({ length: size }, (_, i) => i);
}
