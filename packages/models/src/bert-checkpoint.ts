/**
 * Notes on BERT checkpoints for a loader, as data.
 *
 * The decoder of the masked-token head is the table of word embeddings. A checkpoint has the decoder's bias once or
 * twice. An encoder that was saved alone (BertModel, sentence-transformers) has names without `bert.`.
 */
import { NORMS_OF_OLD, type CheckpointNotes } from "./checkpoint-notes.ts";

export const bertCheckpoint: CheckpointNotes = {
  prefix: "bert.",
  renamed: NORMS_OF_OLD,
  ignored: [/^bert\.embeddings\.(position_ids|token_type_ids)$/],
  tied: {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
  },
  optional: [],
};
