/**
 * Options that the commands with a model share: the checkpoint, the tokens at once, the precision and the backend. A
 * command spreads them into its own table.
 */
import { inGroup } from "./options.ts";

export const CHECKPOINT_OPTION = {
  checkpoint: {
    kind: "string",
    value: "DIR|NAME",
    required: true,
    checkpoint: true,
    help: "checkpoint folder, a run folder (its newest checkpoint), or a model of the Hub",
  },
} as const;

const PORTION = {
  batchTokens: { kind: "count", min: 8, default: 2048, help: "tokens computed at once" },
} as const;
export const PORTION_OPTION: typeof PORTION = inGroup("Compute", PORTION);

const PRECISION = {
  precision: {
    kind: "choice",
    choices: ["f32", "f16", "bf16"],
    default: "f32",
    help: "of contractions; all else is f32",
  },
} as const;
export const PRECISION_OPTION: typeof PRECISION = inGroup("Compute", PRECISION);

const BACKENDS = {
  backend: {
    kind: "choice",
    choices: [
      "auto",
      "webgpu",
      "onnxruntime",
      "tfjs",
      "tfjs:node-gpu",
      "tfjs:node",
      "tfjs:wasm",
      "tfjs:cpu",
      "reference",
    ],
    default: "auto",
    help: "what computes",
  },
  threads: { kind: "integer", min: 1, help: "compute threads (default: all cores)" },
} as const;
export const BACKEND_OPTIONS: typeof BACKENDS = inGroup("Compute", BACKENDS);
