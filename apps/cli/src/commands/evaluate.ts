/**
 * The command `cloze evaluate`: shows the objective's loss and the token metrics of a pretrained checkpoint, or the
 * figures of a fine-tuned model's task.
 */
import { command, type Command } from "../command.ts";
import { BACKEND_OPTIONS, CHECKPOINT_OPTION, PORTION_OPTION, PRECISION_OPTION } from "../compute-options.ts";
import { READING_OPTIONS } from "../data-options.ts";
import { COLUMNS_OPTION } from "../finetune-options.ts";

export const evaluate: Command = command({
  configFile: true,
  arguments: { name: "[FILE…]", option: "data", min: 0, max: Infinity },
  options: {
    ...CHECKPOINT_OPTION,
    data: {
      kind: "list",
      value: "FILE",
      help:
        "files of sequences or text as pretrain reads them, or the .json of token shards; of a task, labelled " +
        "files as finetune reads them",
    },
    ...COLUMNS_OPTION,
    ...READING_OPTIONS,
    split: {
      kind: "choice",
      choices: ["all", "train", "valid"],
      default: "all",
      help: "all sequences, or the part that pretrain made of them",
    },
    valid: { kind: "number", min: 0, max: 0.9, default: 0.05, help: "share that pretrain held out, for --split" },
    objective: {
      kind: "string",
      value: "NAME",
      default: "mlm",
      help: "mlm; another one, such as masked-diffusion or an installed package, is shown beside it",
    },
    maxLength: {
      kind: "integer",
      min: 8,
      default: 1024,
      help: "longer sequences are cut to their beginning (of a task: as it was trained)",
    },
    ...PORTION_OPTION,
    ...PRECISION_OPTION,
    ...BACKEND_OPTIONS,
  },
  examples: [
    { does: "A run on other proteins", line: "cloze evaluate others.fasta --checkpoint runs/mine" },
    { does: "As pretrain saw it", line: "cloze evaluate proteins.fasta --checkpoint runs/mine --split valid" },
    { does: "A fine-tuned model on labelled texts", line: "cloze evaluate dev.tsv --checkpoint runs/sentiment" },
  ],
  notes: [
    "The mask is always the same 15 % of the residues, drawn from a fixed seed: figures of different models " +
      "compare. Loss is in nats per masked residue, weighted by residue.",
  ],
  run: async (context) => (await import("../evaluate.ts")).evaluate(context),
});
