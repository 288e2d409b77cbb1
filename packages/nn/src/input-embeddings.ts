/**
 * The input embeddings: one vector for the token, one for the text of the pair that contains the token, and one for the
 * token's place. A model adds them up. There are only three tables. The scopes give their names in the checkpoint.
 *
 * Source: Devlin et al. 2018, arXiv:1810.04805, figure 2.
 */
import { embedding, type Tensor } from "@cloze/graph";
import { embeddingLayer, embeddingTable } from "./embedding.ts";
import { normal02, type Init } from "./init.ts";
import type { Scope } from "./scope.ts";

export interface TokenEmbeddingOptions {
  readonly vocab: number;
  readonly hidden: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  readonly std?: number;
  /** The row of this token starts at zero. */
  readonly padId?: number;
}

/** Parameter: weight `[vocab, hidden]`. Shapes: ids `[...]` i32 in [0, vocab) -> `[..., hidden]`. */
export function tokenEmbedding(scope: Scope, ids: Tensor<"i32">, options: TokenEmbeddingOptions): Tensor<"f32"> {
  return scope.within(() => embedding(tokenTable(scope, options), ids));
}

/** The table of `tokenEmbedding` alone, for a decoder that shares the table. Shapes: -> `[vocab, hidden]`. */
export function tokenTable(scope: Scope, { vocab, hidden, std = 0.02, padId }: TokenEmbeddingOptions): Tensor<"f32"> {
  return embeddingTable(scope, {
    vocab,
    hidden,
    init: { kind: "normal", std, ...(padId !== undefined && { zeroRow: padId }) },
  });
}

export interface PlaceEmbeddingOptions {
  /** Rows of the table. */
  readonly count: number;
  readonly hidden: number;
  /** Default normal with std 0.02. */
  readonly init?: Init;
}

/**
 * Embedding of the text of the pair that contains the token. Parameter: weight `[count, hidden]`.
 * Shapes: types `[batch, seq]` i32 in [0, count) -> `[batch, seq, hidden]`. With types undefined, all tokens have type
 * 0 -> `[1, 1, hidden]`.
 */
export function segmentEmbedding(
  scope: Scope,
  types: Tensor<"i32"> | undefined,
  { count, hidden, init = normal02 }: PlaceEmbeddingOptions,
): Tensor<"f32"> {
  if (types !== undefined) return embeddingLayer(scope, types, { vocab: count, hidden, init });
  return scope.within(() =>
    embeddingTable(scope, { vocab: count, hidden, init }).slice(0, 0, 1).reshape([1, 1, hidden]),
  );
}

/**
 * A learnt vector for each place. Parameter: weight `[count, hidden]`.
 * Shapes: positions `[batch, seq]` i32 in [0, count) -> `[batch, seq, hidden]`.
 */
export function positionEmbedding(
  scope: Scope,
  positions: Tensor<"i32">,
  { count, hidden, init = normal02 }: PlaceEmbeddingOptions,
): Tensor<"f32"> {
  return embeddingLayer(scope, positions, { vocab: count, hidden, init });
}
