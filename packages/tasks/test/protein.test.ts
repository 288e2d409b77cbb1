// Tasks on proteins, with ESM-2 and a tokenizer of residues. The tasks contain no code for proteins.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { RandomStream } from "@cloze/random";
import { esm2 } from "@cloze/tokenizer-protein";
import { afterAll, expect, it } from "vitest";
import { regression, tokenClassification } from "../src/index.ts";
import { fineTune } from "../src/node.ts";
import { engine } from "./tiny.ts";

const dir = mkdtempSync(join(tmpdir(), "cloze-protein-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const opened = await openModel({
  model_type: "esm",
  vocab_size: 33,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 66,
  pad_token_id: 1,
  mask_token_id: 32,
  token_dropout: true,
  position_embedding_type: "rotary",
  layer_norm_eps: 1e-5,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  emb_layer_norm_before: false,
  initializer_range: 0.2,
});
const settings = {
  opened,
  weights: initialize(headParameters(opened.model, "masked-lm", 0), 1),
  name: "tiny ESM-2",
  tokenizer: esm2(),
  backend: engine,
  batch: 8,
  lr: 0.02,
} as const;

/** Proteins whose charged residues are exposed (E) and whose other residues are buried (B); about half of each. */
const stream = new RandomStream(4).split("proteins");
const proteins = Array.from({ length: 40 }, (_, i) =>
  Array.from({ length: 6 + (i % 20) }, (_x, k) => "KRDEAVLI"[stream.split(i).below(8, k)] as string),
);
const sideOf = (residue: string): string => ("KRDE".includes(residue) ? "E" : "B");

it("labels residues, in windows where a protein is long", async () => {
  const records = proteins.map((words) => ({ words, tags: words.map(sideOf) }));
  const { task, figures } = await fineTune({
    ...settings,
    task: tokenClassification(),
    train: records.slice(0, 32),
    valid: records.slice(32),
    run: join(dir, "tags"),
    epochs: 4,
    maxLength: 16,
  });
  expect(task.labels).toEqual(["B", "E"]);
  expect(figures?.["accuracy"]).toBeGreaterThan(0.95);
});

it("predicts a number for a sequence", async () => {
  const records = proteins.map((words) => ({
    text: words.join(""),
    label: words.filter((residue) => sideOf(residue) === "E").length / words.length,
  }));
  const { figures } = await fineTune({
    ...settings,
    task: regression(),
    train: records.slice(0, 32),
    valid: records.slice(32),
    run: join(dir, "number"),
    epochs: 12,
    lr: 0.005,
  });
  expect(figures?.["mse"]).toBeLessThan(0.1);
});
