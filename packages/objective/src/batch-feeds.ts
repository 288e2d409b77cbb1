/** The feeds that every encoder reads. */
import type { HostTensors } from "@cloze/graph";
import type { TokenBatch } from "@cloze/tokenizer";

/**
 * The feeds `ids`, `segments`, `positions` and, if the batch has them, `types`, all i32 [rows, length]. `ids` may be a
 * corrupted copy.
 */
export function encoderFeeds(batch: TokenBatch, ids: Int32Array = batch.ids): HostTensors {
  const shape = [batch.rows, batch.length];
  return {
    ids: { dtype: "i32", shape, data: ids },
    segments: { dtype: "i32", shape, data: batch.segments },
    positions: { dtype: "i32", shape, data: batch.positions },
    ...(batch.types && { types: { dtype: "i32", shape, data: batch.types } }),
  };
}
