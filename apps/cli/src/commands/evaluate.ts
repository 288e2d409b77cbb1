/**
 * The command `cloze evaluate`: shows the objective's loss and the token metrics of a pretrained checkpoint, or the
 * figures of a fine-tuned model's task.
 */
import { command, type Command } from "../command.ts";
import { BACKEND_OPTIONS, CHECKPOINT_OPTION, PORTION_OPTION, PRECISION_OPTION } from "../compute-options.ts";
import { NUCLEOTIDE_OPTION, READING_OPTIONS } from "../data-options.ts";
import { COLUMNS_OPTION, ROWS_OPTIONS } from "../finetune-options.ts";

export const evaluate: Command = command({
  configFile: true,
  arguments: { name: "[FILE…]", option: "data", min: 0, max: Infinity },
  options: {
    ...CHECKPOINT_OPTION,
    data: {
      kind: "list",
      group: "Data",
      value: "FILE",
      help:
        "files of sequences or text as pretrain reads them, or the .json of token shards; of a task, labelled " +
        "files as finetune reads them",
    },
    ...COLUMNS_OPTION,
    ...READING_OPTIONS,
    ...NUCLEOTIDE_OPTION,
    ...ROWS_OPTIONS,
    split: {
      kind: "choice",
      group: "Split",
      choices: ["all", "train", "valid", "test"],
      default: "all",
      help: "all sequences, or the part that pretrain made of them; of a task, the rows that a column marks so",
    },
    valid: {
      kind: "number",
      group: "Split",
      min: 0,
      max: 0.9,
      default: 0.05,
      help: "share that pretrain held out, for --split",
    },
    objective: {
      kind: "string",
      group: "Objective",
      value: "NAME",
      default: "mlm",
      help: "mlm; another one, such as masked-diffusion or an installed package, is shown beside it",
    },
    maxLength: {
      kind: "integer",
      group: "Length and batches",
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
    "The mask is always the same 15 % of the residues or tokens, drawn from a fixed seed: figures of " +
      "different models compare. Loss is in nats per masked residue or token, each with the same weight.",
  ],
  run: async (context) => (await import("../evaluate.ts")).evaluate(context),
});
