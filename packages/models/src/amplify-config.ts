/**
 * AMPLIFY's configuration: its published sizes, and the one mapping from and to its config.json. The keys are the keys
 * of AMPLIFY's own class `AMPLIFYConfig` (model_type "AMPLIFY"). Keys without a meaning here are kept.
 */
import { configText, readFields, writeFields, type FieldTable } from "./config-json.ts";
import { checkGatedRmsConfig, gatedRmsExtra, gatedRmsObject, type GatedRmsConfig } from "./gated-rms-config.ts";

const TYPE = "AMPLIFY";

const sized = (layers: number, hidden: number, heads: number): GatedRmsConfig => ({
  vocab: 27,
  hidden,
  layers,
  heads,
  intermediate: 4 * hidden,
  maxPositions: 2048,
  padTokenId: 0,
  normEps: 1e-5,
  ropeBase: 10_000,
  dropoutRate: 0,
  classifierDropoutRate: 0.1,
  embeddingNorm: false,
  lastNorm: true,
  attentionBias: false,
  feedForwardBias: false,
  embeddingRange: 0.02,
  linearRange: 0.02,
});

export type AmplifySize = "amplify-120m" | "amplify-350m";

/** Published sizes: chandar-lab/AMPLIFY_120M and _350M, 118,276,507 and 354,008,667 parameters. */
export const amplifyConfigs: Readonly<Record<AmplifySize, GatedRmsConfig>> = {
  "amplify-120m": /* @__PURE__ */ sized(24, 640, 10),
  "amplify-350m": /* @__PURE__ */ sized(32, 960, 15),
};

/** Missing keys have the defaults of upstream's class. */
const FIELDS = {
  vocab: ["vocab_size", 27],
  hidden: ["hidden_size", 960],
  layers: ["num_hidden_layers", 32],
  heads: ["num_attention_heads", 15],
  intermediate: ["intermediate_size", 3840],
  maxPositions: ["max_length", 2048],
  padTokenId: ["pad_token_id", 0],
  normEps: ["norm_eps", 1e-5],
  ropeBase: ["rope_theta", 10_000],
  dropoutRate: ["dropout_prob", 0],
  classifierDropoutRate: ["classifier_dropout", 0.1],
  embeddingNorm: ["layer_norm_after_embedding", false],
  lastNorm: ["layer_norm_before_last_layer", true],
  attentionBias: ["att_bias", false],
  feedForwardBias: ["ffn_bias", false],
  embeddingRange: ["embedding_init_range", 0.02],
  linearRange: ["decoder_init_range", 0.02],
} as const satisfies FieldTable;

/** Reads a config.json. Errors name `file`. Throws the errors of `gatedRmsObject` and `checkGatedRmsConfig`. */
export function parseAmplifyConfig(json: unknown, file = "config.json"): GatedRmsConfig {
  const given = gatedRmsObject(json, TYPE, file);
  return checkGatedRmsConfig({ ...readFields(given, FIELDS, file), ...gatedRmsExtra(given, FIELDS) }, TYPE);
}

/** The text of a config.json. `saved`: keys that win over `extra`, for example the architecture and the labels. */
export function amplifyConfigText(config: GatedRmsConfig, saved: Readonly<Record<string, unknown>> = {}): string {
  return configText(amplifyConfigJson(config, saved));
}

/** The config.json as an object, to compare or merge. */
export function amplifyConfigJson(
  config: GatedRmsConfig,
  saved: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  checkGatedRmsConfig(config, TYPE);
  return {
    model_type: TYPE,
    architectures: ["AMPLIFY"],
    hidden_act: "SwiGLU",
    rms_norm: true,
    ...config.extra,
    ...saved,
    ...writeFields(config, FIELDS),
  };
}
