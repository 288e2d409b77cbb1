/** Batches from their recipe: what another thread or a later process needs to make the same ones. */
import type { BatchRecipe, Batches } from "./batches.ts";
import type { Dataset, DatasetHandle } from "./dataset.ts";
import { MemoryDataset } from "./memory-dataset.ts";
import { mix } from "./mix.ts";
import { packedBatches } from "./packed-batches.ts";
import { paddedBatches } from "./padded-batches.ts";
import { openSentenceShards } from "./sentence-shards.ts";
import { openShards } from "./shard-dataset.ts";
import { windowed } from "./windows.ts";

/** The data set of a handle. Shards are opened without comparing checksums again: whoever made the handle has. */
export async function openDataset(handle: DatasetHandle): Promise<Dataset> {
  switch (handle.kind) {
    case "memory": return new MemoryDataset(handle.tokens, handle.offsets);
    case "shards": return openShards(handle.index, { split: handle.split, verify: "sizes" });
    case "sentences": return openSentenceShards(handle.index, { split: handle.split, verify: "sizes" });
    case "windows": return windowed(await openDataset(handle.of), handle);
    case "mix": return mix(await Promise.all(handle.parts.map(async ({ of, weight }) => ({ dataset: await openDataset(of), weight }))), { by: handle.by });
  }
}

export async function openBatches(recipe: BatchRecipe): Promise<Batches> {
  const dataset = await openDataset(recipe.dataset);
  return recipe.layout === "packed" ? packedBatches(dataset, recipe.options) : paddedBatches(dataset, recipe.options);
}
