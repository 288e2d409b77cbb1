/**
 * Notes on ModernBERT checkpoints for a loader, as data. The decoder is the table of embeddings. An encoder that was
 * saved alone (ModernBertModel) has names without `model.`.
 */
import type { CheckpointNotes } from "./checkpoint-notes.ts";

export const modernBertCheckpoint: CheckpointNotes = {
  prefix: "model.",
  renamed: [],
  ignored: [/^model\.rotary_emb\.|\.rotary_emb\.inv_freq$/],
  tied: { "decoder.weight": "model.embeddings.tok_embeddings.weight" },
  optional: [],
};
