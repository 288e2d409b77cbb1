/**
 * The command `cloze checkpoint average`: writes the mean of several checkpoints of one model as a new checkpoint
 * folder.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "@cloze/errors";
import { checkpointPath } from "../checkpoint-folder.ts";
import { command, type Command } from "../command.ts";
import { columns, counted } from "../output.ts";
import { expectNewFolder } from "./checkpoint-convert.ts";

export const checkpointAverage: Command = command({
  arguments: {
    name: "IN…",
    help: "checkpoint folders or models of the Hub; with --last, one run folder",
    min: 1,
    max: 1000,
  },
  options: {
    out: { kind: "string", value: "DIR", required: true, help: "the new folder" },
    last: { kind: "integer", min: 2, help: "the newest so many checkpoints of the run" },
    shardSize: { kind: "count", min: 1, default: 5e9, help: "largest file, in bytes" },
  },
  writes: { how: "whole", of: ({ options }) => options.out },
  examples: [
    { does: "The end of a run", line: "cloze checkpoint average runs/mine --last 3 --out averaged" },
    { does: "Runs from one start", line: "cloze checkpoint average seed-0 seed-1 seed-2 --out soup" },
  ],
  notes: [
    "All checkpoints count alike. They must have the same tensors; config.json and the tokenizer are those of " +
      "the first. One tensor is in memory at a time.",
    "A run keeps only its newest checkpoints: pretrain --keep says how many. pretrain --ema averages while it trains.",
  ],
  async run({ args, options, path, io, note, status }) {
    const { averageCheckpoints } = await import("@cloze/checkpoint/node");
    const { checkpointFolder } = await import("../run-folder.ts");
    const out = path(options.out);
    const named = await Promise.all(
      args.map((given) => checkpointPath(given, { path, io, note, status }, { where: "checkpoint average" })),
    );
    const inputs =
      options.last === undefined
        ? await Promise.all(named.map((name) => checkpointFolder(path(name))))
        : await lastOf(named.map(path), args, options.last);
    if (inputs.length < 2)
      throw new ConfigError(
        "checkpoint average: expected two checkpoints or more, got one. Name others, or --last N for those of a run.",
      );
    await expectNewFolder(out, options.out, "checkpoint average");
    const { tensors, files } = await averageCheckpoints(inputs, out, { maxShardBytes: options.shardSize });
    return {
      json: { out, inputs, tensors, files },
      text: [
        `${options.out}: the mean of ${counted(inputs.length, "checkpoint")}, ${counted(tensors, "tensor")}`,
        ...columns([...inputs.map((input) => ["  of", input]), ["  files", files.join(", ")]]),
      ],
    };
  },
});

/** The folders of the `last` newest checkpoints of a run, oldest first. Throws ConfigError if the run has fewer. */
async function lastOf(
  [run, ...others]: readonly string[],
  [shown = ""]: readonly string[],
  last: number,
): Promise<readonly string[]> {
  if (run === undefined || others.length > 0)
    throw new ConfigError(
      `checkpoint average --last: expected one run folder, got ${others.length + 1} folders. Name the run alone.`,
    );
  const { checkpointsFolder } = await import("@cloze/trainer");
  const folder = checkpointsFolder(run);
  const names = await readdir(folder).catch(() => {
    throw new ConfigError(
      `checkpoint average --last: expected a run folder with checkpoints, got ${shown}. Name the folder that ` +
        "pretrain wrote.",
    );
  });
  const steps = names.flatMap((name) => (/^step-\d+$/.test(name) ? [Number(name.slice(5))] : [])).sort((a, b) => a - b);
  if (steps.length < last)
    throw new ConfigError(
      `checkpoint average --last ${last}: expected a run with so many checkpoints, got ${steps.length} in ` +
        `${shown}. Raise --keep when training, or ask for fewer.`,
    );
  return steps.slice(-last).map((step) => join(folder, `step-${step}`));
}
