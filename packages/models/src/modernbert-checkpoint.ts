/**
 * What is in ModernBERT checkpoints beside the parameters, as data for a loader: the decoder is the table of
 * embeddings, and an encoder that was saved alone (ModernBertModel) has no `model.` before its names.
 */
import type { CheckpointNotes } from "./checkpoint-notes.ts";

export const modernBertCheckpoint: CheckpointNotes = {
  prefix: "model.",
  renamed: [],
  ignored: [/^model\.rotary_emb\.|\.rotary_emb\.inv_freq$/],
  tied: { "decoder.weight": "model.embeddings.tok_embeddings.weight" },
  optional: [],
};
