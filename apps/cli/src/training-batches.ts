/** The batches of an objective: rows of packed sequences, or of sentence pairs if the data knows its documents. */
import {
  isDocumentDataset,
  packedBatches,
  paddedBatches,
  pairBatches,
  pairEvaluationBatches,
  type Batches,
  type Dataset,
  type DocumentDataset,
  type PackedBatches,
} from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { Objective } from "@cloze/objective";
import type { framingOf } from "./training-data.ts";

export interface RowsRequest {
  readonly objective: Pick<Objective, "name" | "rows">;
  readonly special: ReturnType<typeof framingOf>;
  /** Most tokens in a row. */
  readonly length: number;
}

/** The examples of text that an objective needs. */
export const unitOf = ({ rows = "sequences" }: Pick<Objective, "rows">): "documents" | "sentences" =>
  rows === "sequences" ? "documents" : "sentences";

export function trainingBatches(
  dataset: Dataset,
  {
    objective,
    special,
    length,
    seed,
    rowsPerBatch,
  }: RowsRequest & { readonly seed: number; readonly rowsPerBatch: number },
): PackedBatches {
  const { rows = "sequences" } = objective;
  if (rows === "sequences") return packedBatches(dataset, { seed, length, rowsPerBatch, special });
  return pairBatches(documentsOf(dataset, objective.name), {
    seed,
    length,
    rowsPerBatch,
    special,
    second: rows.second,
  });
}

/**
 * Batches with each sequence or pair once. A batch has at most `tokens` positions, padding included, but at least one
 * row.
 */
export function evaluationBatches(
  dataset: Dataset,
  { objective, special, length, tokens }: RowsRequest & { readonly tokens: number },
): Batches & { readonly count: number } {
  const { rows = "sequences" } = objective;
  if (rows === "sequences")
    return paddedBatches(dataset, { special, maxSequence: length, tokensPerBatch: Math.max(length, tokens) });
  const held = documentsOf(dataset, objective.name);
  if (rows.second === "random" && held.documents < 2)
    throw new ConfigError(
      `--objective ${objective.name}: expected at least two documents to evaluate on, for a random text is one ` +
        `of another document, got ${held.documents}. Raise --valid, or give more documents: a blank line ends one.`,
    );
  return pairEvaluationBatches(held, {
    special,
    length,
    rowsPerBatch: Math.max(1, Math.floor(tokens / length)),
    second: rows.second,
  });
}

function documentsOf(dataset: Dataset, objective: string): DocumentDataset {
  if (isDocumentDataset(dataset)) return dataset;
  throw new ConfigError(
    `--objective ${objective}: expected data with documents, for it learns from pairs of sentences, got ` +
      "sequences that stand alone. Give --data text files: a line is a sentence, a blank line ends a document.",
  );
}
