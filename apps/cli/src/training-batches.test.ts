import { memoryDataset, memoryDocuments } from "@cloze/data";
import type { Rows } from "@cloze/objective";
import { expect, test } from "vitest";
import { evaluationBatches, trainingBatches, type RowsRequest } from "./training-batches.ts";

const documents = memoryDocuments([
  [[5, 6], [7]],
  [[8, 9, 10], [11]],
  [[12], [13], [14]],
]);
const asked = (rows?: Rows): RowsRequest => ({
  objective: { name: "mine", ...(rows && { rows }) },
  special: { pad: 0, start: 1, end: 2 },
  length: 16,
});

test("an objective gets the rows that it asks for", async () => {
  const plain = await trainingBatches(documents, { ...asked(), seed: 0, rowsPerBatch: 2 }).batchAt(0);
  expect(plain.types).toBeUndefined();
  expect(plain.sequences.every(({ pair }) => pair === undefined)).toBe(true);
  for (const second of ["random", "swapped"] as const) {
    const pairs = asked({ kind: "sentence-pairs", second });
    const batch = await trainingBatches(documents, { ...pairs, seed: 0, rowsPerBatch: 2 }).batchAt(0);
    expect(batch.types).toBeInstanceOf(Int32Array);
    expect(batch.sequences.some(({ pair }) => pair !== undefined)).toBe(true);
    const evaluation = evaluationBatches(documents, { ...pairs, tokens: 32 });
    const { rows, length } = await evaluation.batchAt(0);
    expect([evaluation.count > 0, rows, length]).toEqual([true, 2, 16]);
  }
  expect((await evaluationBatches(documents, { ...asked("sequences"), tokens: 64 }).batchAt(0)).length).toBe(16);
});

test("pairs need documents", () => {
  const pairs = asked({ kind: "sentence-pairs", second: "random" });
  for (const make of [
    () => trainingBatches(memoryDataset([[5]]), { ...pairs, seed: 0, rowsPerBatch: 1 }),
    () => evaluationBatches(memoryDataset([[5]]), { ...pairs, tokens: 16 }),
  ]) {
    expect(make).toThrow(
      /^--objective mine: expected data with documents, .+ Give --data text files: a line is a sentence, a blank line ends a document\.$/,
    );
  }
});

test("one document is not enough to evaluate random pairs on", () => {
  expect(() =>
    evaluationBatches(memoryDocuments([[[5], [6]]]), {
      ...asked({ kind: "sentence-pairs", second: "random" }),
      tokens: 16,
    }),
  ).toThrow(/at least two documents to evaluate on, .+, got 1\. Raise --valid/);
});
