// Is a sentence good or bad? A pretrained BERT, fine-tuned on lines of sentence TAB label.
//
//   node --import tsx --conditions=@cloze/source examples/text/3-sentiment.ts [--dir runs/text] [--from CHECKPOINT]
//   [--data FOLDER] [--smoke]
//
// --from is a folder, a run, or a model of the Hub (bert-base-uncased); its default is the BERT of 2-pretrain.ts.
// --data holds train.tsv and dev.tsv. The same from a shell:
//
//   cloze finetune --task text-classification --from CHECKPOINT --data train.tsv --valid dev.tsv
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finetune, taskPipeline, textClassification } from "cloze/tasks";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "runs/text" },
    from: { type: "string" },
    data: { type: "string" },
    smoke: { type: "boolean", default: false },
  },
});
const { dir, smoke } = values;
const data = values.data ?? join(dir, "data", "sentiment");
const out = join(dir, `sentiment-${Date.now()}`);

const model = await finetune({
  from: values.from ?? join(dir, "bert"),
  task: textClassification(),
  data: join(data, "train.tsv"),
  valid: join(data, "dev.tsv"),
  out,
  epochs: smoke ? 1 : 3,
  batch: 16,
  lr: 5e-4,
  layerDecay: 0.9,
  patience: 2,
  onEvent: (event) => {
    if (event.kind === "row" && event.row.type === "eval")
      console.log(`step ${event.row.step}: accuracy ${Number(event.row["accuracy"]).toFixed(3)}`);
  },
});
console.log(
  `labels ${model.labels.join(", ")}; accuracy ${model.figures?.["accuracy"]?.toFixed(3)}, F1 ` +
    `${model.figures?.["macroF1"]?.toFixed(3)}`,
);
await model.dispose();

// Later the folder alone is enough. Python opens it too: pipeline("text-classification", model="…/model").
const sentiment = await taskPipeline(out, { kind: "text-classification" });
for (const text of ["the acting is superb", "a dull plot and a weak ending"]) {
  const [answer] = await sentiment.predict([text]);
  console.log(`${text}: ${answer?.label} (${answer?.score.toFixed(2)})`);
}
await sentiment.dispose();
