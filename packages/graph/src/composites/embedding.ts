/**
 * Embedding lookup: rows of a table by id. Its gradient adds the cotangents of equal ids, in a fixed order on every
 * backend.
 */
import { call1, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import type { Tensor } from "../tensor.ts";

export const embeddingComposite: Composite = composite<Record<never, never>>({
  name: "embedding",
  expand: ([table, ids]) => [(table as Tensor).gather(ids as Tensor<"i32">)],
});

/** Shapes: table `[vocab, hidden]` float, ids `[...]` i32 in [0, vocab) -> `[..., hidden]`. */
export function embedding(table: Tensor<"f32">, ids: Tensor<"i32">): Tensor<"f32"> {
  dims("embedding(table)", table, "vocab hidden");
  return call1(embeddingComposite, [table, ids]) as Tensor<"f32">;
}
