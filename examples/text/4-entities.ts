// Names of people and places in a text: a pretrained BERT, fine-tuned to tag words (BIO), from CoNLL files.
//
//   node --import tsx --conditions=@cloze/source examples/text/4-entities.ts [--dir runs/text] [--from CHECKPOINT]
//   [--data FOLDER] [--smoke]
//
// --data holds train.conll and dev.conll; each line is a word TAB a tag. A word that the vocabulary cuts is tagged at
// its first piece. The same from a shell:
//
//   cloze finetune --task token-classification --from CHECKPOINT --data train.conll --valid dev.conll
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finetune, taskPipeline, tokenClassification } from "cloze/tasks";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "runs/text" },
    from: { type: "string" },
    data: { type: "string" },
    smoke: { type: "boolean", default: false },
  },
});
const { dir, smoke } = values;
const data = values.data ?? join(dir, "data", "entities");
const out = join(dir, `entities-${Date.now()}`);

const model = await finetune({
  from: values.from ?? join(dir, "bert"),
  task: tokenClassification(),
  data: join(data, "train.conll"),
  valid: join(data, "dev.conll"),
  out,
  epochs: smoke ? 1 : 3,
  batch: 16,
  lr: 5e-4,
});
console.log(
  `tags ${model.labels.join(" ")}; entity F1 ${model.figures?.["f1"]?.toFixed(3)}, word accuracy ` +
    `${model.figures?.["accuracy"]?.toFixed(3)}`,
);
await model.dispose();

const tagger = await taskPipeline(out, { kind: "token-classification" });
const [found] = await tagger.predict(["In Vienna they met the painter Greta Stone."]);
for (const { type, text, start, end, score } of found?.entities ?? [])
  console.log(`${type} ${text} [${start}, ${end}) ${score.toFixed(2)}`);
await tagger.dispose();
