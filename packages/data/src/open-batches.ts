/** Batches from their recipe: what another thread or a later process needs to make the same ones. */
import type { BatchRecipe, Batches } from "./batches.ts";
import type { Dataset, DatasetHandle } from "./dataset.ts";
import { MemoryDataset } from "./memory-dataset.ts";
import { packedBatches } from "./packed-batches.ts";
import { paddedBatches } from "./padded-batches.ts";
import { openShards } from "./shard-dataset.ts";

/** The data set of a handle. Shards are opened without comparing checksums again: whoever made the handle has. */
export async function openDataset(handle: DatasetHandle): Promise<Dataset> {
  if (handle.kind === "memory") return new MemoryDataset(handle.tokens, handle.offsets);
  return openShards(handle.index, { split: handle.split, verify: "sizes" });
}

export async function openBatches(recipe: BatchRecipe): Promise<Batches> {
  const dataset = await openDataset(recipe.dataset);
  return recipe.layout === "packed" ? packedBatches(dataset, recipe.options) : paddedBatches(dataset, recipe.options);
}
