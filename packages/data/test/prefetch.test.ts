import { FormatError } from "@cloze/errors";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TokenBatch } from "@cloze/tokenizer";
import { memoryDataset, packedBatches, paddedBatches } from "../src/index.ts";
import { openShards, prefetch, prepareShards } from "../src/node.ts";
import { scratch } from "./files.ts";
import { fastaText, tinyTokenizer } from "./tiny-tokenizer.ts";

const { folder, write } = scratch();
const tokenizer = tinyTokenizer();
const special = tokenizer.special;
const memory = memoryDataset(
  Array.from({ length: 200 }, (_, i) => Array.from({ length: 1 + (i % 50) }, (_, t) => ((i + t) % 20) + 4)),
);
const packed = packedBatches(memory, { seed: 1, length: 64, rowsPerBatch: 8, special });

async function direct(
  batches: { batchAt(step: number): Promise<TokenBatch> },
  from: number,
  until: number,
): Promise<TokenBatch[]> {
  return Promise.all(Array.from({ length: until - from }, (_, i) => batches.batchAt(from + i)));
}

describe("prefetch", () => {
  it.each([0, 1, 2, 3])("gives with %i workers what batchAt gives, in order", async (workers) => {
    const queue = prefetch(packed, { from: 7, until: 40, ahead: 5, workers });
    const got: TokenBatch[] = [];
    expect(queue.step).toBe(7);
    for await (const batch of queue) got.push(batch);
    expect(got).toEqual(await direct(packed, 7, 40));
    expect(queue.step).toBe(40);
  });

  it("works on shards, and ends with padded batches", async () => {
    const { path } = await prepareShards({
      files: [write("a.fa", fastaText(400))],
      tokenizer,
      out: join(folder, "shards"),
      split: { seed: 0, valid: 0 },
    });
    const data = await openShards(path);
    const padded = paddedBatches(data, { special, maxSequence: 128 });
    const got: TokenBatch[] = [];
    for await (const batch of prefetch(padded, { workers: 2 })) got.push(batch);
    expect(got).toEqual(await direct(padded, 0, padded.count));
    const queue = prefetch(packedBatches(data, { seed: 3, length: 256, rowsPerBatch: 2, special }), { from: 1000 });
    expect(await queue.next()).toEqual(
      await packedBatches(data, { seed: 3, length: 256, rowsPerBatch: 2, special }).batchAt(1000),
    );
    await queue.close();
    await expect(queue.next()).rejects.toThrow(/next\(\) after close/);
    data.close();
  });

  it("passes a worker's error on to the step that it belongs to", async () => {
    const { path } = await prepareShards({
      files: [write("b.fa", fastaText(50))],
      tokenizer,
      out: join(folder, "bad"),
      split: { seed: 0, valid: 0 },
    });
    const data = await openShards(path);
    const batches = packedBatches(data, { seed: 3, length: 256, rowsPerBatch: 2, special });
    writeFileSync(join(folder, "bad", "tokens_train_000000.bin"), "gone");
    const queue = prefetch(batches);
    const first = queue.next();
    await expect(first).rejects.toThrow(/tokens_train_000000\.bin: expected a header of 1024 bytes, got 4/);
    await expect(first).rejects.toSatisfy(FormatError.isInstance);
    await queue.close();
    data.close();
  });

  it("says why data without a handle cannot go to workers", async () => {
    const { handle: _, ...bare } = {
      size: memory.size,
      lengthOf: (i: number) => memory.lengthOf(i),
      read: (i: number) => memory.read(i),
      handle: memory.handle,
    };
    const batches = packedBatches(bare, { seed: 1, length: 64, rowsPerBatch: 8, special });
    expect(() => prefetch(batches)).toThrow(/Use workers: 0/);
    const queue = prefetch(batches, { workers: 0 });
    expect(await queue.next()).toEqual(await packed.batchAt(0));
    await queue.close();
  });
});
