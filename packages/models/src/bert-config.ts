/**
 * BERT's configuration: fields named by the glossary, and the one mapping from and to Hugging Face's config.json. Keys
 * without a meaning here (labels among them) are kept in `extra` and written back.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { gelu, geluTanh, relu, silu, type Tensor } from "@cloze/graph";
import { configObject, configText, otherKeys, readFields, writeFields, type FieldTable } from "./config-json.ts";

/** Activations by their names in `hidden_act`; some activations have two names. */
const ACTIVATIONS: Readonly<Record<string, (x: Tensor<"f32">) => Tensor<"f32">>> = {
  gelu,
  gelu_python: gelu,
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_accurate: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  relu,
  silu,
  swish: silu,
};

export interface BertConfig {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward block. */
  readonly intermediate: number;
  /** Longest sequence: the number of rows of the table of positions. */
  readonly maxPositions: number;
  /** Number of rows of the table of token types (first or second text). */
  readonly types: number;
  readonly padTokenId: number;
  /** The name in config.json: gelu, gelu_new, relu, silu, or another name of one of these. */
  readonly activation: string;
  readonly layerNormEps: number;
  /** The decoder is the table of word embeddings. */
  readonly tieWordEmbeddings: boolean;
  readonly hiddenDropoutRate: number;
  readonly attentionDropoutRate: number;
  /** Dropout rate before the classification heads. Default `hiddenDropoutRate`. */
  readonly classifierDropoutRate?: number;
  /** Standard deviation of the initial weights. */
  readonly initializerRange: number;
  /** Other keys of the config.json of this configuration. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

const sized = (layers: number, hidden: number, heads: number, vocab: number): BertConfig => ({
  vocab,
  hidden,
  layers,
  heads,
  intermediate: 4 * hidden,
  maxPositions: 512,
  types: 2,
  padTokenId: 0,
  activation: "gelu",
  layerNormEps: 1e-12,
  tieWordEmbeddings: true,
  hiddenDropoutRate: 0.1,
  attentionDropoutRate: 0.1,
  initializerRange: 0.02,
});

const UNCASED = 30_522;
const CASED = 28_996;

export type BertSize =
  | "bert-tiny"
  | "bert-mini"
  | "bert-small"
  | "bert-medium"
  | "bert-base-uncased"
  | "bert-base-cased"
  | "bert-large-uncased"
  | "bert-large-cased"
  | "minilm-l6"
  | "minilm-l12"
  | "protbert";

/**
 * Published sizes: google-bert/bert-*, google/bert_uncased_L-* (tiny to medium), sentence-transformers/all-MiniLM-L6-v2
 * and -L12-v2, Rostlab/prot_bert.
 */
export const bertConfigs: Readonly<Record<BertSize, BertConfig>> = {
  "bert-tiny": sized(2, 128, 2, UNCASED),
  "bert-mini": sized(4, 256, 4, UNCASED),
  "bert-small": sized(4, 512, 8, UNCASED),
  "bert-medium": sized(8, 512, 8, UNCASED),
  "bert-base-uncased": sized(12, 768, 12, UNCASED),
  "bert-base-cased": sized(12, 768, 12, CASED),
  "bert-large-uncased": sized(24, 1024, 16, UNCASED),
  "bert-large-cased": sized(24, 1024, 16, CASED),
  "minilm-l6": sized(6, 384, 12, UNCASED),
  "minilm-l12": sized(12, 384, 12, UNCASED),
  protbert: { ...sized(30, 1024, 16, 30), maxPositions: 40_000, hiddenDropoutRate: 0, attentionDropoutRate: 0 },
};

/** Throws ConfigError when the values do not fit together. */
export function checkBertConfig(config: BertConfig): BertConfig {
  const {
    vocab,
    hidden,
    layers,
    heads,
    intermediate,
    maxPositions,
    types,
    padTokenId,
    layerNormEps,
    initializerRange,
  } = config;
  const fail = (expected: string, got: string): never => {
    throw new ConfigError(`bert: expected ${expected}, got ${got}.`);
  };
  for (const [name, value] of Object.entries({ vocab, hidden, layers, heads, intermediate, maxPositions, types })) {
    if (!(Number.isSafeInteger(value) && value > 0)) fail(`${name} to be a whole number above 0`, `${value}`);
  }
  if (hidden % heads !== 0) fail(`a hidden size that ${heads} heads divide`, `${hidden}`);
  if (!(Number.isSafeInteger(padTokenId) && padTokenId >= 0 && padTokenId < vocab))
    fail(`padTokenId in [0, ${vocab})`, `${padTokenId}`);
  for (const [name, rate] of Object.entries({
    hiddenDropoutRate: config.hiddenDropoutRate,
    attentionDropoutRate: config.attentionDropoutRate,
    classifierDropoutRate: config.classifierDropoutRate ?? 0,
  })) {
    if (!(rate >= 0 && rate < 1)) fail(`${name} in [0, 1)`, `${rate}`);
  }
  if (!(layerNormEps > 0 && Number.isFinite(layerNormEps)))
    fail("layerNormEps to be a number above 0", `${layerNormEps}`);
  if (!(initializerRange >= 0 && Number.isFinite(initializerRange)))
    fail("initializerRange to be a number from 0", `${initializerRange}`);
  bertActivation(config);
  return config;
}

/**
 * The activation of feed-forward blocks and of the masked-token head. Throws UnsupportedError for an unknown
 * activation.
 */
export function bertActivation(
  { activation }: Pick<BertConfig, "activation">,
  file?: string,
  key = "hidden_act",
): (x: Tensor<"f32">) => Tensor<"f32"> {
  const found = Object.hasOwn(ACTIVATIONS, activation) ? ACTIVATIONS[activation] : undefined;
  if (found === undefined)
    throw new UnsupportedError(
      `${file === undefined ? "bert, activation" : `${file}, ${key}`}: expected ` +
        `${Object.keys(ACTIVATIONS).join(", ")}, got ${JSON.stringify(activation)}. Others are not built here.`,
    );
  return found;
}

const FIELDS = {
  vocab: ["vocab_size", 30_522],
  hidden: ["hidden_size", 768],
  layers: ["num_hidden_layers", 12],
  heads: ["num_attention_heads", 12],
  intermediate: ["intermediate_size", 3072],
  maxPositions: ["max_position_embeddings", 512],
  types: ["type_vocab_size", 2],
  padTokenId: ["pad_token_id", 0, "or null"],
  layerNormEps: ["layer_norm_eps", 1e-12],
  hiddenDropoutRate: ["hidden_dropout_prob", 0.1],
  attentionDropoutRate: ["attention_probs_dropout_prob", 0.1],
  initializerRange: ["initializer_range", 0.02],
  tieWordEmbeddings: ["tie_word_embeddings", true],
} as const satisfies FieldTable;

/** Keys that the parser reads one by one, or that the writer sets: never part of `extra`. */
const OWN = [
  "model_type",
  "architectures",
  "position_embedding_type",
  "is_decoder",
  "add_cross_attention",
  "hidden_act",
  "classifier_dropout",
];

/**
 * Reads a config.json. Errors name `file`.
 *
 * Throws FormatError if the object is not a BERT config, UnsupportedError for relative positions, decoders, pruned
 * heads and unknown activations, ConfigError for sizes that do not fit together.
 */
export function parseBertConfig(json: unknown, file = "config.json"): BertConfig {
  const given = configObject(json, "bert", file);
  const {
    position_embedding_type: positions = "absolute",
    hidden_act: activation = "gelu",
    classifier_dropout: dropout,
  } = given;
  if (positions !== "absolute")
    throw new UnsupportedError(
      `${file}, position_embedding_type: only "absolute" (a learnt vector for each place) is built here, got ` +
        `${JSON.stringify(positions)}.`,
    );
  if (dropout !== undefined && dropout !== null && typeof dropout !== "number")
    throw new UnsupportedError(
      `${file}, classifier_dropout: expected a number or null, got ${JSON.stringify(dropout)}.`,
    );
  if (typeof activation !== "string")
    throw new UnsupportedError(`${file}, hidden_act: expected a name, got ${JSON.stringify(activation)}.`);
  bertActivation({ activation }, file);
  const extra = otherKeys(given, [...OWN, ...Object.values(FIELDS).map(([key]) => key)]);
  return checkBertConfig({
    ...readFields(given, FIELDS, file),
    activation,
    ...(typeof dropout === "number" && { classifierDropoutRate: dropout }),
    ...(extra && { extra }),
  });
}

/**
 * The text of the config.json that transformers opens. `saved`: keys that win over `extra`, for example the
 * architecture and the labels.
 */
export function bertConfigText(config: BertConfig, saved: Readonly<Record<string, unknown>> = {}): string {
  return configText(bertConfigJson(config, saved));
}

/** The config.json as an object, to compare or merge. For a file, use `bertConfigText`. */
export function bertConfigJson(
  config: BertConfig,
  saved: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  checkBertConfig(config);
  return {
    model_type: "bert",
    architectures: ["BertForMaskedLM"],
    position_embedding_type: "absolute",
    hidden_act: config.activation,
    ...config.extra,
    ...saved,
    classifier_dropout: config.classifierDropoutRate ?? null,
    ...writeFields(config, FIELDS),
  };
}
