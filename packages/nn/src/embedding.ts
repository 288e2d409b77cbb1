/** Embedding table: a row for each id. */
import { embedding, type Tensor } from "@cloze/graph";
import { normal02, type Init } from "./init.ts";
import type { Scope } from "./scope.ts";

export interface EmbeddingOptions {
  readonly vocab: number;
  readonly hidden: number;
  /** Default normal with std 0.02. */
  readonly init?: Init;
}

/** Parameter: weight `[vocab, hidden]`. Shapes: ids `[...]` i32 in [0, vocab) -> `[..., hidden]`. */
export function embeddingLayer(scope: Scope, ids: Tensor<"i32">, options: EmbeddingOptions): Tensor<"f32"> {
  return scope.within(() => embedding(embeddingTable(scope, options), ids));
}

/** The table alone, for an output head that shares the table: `project(x, embeddingTable(...))`. */
export function embeddingTable(scope: Scope, { vocab, hidden, init = normal02 }: EmbeddingOptions): Tensor<"f32"> {
  return scope.param("weight", [vocab, hidden], { init, kind: "table" });
}
