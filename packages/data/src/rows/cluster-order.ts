/**
 * The order of an epoch that shows one example of each cluster. The clusters are shuffled, and each epoch draws a new
 * member of each cluster, as ESM-2 drew a UniRef90 sequence of each UniRef50 cluster. The order is a pure function of
 * (seed, epoch, place). Only the clusters are stored.
 * Source: Lin et al. 2023, doi:10.1126/science.ade2574, supplement A.1.1.
 */
import { RandomStream } from "@cloze/random";
import { shuffledOrder, type Order } from "./shuffle.ts";

/** Examples by cluster: cluster c holds the examples members[ends[c - 1], ends[c]). */
export interface Clusters {
  readonly ends: Uint32Array;
  readonly members: Uint32Array;
}

/**
 * @example
 * const order = clusterOrder({ ends: Uint32Array.of(1, 3), members: Uint32Array.of(7, 8, 9) }, { seed: 0, epoch: 0 });
 * [order(0), order(1)].includes(7)  // => true
 */
export function clusterOrder(
  { ends, members }: Clusters,
  key: { readonly seed: number; readonly epoch: number },
): Order {
  const order = shuffledOrder(ends.length, key);
  const stream = new RandomStream(key.seed).split("cluster").split(key.epoch);
  return (place) => {
    const cluster = order(place);
    const from = cluster === 0 ? 0 : (ends[cluster - 1] as number);
    const size = (ends[cluster] as number) - from;
    // The upper part of 32 bits times the size: uniform to one part in 2^32 / size.
    return members[from + (size === 1 ? 0 : Math.floor((stream.bits(cluster) * size) / 2 ** 32))] as number;
  };
}
