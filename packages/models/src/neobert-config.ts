/**
 * NeoBERT's configuration: its published size, and the one mapping from and to its config.json, whose keys are those of
 * its own class
 * `NeoBERTConfig` (model_type "neobert"). Those that say nothing to us are kept.
 */
import { configText, readFields, writeFields, type FieldTable } from "./config-json.ts";
import { checkGatedRmsConfig, gatedRmsExtra, gatedRmsObject, type GatedRmsConfig } from "./gated-rms-config.ts";

const TYPE = "neobert";

/** What NeoBERT has no keys for. */
const FIXED = {
  dropoutRate: 0,
  embeddingNorm: false,
  lastNorm: true,
  attentionBias: false,
  feedForwardBias: false,
} as const;

export type NeoBertSize = "neobert";

/** The published size, chandar-lab/NeoBERT: 245,136,954 parameters, 221,665,536 of them the encoder's. */
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

/** What is missing is as in upstream's class. */
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

/** Reads a config.json. `file` is named in errors. Throws as `gatedRmsObject` and `checkGatedRmsConfig`. */
export function parseNeoBertConfig(json: unknown, file = "config.json"): GatedRmsConfig {
  const given = gatedRmsObject(json, TYPE, file);
  return checkGatedRmsConfig({ ...FIXED, ...readFields(given, FIELDS, file), ...gatedRmsExtra(given, FIELDS) }, TYPE);
}

/** The text of a config.json. `saved`: keys that win over `extra`, such as the architecture and labels. */
export function neoBertConfigText(config: GatedRmsConfig, saved: Readonly<Record<string, unknown>> = {}): string {
  return configText(neoBertConfigJson(config, saved));
}

/** The same as an object, to be compared or merged. */
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
