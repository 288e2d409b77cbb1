/**
 * The command `cloze checkpoint grow`: makes a larger model of the same family from a smaller one, for further
 * pretraining.
 */
import { ConfigError } from "@cloze/errors";
import type { Head } from "@cloze/models/families";
import { checkpointPath } from "../checkpoint-folder.ts";
import { command, type Command } from "../command.ts";
import type { LoadedModel } from "../model-files.ts";
import { readObject } from "../options.ts";
import { columns, integer } from "../output.ts";
import { expectNewFolder } from "./checkpoint-convert.ts";

const WHERE = "checkpoint grow";

export const checkpointGrow: Command = command({
  recipes: true,
  arguments: {
    name: "IN OUT",
    help: "a checkpoint folder, a run folder or a model of the Hub; and a new folder",
    min: 2,
    max: 2,
  },
  options: {
    model: {
      kind: "string",
      value: "NAME|config.json",
      required: true,
      help: "the larger model: a published size, which takes the vocabulary of IN, or a configuration of one's own",
    },
    modelOptions: { kind: "json", default: "{}", help: "keys of its config.json to change" },
    keepSums: {
      kind: "boolean",
      default: true,
      help: "tile alone, as ModernBERT-large was: do not divide what stands several times by how often it does",
    },
    noise: {
      kind: "number",
      min: 0,
      default: 0.01,
      help: "of every weight's size, so that copies do not stay copies; 0 for none",
    },
    seed: { kind: "integer", min: 0, default: 0, help: "of the noise, and of parameters that IN has nothing for" },
  },
  writes: { how: "whole", of: ({ args }) => args[1] },
  examples: [
    {
      does: "As ModernBERT-large began, from one's own base",
      line: "cloze checkpoint grow runs/base large-start --model modernbert-large --no-keep-sums",
    },
    {
      does: "For a recipe that begins so",
      line: "cloze checkpoint grow runs/base grown --recipe modernbert-large --no-keep-sums",
    },
    { does: "A larger ESM-2", line: "cloze checkpoint grow runs/esm2-8m-1 esm2-35m-start --model esm2-35m" },
  ],
  notes: [
    "Every tensor is tiled from the middle: what IN holds stands in the centre, and its copies continue it to " +
      "both sides, head by head. Layers are taken evenly: layer i of N is made of layer floor((i + 1/2) n / N) of " +
      "n.",
    "Sums over a wider axis stay what they were, so that a model of a whole multiple of the width, with heads " +
      "and layers as they are, gives the logits of IN, but for the noise. To train on: cloze pretrain --from OUT.",
  ],
  async run({ args: [given = "", to = ""], options, path, io, note, status }) {
    const { checkpointFolder } = await import("../run-folder.ts");
    const { loadModel } = await import("../model-files.ts");
    const { growWeights } = await import("@cloze/models/grow");
    const { openRequested, parametersOfSource, sourceOfModel } = await import("../model-sources.ts");
    const { holdsTokenizer, tokenizerOfFolder } = await import("../tokenizers.ts");
    const { expectFinite } = await import("@cloze/backend");
    const { countParameters } = await import("@cloze/nn");
    const { saveCheckpoint } = await import("@cloze/trainer");
    const from = await checkpointFolder(
      path(await checkpointPath(given, { path, io, note, status }, { where: WHERE })),
    );
    const out = path(to);
    await expectNewFolder(out, to, WHERE);
    const small = await loadModel(from);
    const tokenizer = (await holdsTokenizer(from)) ? await tokenizerOfFolder(from) : undefined;
    const head = pretrainingHead(small, given);
    // A published size takes the vocabulary and the ids of the special tokens from the small model. A config.json has
    // its own.
    const vocabulary = options.model.endsWith(".json")
      ? {}
      : { vocab: small.model.vocab, special: tokenizer?.special ?? { pad: small.padId } };
    const { name, opened: big } = await openRequested({
      model: options.model,
      modelOptions: readObject(options.modelOptions),
      path,
      zeroInitHead: false,
      ...vocabulary,
    });
    const source = sourceOfModel(name, big, head);
    const parameters = parametersOfSource(source, head);
    const { weights, layers, fresh } = growWeights(small, big, parameters, {
      seed: options.seed,
      keepSums: options.keepSums,
      noise: options.noise,
    });
    for (const [name, { data }] of Object.entries(weights)) expectFinite(data, `${WHERE}, ${name}`, small.weights);
    await saveCheckpoint(out, { source, weights, tokenizerFiles: tokenizer?.files() ?? {} });
    const was = countParameters(new Map(Object.entries(small.weights)));
    const is = countParameters(parameters);
    return {
      json: { out, model: name, parameters: { from: was, to: is }, layers, fresh },
      text: [
        `${to}: ${integer(was)} parameters grown to ${integer(is)}`,
        ...columns([
          ["  layers", `${layers.length}, each made of: ${layers.join(" ")}`],
          ...(fresh.length > 0
            ? [
                [
                  "  new",
                  fresh.slice(0, 5).join(", ") +
                    (fresh.length > 5 ? `, and ${fresh.length - 5} more (--json lists them)` : ""),
                ],
              ]
            : []),
        ]),
      ],
    };
  },
});

/** Heads for pretraining. A head with more outputs comes first. */
const HEADS: readonly Head[] = ["masked-lm+sentence-pair", "masked-lm", "sentence-pair"];

/**
 * The first head of HEADS that the checkpoint has. Throws ConfigError if it has none: the head of a classifier fits
 * only its own model.
 */
function pretrainingHead({ heads }: LoadedModel, given: string): Head {
  const found = HEADS.find((head) => heads.includes(head));
  if (found === undefined)
    throw new ConfigError(
      `${WHERE}: expected a checkpoint with a head of pretraining, got ${given}, which has ` +
        `${heads.join(", ") || "none"}. Grow the model that it was fine-tuned from.`,
    );
  return found;
}
