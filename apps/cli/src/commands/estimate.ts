/** The command `cloze estimate`: shows memory, time and cost of a pretraining run before it starts. */
import { command, type Command } from "../command.ts";
import { ESTIMATE_OPTIONS } from "../estimate-options.ts";

export const estimate: Command = command({
  arguments: { name: "[FILE…]", option: "data", min: 0, max: Infinity },
  options: ESTIMATE_OPTIONS,
  examples: [
    { does: "What a step takes", line: "cloze estimate --model speedrun-133m" },
    {
      does: "Time and dollars on a GPU",
      line: "cloze estimate --model esm2-150m --tokens 20b --device H200 --precision bf16 --price 2.5",
    },
    { does: "Measured here", line: "cloze estimate proteins.fasta.gz --model esm2-8m --measure" },
  ],
  notes: [
    "Memory is planned as the WebGPU backend does, for a GPU with room for it; another backend may take more. No " +
      "device is needed, and no weights are made.",
    "FLOPs are those of full rows of --max-length tokens: where rows are packed of shorter sequences, attention " +
      "takes less. --mfu is an assumption until a run has measured it: pretrain says its own.",
  ],
  run: async (context) => (await import("../estimate.ts")).estimateRun(context),
});
