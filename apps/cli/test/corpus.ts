/** A small FASTA file with something to learn in it, and a model small enough for a test. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RandomStream } from "@cloze/random";

const LETTERS = "ACDEFGHIKLMNPQRSTVWY";

/** FASTA text of sequences; each repeats a motif of its own. */
export function fasta(count: number, seed = 3): string {
  const stream = new RandomStream(seed).split("fasta");
  return Array.from({ length: count }, (_, i) => {
    const draw = stream.split(i);
    const motif = Array.from({ length: 5 }, (_x, k) => LETTERS[draw.below(20, k)]).join("");
    return `>protein_${i}\n${motif.repeat(12).slice(0, 20 + draw.below(36, 77))}\n`;
  }).join("");
}

export const tinyConfig = {
  model_type: "esm",
  vocab_size: 33,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 130,
  pad_token_id: 1,
  mask_token_id: 32,
  token_dropout: true,
  position_embedding_type: "rotary",
  layer_norm_eps: 1e-5,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  emb_layer_norm_before: false,
};

/** A fresh folder with data.fasta and tiny.json. */
export function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "cloze-cli-"));
  writeFileSync(join(dir, "data.fasta"), fasta(120));
  writeFileSync(join(dir, "tiny.json"), JSON.stringify(tinyConfig));
  return dir;
}
