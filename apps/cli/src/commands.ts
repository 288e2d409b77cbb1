/**
 * The list of commands, in the order of the help. It holds names and summaries only; a command's module is loaded when
 * the command is called.
 */
import type { Command } from "./command.ts";

export interface CommandEntry {
  /** One word, or two: `data prepare`. */
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "quickstart",
    summary: "Pretrain a small ESM-2 on the bundled sample, then fill a mask",
    load: async () => (await import("./commands/quickstart.ts")).quickstart,
  },
  {
    name: "pretrain",
    summary: "Train an encoder on sequences or text",
    load: async () => (await import("./commands/pretrain.ts")).pretrain,
  },
  {
    name: "recipe list",
    summary: "The recipes that come along: published ones, and small ones of each kind",
    load: async () => (await import("./commands/recipe-list.ts")).recipeList,
  },
  {
    name: "recipe show",
    summary: "Where a recipe comes from, its options, and its schedules as charts",
    load: async () => (await import("./commands/recipe-show.ts")).recipeShow,
  },
  {
    name: "estimate",
    summary: "Memory, time and money of a pretraining run, before it",
    load: async () => (await import("./commands/estimate.ts")).estimate,
  },
  {
    name: "speedrun",
    summary: "The small benchmark of pretraining: its records, run again or beaten",
    load: async () => (await import("./commands/speedrun.ts")).speedrun,
  },
  {
    name: "finetune",
    summary: "Train a checkpoint for a task: classify, tag, answer",
    load: async () => (await import("./commands/finetune.ts")).finetune,
  },
  {
    name: "predict",
    summary: "What a fine-tuned model says of texts",
    load: async () => (await import("./commands/predict.ts")).predict,
  },
  {
    name: "evaluate",
    summary: "Loss and metrics of a checkpoint on sequences, or of a task on labelled data",
    load: async () => (await import("./commands/evaluate.ts")).evaluate,
  },
  {
    name: "embed",
    summary: "Turn sequences into vectors",
    load: async () => (await import("./commands/embed.ts")).embed,
  },
  {
    name: "logits",
    summary: "Logits of token ids, hidden states, attention maps, contacts",
    load: async () => (await import("./commands/logits.ts")).logits,
  },
  {
    name: "fill-mask",
    summary: "Show the likeliest tokens where a text is masked",
    load: async () => (await import("./commands/fill-mask.ts")).fillMask,
  },
  {
    name: "tokenize",
    summary: "Show how texts become tokens",
    load: async () => (await import("./commands/tokenize.ts")).tokenize,
  },
  {
    name: "tokenizer train",
    summary: "Make a vocabulary of word pieces from texts",
    load: async () => (await import("./commands/tokenizer-train.ts")).tokenizerTrain,
  },
  {
    name: "objective new",
    summary: "Start a package with a pretraining objective of one's own",
    load: async () => (await import("./commands/objective-new.ts")).objectiveNew,
  },
  {
    name: "data prepare",
    summary: "Turn sequences or text into token shards",
    load: async () => (await import("./commands/data-prepare.ts")).dataPrepare,
  },
  {
    name: "data inspect",
    summary: "Show what sequences, text or token shards hold",
    load: async () => (await import("./commands/data-inspect.ts")).dataInspect,
  },
  {
    name: "download",
    summary: "Fetch a model of the Hugging Face Hub into the cache",
    load: async () => (await import("./commands/download.ts")).download,
  },
  {
    name: "checkpoint inspect",
    summary: "Show what a checkpoint holds and whether it is whole",
    load: async () => (await import("./commands/checkpoint-inspect.ts")).checkpointInspect,
  },
  {
    name: "checkpoint convert",
    summary: "Turn a checkpoint of another library into one that opens here and in Python",
    load: async () => (await import("./commands/checkpoint-convert.ts")).checkpointConvert,
  },
  {
    name: "checkpoint average",
    summary: "The mean of several checkpoints of one model",
    load: async () => (await import("./commands/checkpoint-average.ts")).checkpointAverage,
  },
  {
    name: "checkpoint resize",
    summary: "Give a checkpoint another vocabulary, or further tokens",
    load: async () => (await import("./commands/checkpoint-resize.ts")).checkpointResize,
  },
  {
    name: "checkpoint grow",
    summary: "Begin a larger model from a smaller one",
    load: async () => (await import("./commands/checkpoint-grow.ts")).checkpointGrow,
  },
  {
    name: "doctor",
    summary: "Show what can run on this machine, and what would help",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
];
