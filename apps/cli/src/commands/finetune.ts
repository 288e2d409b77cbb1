/** The command `cloze finetune`: trains a checkpoint on labelled examples; the result is a model of a task. */
import { command, type Command } from "../command.ts";
import { FINETUNE_OPTIONS } from "../finetune-options.ts";

export const finetune: Command = command({
  configFile: true,
  arguments: { name: "[FILE…]", option: "data", min: 0, max: Infinity },
  options: FINETUNE_OPTIONS,
  examples: [
    {
      does: "Sentiment, from lines of text TAB label",
      line: "cloze finetune train.tsv --valid dev.tsv --task text-classification --from runs/bert",
    },
    {
      does: "Named entities, three seeds",
      line:
        "cloze finetune train.conll --valid dev.conll --task token-classification --from bert-base-cased " +
        "--seeds 3",
    },
    {
      does: "Questions with and without answers",
      line:
        "cloze finetune train-v2.0.json --valid dev-v2.0.json --task question-answering --no-answer --from " +
        "runs/bert",
    },
  ],
  notes: [
    "Columns are found by name: text (or sentence, sentence1, premise), pair (sentence2, hypothesis), label; " +
      "words and tags; question, context, answers; text, choices, label. A table without such a name in its first " +
      "line has no header, and text and label (or text, pair and label) in this order. In TSV a quote is a " +
      "character as any other.",
    "The run folder holds config.yaml, inputs.json (what it reads, with hashes), metrics.jsonl, report.html, " +
      "tensorboard/ (its events), checkpoints to resume from and model/: the best checkpoint, which Python's " +
      "pipeline() opens. Several seeds have a folder each, and summary.json beside them.",
    "Ctrl-C finishes the step and saves, a second one ends at once and says what is lost; --resume goes on bit " +
      "for bit, and refuses files that have changed (--accept-changed-data).",
  ],
  run: async (context) => (await import("../finetune.ts")).finetune(context),
});
