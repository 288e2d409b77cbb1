/** Batches opened from their recipe, so that another thread or a later process makes the same batches. */
import { ConfigError } from "@cloze/errors";
import type { BatchRecipe, Batches } from "./batches.ts";
import type { Dataset, DatasetHandle } from "../rows/dataset.ts";
import { isDocumentDataset, SentenceDocuments } from "../rows/document-dataset.ts";
import { MemoryDataset } from "../rows/memory-dataset.ts";
import { mix } from "../rows/mix.ts";
import { packedBatches } from "./packed-batches.ts";
import { paddedBatches } from "./padded-batches.ts";
import { pairBatches } from "./pair-batches.ts";
import { openSentenceShards } from "../shards/sentence-shards.ts";
import { openShards } from "../shards/shard-dataset.ts";
import { windowed } from "../rows/windows.ts";

/** The data set of a handle. Checksums of shards are not compared again: whoever made the handle has compared them. */
export async function openDataset(handle: DatasetHandle): Promise<Dataset> {
  switch (handle.kind) {
    case "memory":
      return new MemoryDataset(handle.tokens, handle.offsets);
    case "shards":
      return openShards(handle.index, { split: handle.split, verify: "sizes" });
    case "documents":
      return new SentenceDocuments(await openDataset(handle.of), handle.starts);
    case "sentences":
      return openSentenceShards(handle.index, { split: handle.split, verify: "sizes" });
    case "windows":
      return windowed(await openDataset(handle.of), handle);
    case "mix":
      return mix(
        await Promise.all(handle.parts.map(async ({ of, weight }) => ({ dataset: await openDataset(of), weight }))),
        { by: handle.by },
      );
  }
}

export async function openBatches(recipe: BatchRecipe): Promise<Batches> {
  const dataset = await openDataset(recipe.dataset);
  switch (recipe.layout) {
    case "packed":
      return packedBatches(dataset, recipe.options);
    case "padded":
      return paddedBatches(dataset, recipe.options);
    case "pairs":
      if (!isDocumentDataset(dataset))
        throw new ConfigError(
          `openBatches: expected a handle of documents for pairs, got one of ${recipe.dataset.kind}. Take the ` +
            "recipe of pairBatches.",
        );
      return pairBatches(dataset, recipe.options);
  }
}
