/** The command `cloze predict`: writes the predictions of a fine-tuned model for records. */
import { command, type Command } from "../command.ts";
import { BACKEND_OPTIONS, CHECKPOINT_OPTION, PORTION_OPTION, PRECISION_OPTION } from "../compute-options.ts";
import { COLUMNS_OPTION } from "../finetune-options.ts";

export const predict: Command = command({
  arguments: { name: "[FILE]", option: "data", min: 0, max: 1 },
  options: {
    ...CHECKPOINT_OPTION,
    data: {
      kind: "string",
      value: "FILE",
      file: true,
      default: "-",
      help: "JSONL, CSV, TSV or Parquet, CoNLL for tags, the JSON of SQuAD; - is standard input",
    },
    out: {
      kind: "string",
      value: "FILE",
      default: "-",
      help: ".jsonl, .csv or .tsv; for questions also .json, answers by id; - is standard output, as JSONL",
    },
    format: {
      kind: "choice",
      choices: ["jsonl", "csv", "tsv", "text"],
      help: "of --data; text is CoNLL (default: by its ending; of standard input JSONL)",
    },
    ...COLUMNS_OPTION,
    ...PORTION_OPTION,
    ...PRECISION_OPTION,
    ...BACKEND_OPTIONS,
  },
  writes: { how: "whole", of: ({ options }) => (options.out === "-" ? undefined : options.out) },
  examples: [
    {
      does: "A column of predictions",
      line: "cloze predict reviews.csv --checkpoint runs/sentiment --out predicted.csv",
    },
    { does: "In a pipe, as records come", line: "cloze predict - --checkpoint runs/sentiment --out -" },
  ],
  notes: [
    "Records keep their order and their fields; memory does not grow with their number. JSONL gets a field " +
      "prediction with all there is to say, a table columns predicted_label, predicted_score and the like. Places " +
      "in a text (start, end) count code points, as in Python.",
  ],
  run: async (context) => (await import("../predict.ts")).predict(context),
});
