/**
 * The options of `cloze estimate`: those pretrain options that affect memory and speed, and options for the speed and
 * the price of the device.
 */
import { BACKEND_OPTIONS, PRECISION_OPTION } from "./compute-options.ts";
import { COST_OPTIONS } from "./cost-options.ts";
import { READING_OPTIONS } from "./data-options.ts";
import { inGroup } from "./options.ts";

const MODEL = {
  model: { kind: "string", value: "NAME", required: true, help: "a published size, or a config.json" },
  modelOptions: { kind: "json", default: "{}", help: "keys of its config.json to change" },
  tokenizer: {
    kind: "string",
    value: "NAME|DIR",
    checkpoint: { unless: ["esm2", "protbert", "amplify"] },
    help: "whose vocabulary a published size takes (default: its own)",
  },
  objective: { kind: "string", value: "NAME", default: "mlm", help: "what is trained for" },
} as const;

const DATA = {
  data: { kind: "list", value: "[W:]NAME", help: "the data, as pretrain takes it: its tokens are counted" },
} as const;

const LENGTH = {
  tokens: { kind: "count", min: 1, help: "tokens of the whole run, instead of data" },
  epochs: { kind: "number", above: 0, default: 1, help: "passes over the data" },
  batchTokens: { kind: "count", min: 8, default: 8192, help: "tokens in a step" },
  accumulate: { kind: "integer", min: 1, default: 1, help: "parts a step is computed in" },
  maxLength: { kind: "integer", min: 8, default: 512, help: "tokens in a row" },
} as const;

const OPTIMIZER = {
  optimizer: {
    kind: "choice",
    choices: ["adamw", "muon", "stable-adamw", "lamb"],
    default: "adamw",
    help: "whose moments are kept",
  },
  ema: { kind: "number", min: 0, max: 0.999999, help: "with a moving average of the weights" },
} as const;

const REMATERIALISE = {
  rematerialise: { kind: "boolean", default: false, help: "compute each layer again for its gradient" },
} as const;

const SPEED = {
  device: { kind: "string", value: "NAME", help: "a GPU by name, such as H200: its peak is known of common ones" },
  mfu: { kind: "number", above: 0, max: 1, default: 0.4, help: "share of the peak that it is taken to reach" },
  tokensPerSecond: { kind: "number", above: 0, help: "instead: the speed as it is known" },
  measure: { kind: "boolean", help: "instead: measure a few steps on --backend" },
} as const;

export const ESTIMATE_OPTIONS: typeof MODEL &
  typeof DATA &
  typeof READING_OPTIONS &
  typeof LENGTH &
  typeof OPTIMIZER &
  typeof PRECISION_OPTION &
  typeof REMATERIALISE &
  typeof BACKEND_OPTIONS &
  typeof SPEED &
  typeof COST_OPTIONS = {
  ...inGroup("Model", MODEL),
  ...inGroup("Data", DATA),
  ...READING_OPTIONS,
  ...inGroup("Length and batches", LENGTH),
  ...inGroup("Optimizer", OPTIMIZER),
  ...PRECISION_OPTION,
  ...inGroup("Compute", REMATERIALISE),
  ...BACKEND_OPTIONS,
  ...inGroup("Speed", SPEED),
  ...COST_OPTIONS,
};
