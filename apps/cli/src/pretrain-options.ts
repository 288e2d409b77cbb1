/** The options of `cloze pretrain`: one table for the parser, the help, the config file and a resumed run. */
import { BACKEND_OPTIONS } from "./compute-options.ts";
import { COST_OPTIONS } from "./cost-options.ts";
import { NUCLEOTIDE_OPTION, READING_OPTIONS } from "./data-options.ts";
import { inGroup } from "./options.ts";

const MODEL = {
  model: {
    kind: "string",
    value: "NAME",
    default: "esm2-8m",
    help: "esm2-8m, -35m, -150m, -650m, -3b, -15b, speedrun-133m, any other published size, or a config.json",
  },
  modelOptions: {
    kind: "json",
    default: "{}",
    help: "keys of its config.json to change, e.g. '{\"num_hidden_layers\":4}'",
  },
  from: {
    kind: "string",
    value: "DIR|NAME",
    checkpoint: true,
    help: "start from the weights of a checkpoint, or of a model of the Hub",
  },
  tokenizer: {
    kind: "string",
    value: "NAME|DIR",
    default: "esm2",
    checkpoint: { unless: ["esm2", "protbert", "amplify"] },
    help: ("esm2, protbert, amplify, or a checkpoint folder; without it that of --from, or the alphabet of the " +
      "model's name; a model of text needs it") as string,
  },
  zeroInitHead: { kind: "boolean", default: true, help: "start from a loss of exactly ln(vocabulary)" },
  window: {
    kind: "scheduled",
    of: "integer",
    min: 0,
    help: "of attention, where the model has one (default: the model's)",
  },
  ropeBase: { kind: "scheduled", of: "number", above: 0, help: "of rotary positions (default: the model's)" },
} as const;

const DATA = {
  data: {
    kind: "list",
    value: "[W:]NAME",
    help: ("FASTA, .txt, .jsonl, .csv, .tsv (plain or .gz), .parquet (also a URL), " +
      "hf://datasets/OWNER/NAME[:CONFIG[:SPLIT]], the .json of token shards, or cloze://sample, the proteins that " +
      "come along; several are joined, or mixed by weights: 0.7:a.txt 0.3:b.jsonl") as string,
  },
} as const;

const OBJECTIVE = {
  objective: {
    kind: "scheduled",
    of: "string",
    value: "NAME",
    default: "mlm",
    help: "mlm, nsp, sop, masked-diffusion, or an installed package; mlm+nsp is both",
  },
  objectiveOptions: {
    kind: "json",
    default: "{}",
    help: 'its options, e.g. \'{"rate":0.2,"unit":"whole-word"}\'; of several by name, \'{"mlm":{…}}\'',
  },
} as const;

const LENGTH = {
  steps: { kind: "count", min: 1, help: "train for so many steps" },
  epochs: { kind: "number", above: 0, help: "train for so many passes over the data (default: 1)" },
  tokens: { kind: "count", min: 1, help: "train on so many tokens, padding not counted; the schedule runs over them" },
  budget: { kind: "duration", above: 0, help: "train for so long; the schedule runs over time" },
  batchTokens: {
    kind: "scheduled",
    of: "count",
    min: 8,
    default: 8192,
    help: "tokens in a step, all parts together, padding included",
  },
  accumulate: { kind: "integer", min: 1, help: "parts a step is computed in (default: of at most 2,048 tokens)" },
  maxLength: {
    kind: "scheduled",
    of: "integer",
    min: 8,
    default: 512,
    help: "tokens in a row; longer sequences are cropped",
  },
} as const;

const OPTIMIZER = {
  optimizer: {
    kind: "choice",
    choices: ["adamw", "muon", "stable-adamw", "lamb"],
    default: "adamw",
    help: "muon trains the matrices of hidden layers, and AdamW what is left",
  },
  weightDecay: {
    kind: "scheduled",
    of: "number",
    min: 0,
    default: 0.01,
    help: "of matrices; biases and norms do not decay",
  },
  muonMomentum: { kind: "scheduled", of: "number", min: 0, max: 0.9999, default: "0:0.85,300:0.95", help: "with muon" },
  beta1: { kind: "number", min: 0, max: 0.9999, default: 0.9, help: "AdamW" },
  beta2: { kind: "number", min: 0, max: 0.999999, default: 0.98, help: "AdamW" },
  clip: { kind: "number", min: 0, default: 1, help: "largest global norm of the gradient; 0 never clips" },
  clipPercentile: {
    kind: "number",
    min: 0,
    max: 100,
    help: "instead: clip at this percentile of the norms so far (AutoClip took 10)",
  },
  clipHistory: { kind: "count", min: 1, max: 4096, default: 1000, help: "norms that --clip-percentile remembers" },
  ema: {
    kind: "number",
    min: 0,
    max: 0.999999,
    help: ("keep a moving average of the weights with this decay, evaluated as ema.* and saved in the checkpoint's " +
      "folder ema") as string,
  },
} as const;

const RATE = {
  lr: { kind: "number", above: 0, default: 4e-4, help: "peak learning rate; with muon 0.02 unless given" },
  adamLr: { kind: "number", above: 0, default: 4e-4, help: "with muon: the peak of what AdamW trains" },
  embeddingLr: { kind: "number", above: 0, help: "with muon: the peak of tables of embeddings (default: --adam-lr)" },
  headLr: { kind: "number", above: 0, help: "with muon: the peak of the head's matrices (default: --adam-lr)" },
  schedule: {
    kind: "choice",
    choices: ["constant", "linear", "cosine", "inverse-sqrt", "wsd", "1-sqrt"],
    default: "linear",
    help: "of the learning rate",
  },
  warmup: {
    kind: "number",
    min: 0,
    default: 0.1,
    help: "steps of warm-up (with --tokens tokens, with --budget seconds); below 1, a share of the run",
  },
  finalLr: { kind: "number", min: 0, max: 1, default: 0.1, help: "learning rate at the end, as a share of the peak" },
  decay: {
    kind: "number",
    above: 0,
    help: ("length of the decay, in the unit of --warmup: after it for linear and cosine (default: all that is " +
      "left), at the end for wsd and 1-sqrt (default 0.2)") as string,
  },
} as const;

const SAVING = {
  valid: { kind: "number", min: 0, max: 0.9, default: 0.05, help: "share of the sequences held out for evaluation" },
  evalEvery: { kind: "count", min: 0, default: 100, help: "steps between evaluations; 0: at the end only" },
  saveEvery: { kind: "count", min: 0, default: 100, help: "steps between checkpoints; 0: at the end only" },
  keep: { kind: "integer", min: 1, default: 3, help: "newest checkpoints to keep" },
  out: { kind: "string", value: "DIR", help: "run folder (default: runs/MODEL-N)" },
  resume: {
    kind: "string",
    value: "DIR",
    bare: "auto",
    inFile: false,
    help: "continue a run; without DIR the one of --out, or the newest",
  },
  acceptChangedData: {
    kind: "boolean",
    default: false,
    inFile: false,
    help: "with --resume: go on although files that the run read have changed; the run keeps a record of it",
  },
} as const;

const COMPUTE = {
  precision: {
    kind: "choice",
    choices: ["f32", "f16", "bf16"],
    default: "f32",
    help: "of contractions; f16 has a dynamic loss scale",
  },
  rematerialise: {
    kind: "boolean",
    default: false,
    help: ("compute each layer again for its gradient instead of keeping its values (activation checkpointing): less " +
      "memory, a third more work") as string,
  },
  tune: { kind: "boolean", default: false, help: "measure how this GPU multiplies fastest, and keep it (webgpu)" },
  plan: {
    kind: "boolean",
    default: false,
    inFile: false,
    help: "print what a step does on the device and the memory it takes, and stop",
  },
} as const;

const OTHER = {
  seed: { kind: "integer", min: 0, default: 0, help: "of the weights, the order of the data and the masks" },
} as const;

export const PRETRAIN_OPTIONS: typeof MODEL &
  typeof DATA &
  typeof READING_OPTIONS &
  typeof NUCLEOTIDE_OPTION &
  typeof OBJECTIVE &
  typeof LENGTH &
  typeof OPTIMIZER &
  typeof RATE &
  typeof SAVING &
  typeof BACKEND_OPTIONS &
  typeof COMPUTE &
  typeof COST_OPTIONS &
  typeof OTHER = {
  ...inGroup("Model", MODEL),
  ...inGroup("Data", DATA),
  ...READING_OPTIONS,
  ...NUCLEOTIDE_OPTION,
  ...inGroup("Objective", OBJECTIVE),
  ...inGroup("Length and batches", LENGTH),
  ...inGroup("Optimizer", OPTIMIZER),
  ...inGroup("Learning rate", RATE),
  ...inGroup("Evaluation and saving", SAVING),
  ...BACKEND_OPTIONS,
  ...inGroup("Compute", COMPUTE),
  ...COST_OPTIONS,
  ...OTHER,
};

/**
 * Options that a resumed run may change. None of them changes a number of the training, except the length of the run.
 */
export const RESUME_MAY_CHANGE: ReadonlySet<string> = new Set([
  "backend",
  "threads",
  "tune",
  "rematerialise",
  "evalEvery",
  "saveEvery",
  "keep",
  "out",
  "resume",
  "acceptChangedData",
  "steps",
  "epochs",
  "tokens",
  "budget",
  "price",
  "prices",
  "peakTflops",
]);
