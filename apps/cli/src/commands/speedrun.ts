/** The command `cloze speedrun`: runs the small benchmark of pretraining, or shows its records. */
import { command, type Command } from "../command.ts";
import { BACKEND_OPTIONS } from "../compute-options.ts";

export const speedrun: Command = command({
  arguments: {
    name: "[RECORD|FILE]",
    help: "a record of the table, or a .yaml file of one's own; none: the table",
    min: 0,
    max: 1,
  },
  options: {
    seeds: { kind: "integer", min: 1, help: "seeds to run, from 0 (default: as many as the record has, at least 3)" },
    record: { kind: "boolean", help: "write the results into the file" },
    table: { kind: "string", value: "FILE.md", help: "write the table between the marks of a page" },
    ...BACKEND_OPTIONS,
  },
  writes: { how: "whole", of: ({ options, args }) => (options.record ? args[0] : undefined) },
  examples: [
    { does: "The table of records", line: "cloze speedrun" },
    { does: "One of them again, by three seeds", line: "cloze speedrun speedrun-muon --seeds 3" },
    { does: "One's own, measured", line: "cloze speedrun mine.yaml --record" },
  ],
  notes: [
    "The fewest tokens to a validation loss, on the proteins that come along: at most 850,000 parameters and " +
      "1,228,800 tokens, one split, one mask. A record counts by three seeds or more with p below 0.01, one-sided.",
    "A record is one YAML file: who, date, changed, and recipe, which holds options of pretrain. The rules: " +
      "bench/speedrun/README.md.",
  ],
  run: async (context) => (await import("../speedrun.ts")).speedrun(context),
});
