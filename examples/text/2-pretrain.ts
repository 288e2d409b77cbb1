// A tiny BERT, pretrained on text by masked language modelling: the work of `cloze pretrain`, written with the library.
//
//   node --import tsx --conditions=@cloze/source examples/text/2-pretrain.ts [--dir runs/text] [--steps 1500] [--smoke]
//
// Reads the tokenizer and the corpus of 1-vocabulary.ts; writes DIR/bert, a checkpoint that `transformers` opens.
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { backend } from "@cloze/backend-onnxruntime";
import { memoryDataset, packedBatches, paddedBatches, splitOf } from "@cloze/data";
import { headParameters, openModel } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { mlm } from "@cloze/objective-mlm";
import { adamw } from "@cloze/optim";
import { schedule } from "@cloze/schedule";
import { wordPieceFromFiles } from "@cloze/tokenizer-wordpiece";
import { Evaluator, saveCheckpoint, train, loadWeights, type ModelSource } from "@cloze/trainer";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "runs/text" },
    data: { type: "string" },
    steps: { type: "string", default: "1500" },
    smoke: { type: "boolean", default: false },
  },
});
const { dir, smoke } = values;
const seed = 0;
const steps = smoke ? 4 : Number(values.steps);
const length = smoke ? 32 : 64;

const files = readdirSync(join(dir, "tokenizer"));
const tokenizer = wordPieceFromFiles(
  Object.fromEntries(files.map((name) => [name, readFileSync(join(dir, "tokenizer", name), "utf8")])),
);
const { special } = tokenizer;

// Blank lines separate documents. The content of a document decides whether it is held out, whatever the order.
const documents = readFileSync(values.data ?? join(dir, "data", "corpus.txt"), "utf8")
  .split(/\n\s*\n/)
  .filter((text) => text.trim() !== "");
const part = (name: "train" | "valid"): ReturnType<typeof memoryDataset> =>
  memoryDataset(
    documents
      .filter((text) => splitOf(new TextEncoder().encode(text), { seed, valid: 0.05 }) === name)
      .map((text) => tokenizer.encodeIds(text)),
  );
const data = part("train");
const held = part("valid");

const size = smoke
  ? { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32 }
  : { hidden_size: 128, num_hidden_layers: 3, num_attention_heads: 4, intermediate_size: 512 };
const opened = await openModel({
  model_type: "bert",
  vocab_size: tokenizer.vocabulary.length,
  max_position_embeddings: 128,
  ...size,
});
const source: ModelSource = {
  name: "tiny BERT",
  model: opened.model,
  configText: opened.configText(),
  buffers: opened.buffers,
  maxLength: opened.maxLength,
};
const parameters = headParameters(opened.model, "masked-lm", 0);

const engine = backend();
const objective = mlm(tokenizer);
const run = join(dir, "pretraining");
rmSync(run, { recursive: true, force: true });
try {
  const result = await train({
    backend: engine,
    source,
    objective,
    optimizer: adamw({ weightDecay: 0.01 }),
    clip: 1,
    lr: 1e-3,
    schedule: schedule("linear", { warmup: 0.1 }),
    weights: initialize(parameters, seed),
    tokenizerFiles: tokenizer.files(),
    accumulate: 1,
    seed,
    run,
    until: { steps },
    batches: packedBatches(data, { seed, length, rowsPerBatch: smoke ? 4 : 32, special }),
    evaluator: new Evaluator({
      backend: engine,
      source,
      objective,
      batches: paddedBatches(held, { special, maxSequence: length, tokensPerBatch: 2048 }),
    }),
    evalEvery: 250,
    saveEvery: 0,
    keep: 1,
    onEvent: (event) => {
      if (event.kind === "row" && event.row.type === "eval")
        console.log(
          `step ${event.row.step}: loss ${event.row.loss.toFixed(3)}, accuracy ` +
            `${Number(event.row["accuracy"]).toFixed(3)}`,
        );
    },
  });
  // The checkpoint of a run also holds the state for resuming. This checkpoint holds the model only.
  await saveCheckpoint(join(dir, "bert"), {
    source,
    weights: await loadWeights(result.checkpoint, parameters),
    tokenizerFiles: tokenizer.files(),
  });
  console.log(`${result.steps} steps, ${result.parameters} parameters: ${join(dir, "bert")}`);
} finally {
  await engine.dispose();
}
