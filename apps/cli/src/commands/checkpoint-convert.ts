/**
 * The command `cloze checkpoint convert`: writes a checkpoint of another library, dtype or number of files as a folder
 * that opens here and in Python.
 */
import { readdir } from "node:fs/promises";
import type { FloatDType } from "@cloze/checkpoint";
import { ConfigError } from "@cloze/errors";
import { checkpointPath } from "../checkpoint-folder.ts";
import { command, type Command } from "../command.ts";
import { columns, counted } from "../output.ts";

const DTYPES: Readonly<Record<string, FloatDType>> = { f32: "F32", f16: "F16", bf16: "BF16" };

export const checkpointConvert: Command = command({
  arguments: {
    name: "IN OUT",
    help: "a checkpoint folder, a .safetensors, an .npz, a TensorFlow .index or a model of the Hub; and a new folder",
    min: 2,
    max: 2,
  },
  options: {
    names: {
      kind: "choice",
      choices: ["auto", "fair-esm", "tf-bert", "hugging-face"],
      default: "auto",
      help: "whose names the tensors have",
    },
    dtype: {
      kind: "choice",
      choices: ["keep", "f32", "f16", "bf16"],
      default: "keep",
      help: "of all floating tensors",
    },
    shardSize: { kind: "count", min: 1, default: 5e9, help: "largest file, in bytes" },
    heads: { kind: "integer", min: 1, help: "attention heads, where no config.json says" },
    leaveUnknown: { kind: "boolean", help: "leave out tensors of unknown names instead of refusing" },
  },
  writes: { how: "whole", of: ({ args }) => args[1] },
  examples: [
    { does: "An ESM-2 of fair-esm", line: "cloze checkpoint convert esm2_t6_8M_UR50D.safetensors esm2-8m" },
    { does: "Google's BERT", line: "cloze checkpoint convert uncased_L-12_H-768_A-12 bert" },
    {
      does: "16 bits, in files of 1 GB",
      line: "cloze checkpoint convert runs/mine/checkpoints/step-1000 small --dtype bf16 --shard-size 1g",
    },
  ],
  notes: [
    "The new folder has config.json (the one beside IN, TensorFlow's bert_config.json, or made from the shapes), " +
      "the tokenizer's files beside IN, and safetensors under Hugging Face's names. Every tensor of IN is in OUT, " +
      "or listed as left out with the reason.",
    "Pickles (.bin, .pt) run code when they are read, so they are not; the error says how to turn one into " +
      "safetensors.",
  ],
  async run({ args: [given = "", to = ""], options, path, io, note, status }) {
    const { namings } = await import("@cloze/checkpoint");
    const { convertCheckpoint } = await import("@cloze/checkpoint/node");
    const { checkpointFolder } = await import("../run-folder.ts");
    const from = await checkpointFolder(
      path(await checkpointPath(given, { path, io, note, status }, { where: "checkpoint convert" })),
    );
    const out = path(to);
    await expectNewFolder(out, to, "checkpoint convert");
    const naming = namings.find(({ name }) => name === options.names);
    const dtype = DTYPES[options.dtype];
    const done = await convertCheckpoint(from, out, {
      ...(naming && { naming }),
      ...(dtype && { dtype }),
      maxShardBytes: options.shardSize,
      ...(options.heads !== undefined && { heads: options.heads }),
      leaveUnknown: options.leaveUnknown,
      // fair-esm has its alphabet in its code, so its checkpoints have no tokenizer files.
      tokenizerFiles: async (config) =>
        config["model_type"] === "esm" ? (await import("@cloze/tokenizer-protein")).esm2().files() : {},
    });
    const { tensors, left, files } = done;
    const renamed = tensors.filter((each) => each.from !== each.to).length;
    const turned = tensors.filter(({ transpose }) => transpose).length;
    const reasons = [...new Set(left.map(({ why }) => why))].map(
      (why) => [why, left.filter((each) => each.why === why).map(({ name }) => name)] as const,
    );
    return {
      json: { ...done, out },
      text: [
        `${to}: ${counted(tensors.length, "tensor")} from names of ${done.naming}, ${renamed} renamed, ${turned} ` +
          "transposed",
        ...columns([
          ["  config.json", done.config],
          ["  files", files.join(", ")],
          ...reasons.map(([why, names]) => [
            "  left out",
            `${why}: ${names.slice(0, 5).join(", ")}` +
              (names.length > 5 ? `, and ${names.length - 5} more (--json lists them)` : ""),
          ]),
        ]),
        ...(files.some((file) => file === "tokenizer.json" || file === "vocab.txt")
          ? []
          : ["  no tokenizer was beside it: copy vocab.txt or tokenizer.json there"]),
      ],
    };
  },
});

/** Throws ConfigError if the folder holds anything, so that no file of the user is overwritten. */
export async function expectNewFolder(folder: string, shown: string, where: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? [] : [error.code ?? "a file"],
  );
  if (names.length > 0)
    throw new ConfigError(
      `${where}: expected a new folder to write, got ${shown}, which holds ${names.slice(0, 3).join(", ")}. ` +
        "Choose another.",
    );
}
