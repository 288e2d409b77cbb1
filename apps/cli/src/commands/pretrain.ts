/** The command `cloze pretrain`: trains an encoder on sequences or text. */
import { command, type Command } from "../command.ts";
import { PRETRAIN_OPTIONS } from "../pretrain-options.ts";

export const pretrain: Command = command({
  configFile: true,
  recipes: true,
  arguments: { name: "[FILE…]", option: "data", min: 0, max: Infinity },
  options: PRETRAIN_OPTIONS,
  examples: [
    {
      does: "An 8 M ESM-2 on a FASTA file",
      line: "cloze pretrain proteins.fasta.gz --steps 10k --out runs/mine",
    },
    { does: "A published recipe, small enough for a CPU", line: "cloze pretrain --recipe speedrun-133m-tiny" },
    { does: "Ten minutes of it, options from a file", line: "cloze pretrain --config recipe.yaml --budget 10m" },
    { does: "Go on after an interruption", line: "cloze pretrain --resume runs/mine" },
  ],
  notes: [
    "The run folder holds config.yaml (every option), inputs.json (what it reads, with hashes), metrics.jsonl, " +
      "report.html, tensorboard/ (its events) and checkpoints in the Hugging Face layout.",
    "Ctrl-C finishes the step and saves, a second one ends at once and says what is lost; a run that was killed " +
      "continues bit for bit from its last checkpoint with --resume. A file that changed since is refused; a file " +
      "that moved is named anew, with --data, --from, --tokenizer or --model.",
  ],
  run: async (context) => (await import("../pretrain.ts")).pretrain(context),
});
