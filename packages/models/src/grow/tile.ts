/**
 * Tiling from the middle: a tensor of a small model as the same tensor of a larger model.
 *
 *   big[j] = small[(j - o) mod n]      o = floor((N - n) / 2), along every axis
 *
 * The old tensor stands in the middle, and its copies continue to both sides. Some axes hold several things in a row
 * (the rows of q, k and v in one matrix, the channels of each head). These axes are tiled by their factors, so that a
 * head remains a head: [3, 2 heads, 64] -> [3, 4, 64].
 *
 * Layers are taken evenly: layer i of N is layer floor((i + 1/2) n / N) of n, the layer at the same depth.
 *
 * Sources: Warner et al. 2024, arXiv:2412.13663, section 2.4, on the start of ModernBERT-large; Rae et al. 2021,
 * arXiv:2112.11446, appendix G.3.3, on layers. Both round i n / N to a whole number. This gives the same for most
 * layers, but uses every other layer three times where the depth doubles.
 */
import { ConfigError } from "@cloze/errors";

/** Sizes of an axis's factors, outermost first. */
export type Factors = readonly number[];

/**
 * For each place of the axis `to`, its source place in the axis `from`. Throws ConfigError where a factor would shrink.
 */
export function tileAxis(from: Factors, to: Factors, what: string): Int32Array {
  let places = Int32Array.of(0);
  for (const [k, size] of to.entries()) {
    const was = from[k] ?? 1;
    const inner = places;
    const offset = Math.floor((size - was) / 2);
    const { length } = inner;
    if (size < was)
      throw new ConfigError(
        `${what}: expected at least the size of the small model, [${from.join(", ")}], got [${to.join(", ")}]. A ` +
          "model can only grow; choose a larger one.",
      );
    places = new Int32Array(length * size);
    // Every earlier place covers `was` places at this level.
    for (let i = 0; i < length; i++)
      for (let j = 0; j < size; j++)
        places[i * size + j] = (inner[i] as number) * was + ((((j - offset) % was) + was) % was);
  }
  return places;
}

/** How often each of `count` places occurs in `places`. */
export function timesTaken(places: Int32Array, count: number): Int32Array {
  const times = new Int32Array(count);
  for (const place of places) times[place] = (times[place] as number) + 1;
  return times;
}

/** The elements of `data` `[rows, columns]` at the places of both axes, row-major. */
export function tileMatrix(
  data: ArrayLike<number>,
  columns: number,
  [rowPlaces, columnPlaces]: readonly [Int32Array, Int32Array],
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rowPlaces.length * columnPlaces.length);
  let at = 0;
  for (const row of rowPlaces) for (const column of columnPlaces) out[at++] = data[row * columns + column] as number;
  return out;
}

/** For each of `to` layers, its source layer among `from` layers. */
export const evenly = (from: number, to: number): readonly number[] =>
  Array.from({ length: to }, (_, i) => Math.floor(((2 * i + 1) * from) / (2 * to)));
