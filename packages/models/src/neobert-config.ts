/**
 * NeoBERT's configuration: its published size, and the one mapping from and to its config.json. The keys are the keys
 * of NeoBERT's own class `NeoBERTConfig` (model_type "neobert"). Keys without a meaning here are kept.
 */
import { configText, readFields, writeFields, type FieldTable } from "./config-json.ts";
import { checkGatedRmsConfig, gatedRmsExtra, gatedRmsObject, type GatedRmsConfig } from "./gated-rms-config.ts";

const TYPE = "neobert";

/** Fields for which NeoBERT has no keys. */
const FIXED = {
  dropoutRate: 0,
  embeddingNorm: false,
  lastNorm: true,
  attentionBias: false,
  feedForwardBias: false,
} as const;

export type NeoBertSize = "neobert";

/** The published size, chandar-lab/NeoBERT: 245,136,954 parameters; 221,665,536 of them belong to the encoder. */
export const neoBertConfigs: Readonly<Record<NeoBertSize, GatedRmsConfig>> = {
  neobert: {
    ...FIXED,
    vocab: 30_522,
    hidden: 768,
    layers: 28,
    heads: 12,
    intermediate: 3072,
    maxPositions: 4096,
    padTokenId: 0,
    normEps: 1e-5,
    ropeBase: 10_000,
    classifierDropoutRate: 0.1,
    embeddingRange: 0.02,
    linearRange: 0.02,
  },
};

/** Missing keys have the defaults of upstream's class. */
const FIELDS = {
  vocab: ["vocab_size", 30_522],
  hidden: ["hidden_size", 768],
  layers: ["num_hidden_layers", 28],
  heads: ["num_attention_heads", 12],
  intermediate: ["intermediate_size", 3072],
  maxPositions: ["max_length", 1024],
  padTokenId: ["pad_token_id", 0],
  normEps: ["norm_eps", 1e-6],
  ropeBase: ["rope_theta", 10_000],
  classifierDropoutRate: ["classifier_dropout", 0.1],
  embeddingRange: ["embedding_init_range", 0.02],
  linearRange: ["decoder_init_range", 0.02],
} as const satisfies FieldTable;

/** Reads a config.json. Errors name `file`. Throws the errors of `gatedRmsObject` and `checkGatedRmsConfig`. */
export function parseNeoBertConfig(json: unknown, file = "config.json"): GatedRmsConfig {
  const given = gatedRmsObject(json, TYPE, file);
  return checkGatedRmsConfig({ ...FIXED, ...readFields(given, FIELDS, file), ...gatedRmsExtra(given, FIELDS) }, TYPE);
}

/** The text of a config.json. `saved`: keys that win over `extra`, for example the architecture and the labels. */
export function neoBertConfigText(config: GatedRmsConfig, saved: Readonly<Record<string, unknown>> = {}): string {
  return configText(neoBertConfigJson(config, saved));
}

/** The config.json as an object, to compare or merge. */
export function neoBertConfigJson(
  config: GatedRmsConfig,
  saved: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  checkGatedRmsConfig(config, TYPE);
  return {
    model_type: TYPE,
    architectures: ["NeoBERTLMHead"],
    hidden_act: "SwiGLU",
    rms_norm: true,
    dim_head: config.hidden / config.heads,
    ...config.extra,
    ...saved,
    ...writeFields(config, FIELDS),
  };
}
