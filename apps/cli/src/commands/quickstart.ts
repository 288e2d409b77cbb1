/** The command `cloze quickstart`: trains a small model on the bundled sample, as a first try. */
import { command, type Command } from "../command.ts";

export const quickstart: Command = command({
  options: {
    out: { kind: "string", value: "DIR", help: "run folder (default: runs/quickstart-N)" },
    steps: { kind: "count", min: 1, default: 500, help: "training steps" },
  },
  examples: [{ does: "On the CPU, in a minute or two", line: "cloze quickstart" }],
  notes: [
    "Trains on 5,500 real proteins of UniProt that come with cloze, holds 5 % of them out, and ends with a loss " +
      "below the entropy of their residue frequencies: what a model without context could reach at best.",
  ],
  run: async (context) => (await import("../quickstart.ts")).quickstart(context),
});
