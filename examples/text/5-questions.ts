// Questions about a text, answered by a span of it: a pretrained BERT, fine-tuned on files in the form of SQuAD.
//
//   node --import tsx --conditions=@cloze/source examples/text/5-questions.ts [--dir runs/text] [--from CHECKPOINT]
//   [--data FOLDER] [--smoke]
//
// --data holds train.json and dev.json. For questions that may have no answer (SQuAD 2), the task is
// questionAnswering({ noAnswer: true }). The same from a shell:
//
//   cloze finetune --task question-answering --from CHECKPOINT --data train.json --valid dev.json
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finetune, questionAnswering, taskPipeline } from "cloze/tasks";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "runs/text" },
    from: { type: "string" },
    data: { type: "string" },
    smoke: { type: "boolean", default: false },
  },
});
const { dir, smoke } = values;
const data = values.data ?? join(dir, "data", "questions");
const out = join(dir, `questions-${Date.now()}`);

const model = await finetune({
  from: values.from ?? join(dir, "bert"),
  task: questionAnswering(),
  data: join(data, "train.json"),
  valid: join(data, "dev.json"),
  out,
  epochs: smoke ? 1 : 3,
  batch: 16,
  lr: 1e-3,
  maxLength: 96,
});
console.log(`exact match ${model.figures?.["exact"]?.toFixed(3)}, F1 ${model.figures?.["f1"]?.toFixed(3)}`);
await model.dispose();

const reader = await taskPipeline(out, { kind: "question-answering" });
const context = "the music is really warm Hugo Hill lives in Port Louis . Hugo Hill is a sailor .";
for (const question of ["Where does Hugo Hill live ?", "What is the work of Hugo Hill ?"]) {
  const [answer] = await reader.predict([{ question, context }]);
  console.log(`${question} ${answer?.answer} (${answer?.score.toFixed(2)})`);
}
await reader.dispose();
