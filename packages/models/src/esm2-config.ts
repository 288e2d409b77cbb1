/**
 * ESM-2's configuration: fields named by the glossary, and the one mapping from and to Hugging Face's config.json.
 *
 * Missing keys take the defaults of transformers' EsmConfig, not the values of ESM-2. So a config.json means the same
 * here and in transformers. Keys without a meaning here are kept in `extra` and written back.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { configObject, configText, otherKeys, readFields, writeFields, type FieldTable } from "./config-json.ts";

export interface Esm2Config {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward block. */
  readonly intermediate: number;
  /** Longest sequence of the training, plus two. Rotary positions themselves have no limit. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly maskTokenId: number;
  /** The id of `<eos>`, which is removed from contact maps. */
  readonly eosTokenId: number;
  readonly layerNormEps: number;
  readonly ropeBase: number;
  /**
   * Token dropout: `<mask>` embeddings are zero and the other embeddings are rescaled, in training and at inference.
   */
  readonly tokenDropout: boolean;
  /** A norm right after the embeddings (ESM-1b has this norm, ESM-2 does not). */
  readonly embLayerNormBefore: boolean;
  /** The decoder is the table of word embeddings. */
  readonly tieWordEmbeddings: boolean;
  readonly hiddenDropoutRate: number;
  readonly attentionDropoutRate: number;
  /** Standard deviation of the initial weights. */
  readonly initializerRange: number;
  /** Other keys of the config.json of this configuration. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

const published = (layers: number, hidden: number, heads: number): Esm2Config => ({
  vocab: 33,
  hidden,
  layers,
  heads,
  intermediate: 4 * hidden,
  maxPositions: 1026,
  padTokenId: 1,
  maskTokenId: 32,
  eosTokenId: 2,
  layerNormEps: 1e-5,
  ropeBase: 10_000,
  tokenDropout: true,
  embLayerNormBefore: false,
  tieWordEmbeddings: true,
  hiddenDropoutRate: 0,
  attentionDropoutRate: 0,
  initializerRange: 0.02,
});

export type Esm2Size = "esm2-8m" | "esm2-35m" | "esm2-150m" | "esm2-650m" | "esm2-3b" | "esm2-15b";

/** The six published models, facebook/esm2_t6_8M_UR50D to facebook/esm2_t48_15B_UR50D. */
export const esm2Configs: Readonly<Record<Esm2Size, Esm2Config>> = {
  "esm2-8m": published(6, 320, 20),
  "esm2-35m": published(12, 480, 20),
  "esm2-150m": published(30, 640, 20),
  "esm2-650m": published(33, 1280, 20),
  "esm2-3b": published(36, 2560, 40),
  "esm2-15b": published(48, 5120, 40),
};

/** Throws ConfigError when the values do not fit together. */
export function checkEsm2Config(config: Esm2Config): Esm2Config {
  const { vocab, hidden, layers, heads, intermediate } = config;
  const fail = (expected: string, got: string): never => {
    throw new ConfigError(`esm2: expected ${expected}, got ${got}.`);
  };
  for (const [name, value] of Object.entries({ vocab, hidden, layers, heads, intermediate })) {
    if (!(Number.isSafeInteger(value) && value > 0)) fail(`${name} to be a whole number above 0`, `${value}`);
  }
  if (hidden % heads !== 0) fail(`a hidden size that ${heads} heads divide`, `${hidden}`);
  if ((hidden / heads) % 2 !== 0)
    fail(
      "an even head dimension (rotary positions turn channels in pairs)",
      `hidden ${hidden} / heads ${heads} = ${hidden / heads}`,
    );
  for (const [name, id] of Object.entries({
    padTokenId: config.padTokenId,
    maskTokenId: config.maskTokenId,
    eosTokenId: config.eosTokenId,
  })) {
    if (!(Number.isSafeInteger(id) && id >= 0 && id < vocab)) fail(`${name} in [0, ${vocab})`, `${id}`);
  }
  for (const [name, rate] of Object.entries({
    hiddenDropoutRate: config.hiddenDropoutRate,
    attentionDropoutRate: config.attentionDropoutRate,
  })) {
    if (!(rate >= 0 && rate < 1)) fail(`${name} in [0, 1)`, `${rate}`);
  }
  for (const [name, value] of Object.entries({ layerNormEps: config.layerNormEps, ropeBase: config.ropeBase })) {
    if (!(value > 0)) fail(`${name} above 0`, `${value}`);
  }
  return config;
}

/** Missing keys take the defaults of transformers' EsmConfig. */
const FIELDS = {
  vocab: ["vocab_size", undefined],
  hidden: ["hidden_size", 768],
  layers: ["num_hidden_layers", 12],
  heads: ["num_attention_heads", 12],
  intermediate: ["intermediate_size", 3072],
  maxPositions: ["max_position_embeddings", 1026],
  padTokenId: ["pad_token_id", undefined],
  maskTokenId: ["mask_token_id", undefined],
  eosTokenId: ["eos_token_id", 2],
  layerNormEps: ["layer_norm_eps", 1e-12],
  ropeBase: ["rope_theta", 10_000],
  hiddenDropoutRate: ["hidden_dropout_prob", 0.1],
  attentionDropoutRate: ["attention_probs_dropout_prob", 0.1],
  initializerRange: ["initializer_range", 0.02],
  tokenDropout: ["token_dropout", false, "or null"],
  embLayerNormBefore: ["emb_layer_norm_before", false, "or null"],
  tieWordEmbeddings: ["tie_word_embeddings", true],
} as const satisfies FieldTable;

/** Keys that the writer sets: never part of `extra`. */
const FIXED = {
  model_type: "esm",
  architectures: ["EsmForMaskedLM"],
  position_embedding_type: "rotary",
  is_folding_model: false,
} as const;

/**
 * Reads a config.json. Errors name `file`.
 *
 * Throws FormatError if the object is not an ESM config, UnsupportedError for ESM-1's absolute positions, decoders and
 * ESMFold, ConfigError for sizes that do not fit together.
 */
export function parseEsm2Config(json: unknown, file = "config.json"): Esm2Config {
  const given = configObject(json, "esm", file);
  const positions = given["position_embedding_type"] ?? "absolute";
  if (positions !== "rotary")
    throw new UnsupportedError(
      `${file}, position_embedding_type: only "rotary" (ESM-2) is built here, got ${JSON.stringify(positions)} ` +
        "(ESM-1b and ESM-1v).",
    );
  if (given["is_folding_model"] === true)
    throw new UnsupportedError(`${file}, is_folding_model: only the encoder and its heads are built here, got true.`);
  const extra = otherKeys(given, [...Object.values(FIELDS).map(([key]) => key), ...Object.keys(FIXED)]);
  return checkEsm2Config({ ...readFields(given, FIELDS, file), ...(extra && { extra }) });
}

/**
 * The text of the config.json that transformers opens. `saved`: keys that win over `extra`, for example the
 * architecture and the labels.
 */
export function esm2ConfigText(config: Esm2Config, saved: Readonly<Record<string, unknown>> = {}): string {
  return configText(esm2ConfigJson(config, saved));
}

/**
 * The config.json as an object, to compare or merge. For a file, use `esm2ConfigText`: JSON.stringify writes 0.0 as an
 * integer.
 */
export function esm2ConfigJson(
  config: Esm2Config,
  saved: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  checkEsm2Config(config);
  return { ...FIXED, hidden_act: "gelu", ...config.extra, ...saved, ...writeFields(config, FIELDS) };
}
