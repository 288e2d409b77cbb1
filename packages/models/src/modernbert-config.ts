/**
 * ModernBERT's configuration: fields named by the glossary, and the one mapping from and to Hugging Face's config.json.
 *
 * The parser reads two layouts: the layout of transformers 5 (`layer_types`, `rope_parameters`) and the older layout
 * (`global_attn_every_n_layers`, `global_rope_theta`, `local_rope_theta`). The writer writes the first layout. Keys
 * without a meaning here are kept in `extra` and written back.
 */
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import { bertActivation } from "./bert-config.ts";
import { configObject, configText, otherKeys, readFields, writeFields, type FieldTable } from "./config-json.ts";

/**
 * `global` layers see every token of their segment. `local` layers see tokens at a distance of at most
 * `floor(localWindow / 2)`.
 */
export type AttentionReach = "global" | "local";

export interface ModernBertConfig {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward block. Its first matrix is twice as wide. */
  readonly intermediate: number;
  readonly maxPositions: number;
  readonly padTokenId: number;
  /** The reach of each layer. */
  readonly reach: readonly AttentionReach[];
  /** Number of tokens that a local layer sees, both sides together. */
  readonly localWindow: number;
  /** Bases of the rotary frequencies: of global layers, and of local layers. */
  readonly globalRopeBase: number;
  readonly localRopeBase: number;
  /** Activation of the feed-forward block. The names are the names in `BertConfig`. */
  readonly activation: string;
  /** Activation of the head. */
  readonly headActivation: string;
  readonly layerNormEps: number;
  /** The vector of a sequence before the heads: the first token's state or the mean. */
  readonly pooling: "first" | "mean";
  readonly tieWordEmbeddings: boolean;
  readonly normBias: boolean;
  readonly attentionBias: boolean;
  readonly feedForwardBias: boolean;
  /** Bias of the head's dense layer. */
  readonly headBias: boolean;
  readonly decoderBias: boolean;
  readonly embeddingDropoutRate: number;
  /** Dropout rate of the probabilities, and of the output of attention. */
  readonly attentionDropoutRate: number;
  readonly feedForwardDropoutRate: number;
  /** Dropout rate before the classifiers. */
  readonly classifierDropoutRate: number;
  /**
   * Initial weights are normal with this standard deviation, cut at `initializerCut` standard deviations. Output
   * projections have this standard deviation divided by sqrt(2 layers).
   */
  readonly initializerRange: number;
  readonly initializerCut: number;
  /** Other keys of the config.json of this configuration. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Every `every`-th layer is global, from the first layer on. */
export const alternating = (layers: number, every = 3): readonly AttentionReach[] =>
  Array.from({ length: layers }, (_, i) => (i % every === 0 ? "global" : "local"));

const sized = (layers: number, hidden: number, intermediate: number, heads: number): ModernBertConfig => ({
  vocab: 50_368,
  hidden,
  layers,
  heads,
  intermediate,
  maxPositions: 8192,
  padTokenId: 50_283,
  reach: alternating(layers),
  localWindow: 128,
  globalRopeBase: 160_000,
  localRopeBase: 10_000,
  activation: "gelu",
  headActivation: "gelu",
  layerNormEps: 1e-5,
  pooling: "mean",
  tieWordEmbeddings: true,
  normBias: false,
  attentionBias: false,
  feedForwardBias: false,
  headBias: false,
  decoderBias: true,
  embeddingDropoutRate: 0,
  attentionDropoutRate: 0,
  feedForwardDropoutRate: 0,
  classifierDropoutRate: 0,
  initializerRange: 0.02,
  initializerCut: 2,
});

/** Ettin's context extension used one rotary base for all layers. Its contexts end a little earlier. */
const ettin = (layers: number, hidden: number, intermediate: number, heads: number): ModernBertConfig => ({
  ...sized(layers, hidden, intermediate, heads),
  maxPositions: 7999,
  localRopeBase: 160_000,
});

export type ModernBertSize =
  | "modernbert-base"
  | "modernbert-large"
  | "ettin-17m"
  | "ettin-32m"
  | "ettin-68m"
  | "ettin-150m"
  | "ettin-400m"
  | "ettin-1b";

/** Published sizes: answerdotai/ModernBERT-base and -large, jhu-clsp/ettin-encoder-*. */
export const modernBertConfigs: Readonly<Record<ModernBertSize, ModernBertConfig>> = {
  "modernbert-base": /* @__PURE__ */ sized(22, 768, 1152, 12),
  "modernbert-large": /* @__PURE__ */ sized(28, 1024, 2624, 16),
  "ettin-17m": /* @__PURE__ */ ettin(7, 256, 384, 4),
  "ettin-32m": /* @__PURE__ */ ettin(10, 384, 576, 6),
  "ettin-68m": /* @__PURE__ */ ettin(19, 512, 768, 8),
  "ettin-150m": /* @__PURE__ */ ettin(22, 768, 1152, 12),
  "ettin-400m": /* @__PURE__ */ ettin(28, 1024, 2624, 16),
  "ettin-1b": /* @__PURE__ */ ettin(28, 1792, 3840, 28),
};

/** Throws ConfigError when the values do not fit together, UnsupportedError for an unknown activation. */
export function checkModernBertConfig(config: ModernBertConfig): ModernBertConfig {
  const {
    vocab,
    hidden,
    layers,
    heads,
    intermediate,
    maxPositions,
    padTokenId,
    reach,
    localWindow,
    layerNormEps,
    initializerRange,
    initializerCut,
  } = config;
  const fail = (expected: string, got: string): never => {
    throw new ConfigError(`modernbert: expected ${expected}, got ${got}.`);
  };
  for (const [name, value] of Object.entries({
    vocab,
    hidden,
    layers,
    heads,
    intermediate,
    maxPositions,
    localWindow,
  })) {
    if (!(Number.isSafeInteger(value) && value > 0)) fail(`${name} to be a whole number above 0`, `${value}`);
  }
  if (hidden % heads !== 0) fail(`a hidden size that ${heads} heads divide`, `${hidden}`);
  if ((hidden / heads) % 2 !== 0) fail("an even head dimension, for rotary positions", `${hidden / heads}`);
  if (!(Number.isSafeInteger(padTokenId) && padTokenId >= 0 && padTokenId < vocab))
    fail(`padTokenId in [0, ${vocab})`, `${padTokenId}`);
  if (reach.length !== layers) fail(`global or local for each of ${layers} layers`, `${reach.length}`);
  const {
    embeddingDropoutRate,
    attentionDropoutRate,
    feedForwardDropoutRate,
    classifierDropoutRate,
    globalRopeBase,
    localRopeBase,
  } = config;
  for (const [name, rate] of Object.entries({
    embeddingDropoutRate,
    attentionDropoutRate,
    feedForwardDropoutRate,
    classifierDropoutRate,
  })) {
    if (!(rate >= 0 && rate < 1)) fail(`${name} in [0, 1)`, `${rate}`);
  }
  for (const [name, value] of Object.entries({ layerNormEps, initializerCut, globalRopeBase, localRopeBase })) {
    if (!(value > 0 && Number.isFinite(value))) fail(`${name} to be a number above 0`, `${value}`);
  }
  if (!(initializerRange >= 0 && Number.isFinite(initializerRange)))
    fail("initializerRange to be a number from 0", `${initializerRange}`);
  for (const activation of [config.activation, config.headActivation]) bertActivation({ activation });
  return config;
}

const FIELDS = {
  vocab: ["vocab_size", 50_368],
  hidden: ["hidden_size", 768],
  layers: ["num_hidden_layers", 22],
  heads: ["num_attention_heads", 12],
  intermediate: ["intermediate_size", 1152],
  maxPositions: ["max_position_embeddings", 8192],
  padTokenId: ["pad_token_id", 50_283, "or null"],
  localWindow: ["local_attention", 128],
  layerNormEps: ["norm_eps", 1e-5],
  tieWordEmbeddings: ["tie_word_embeddings", true],
  normBias: ["norm_bias", false],
  attentionBias: ["attention_bias", false],
  feedForwardBias: ["mlp_bias", false],
  headBias: ["classifier_bias", false],
  decoderBias: ["decoder_bias", true],
  embeddingDropoutRate: ["embedding_dropout", 0],
  attentionDropoutRate: ["attention_dropout", 0],
  feedForwardDropoutRate: ["mlp_dropout", 0],
  classifierDropoutRate: ["classifier_dropout", 0],
  initializerRange: ["initializer_range", 0.02],
} as const satisfies FieldTable;

type Json = Readonly<Record<string, unknown>>;

/** The reach of a layer under transformers' names. */
const LAYER_TYPES: Readonly<Record<string, AttentionReach>> = { full_attention: "global", sliding_attention: "local" };
const typeOf = (reach: AttentionReach): string => (reach === "global" ? "full_attention" : "sliding_attention");
const POOLINGS: Readonly<Record<string, ModernBertConfig["pooling"]>> = { cls: "first", mean: "mean" };

/**
 * Keys that the parser reads one by one, or that the writer sets: never part of `extra`. `reference_compile` is an old
 * switch, which transformers drops.
 */
const OWN = [
  "model_type",
  "architectures",
  "layer_types",
  "global_attn_every_n_layers",
  "rope_parameters",
  "rope_scaling",
  "sliding_window",
  "global_rope_theta",
  "local_rope_theta",
  "hidden_activation",
  "classifier_activation",
  "classifier_pooling",
  "initializer_cutoff_factor",
  "reference_compile",
];

/**
 * Reads a config.json. Errors name `file`.
 *
 * Throws FormatError if the object is not a ModernBERT config, UnsupportedError for scaled rotary positions, other
 * kinds of layers and unknown activations, ConfigError for sizes that do not fit together.
 */
export function parseModernBertConfig(json: unknown, file = "config.json"): ModernBertConfig {
  const given = configObject(json, "modernbert", file);
  const fields = readFields(given, FIELDS, file);
  const { classifier_pooling: pooling = "cls", initializer_cutoff_factor: cut = 2 } = given;
  if (!(typeof pooling === "string" && Object.hasOwn(POOLINGS, pooling)))
    throw new FormatError(file, "classifier_pooling", `expected "cls" or "mean", got ${JSON.stringify(pooling)}.`);
  if (cut !== null && typeof cut !== "number")
    throw new FormatError(file, "initializer_cutoff_factor", `expected a number or null, got ${JSON.stringify(cut)}.`);
  const extra = otherKeys(given, [...OWN, ...Object.values(FIELDS).map(([key]) => key)]);
  checkRopeParameters(given, file);
  const globalRopeBase = ropeBase(given, "full_attention", "global_rope_theta", 160_000, file);
  return checkModernBertConfig({
    ...fields,
    localWindow: windowOf(given, file) ?? fields.localWindow,
    reach: reachOf(given, fields.layers, file),
    globalRopeBase,
    // The old meaning of null: local layers have no base of their own.
    localRopeBase:
      given["local_rope_theta"] === null
        ? ropeBase(
            { ...given, local_rope_theta: undefined },
            "sliding_attention",
            "local_rope_theta",
            globalRopeBase,
            file,
          )
        : ropeBase(given, "sliding_attention", "local_rope_theta", 10_000, file),
    activation: activationOf(given, "hidden_activation", file),
    headActivation: activationOf(given, "classifier_activation", file),
    pooling: POOLINGS[pooling] as ModernBertConfig["pooling"],
    initializerCut: cut ?? 3,
    ...(extra && { extra }),
  });
}

function activationOf(given: Json, key: string, file: string): string {
  const { [key]: activation = "gelu" } = given;
  if (typeof activation !== "string")
    throw new UnsupportedError(`${file}, ${key}: expected a name, got ${JSON.stringify(activation)}.`);
  bertActivation({ activation }, file, key);
  return activation;
}

function reachOf(given: Json, layers: number, file: string): readonly AttentionReach[] {
  const { layer_types: types, global_attn_every_n_layers: every = 3 } = given;
  if (types === undefined || types === null) {
    if (!(typeof every === "number" && Number.isSafeInteger(every) && every > 0))
      throw new FormatError(
        file,
        "global_attn_every_n_layers",
        `expected a whole number from 1, got ${JSON.stringify(every)}.`,
      );
    return alternating(layers, every);
  }
  if (!Array.isArray(types))
    throw new FormatError(file, "layer_types", `expected a list, got ${JSON.stringify(types)?.slice(0, 40)}.`);
  return types.map((type: unknown) => {
    const reach = typeof type === "string" && Object.hasOwn(LAYER_TYPES, type) ? LAYER_TYPES[type] : undefined;
    if (reach === undefined)
      throw new UnsupportedError(
        `${file}, layer_types: expected ${Object.keys(LAYER_TYPES).join(" or ")}, got ${JSON.stringify(type)}. ` +
          "Other layers are not built here.",
      );
    return reach;
  });
}

/** The local window from `sliding_window`, which counts one side of a token and wins over `local_attention`. */
function windowOf({ sliding_window: side }: Json, file: string): number | undefined {
  if (side === undefined) return undefined;
  if (!(typeof side === "number" && Number.isSafeInteger(side) && side > 0))
    throw new FormatError(
      file,
      "sliding_window",
      `expected a whole number from 1, the tokens to one side, got ${JSON.stringify(side)}.`,
    );
  return 2 * side;
}

/**
 * Throws for `rope_parameters` that are not nested by kind of layer, for scaled positions, and for keys that nobody
 * reads.
 */
function checkRopeParameters({ rope_parameters: parameters }: Json, file: string): void {
  if (parameters === undefined || parameters === null) return;
  const fail = (place: string, expected: string, got: unknown): never => {
    throw new FormatError(
      file,
      place,
      `expected ${expected}, got ${JSON.stringify(got)?.slice(0, 80)}. transformers writes {"full_attention": ` +
        '{"rope_type": "default", "rope_theta": 160000.0}, "sliding_attention": {"rope_type": "default", ' +
        '"rope_theta": 10000.0}}.',
    );
  };
  if (!isObject(parameters)) return fail("rope_parameters", "an object", parameters);
  for (const [type, own] of Object.entries(parameters)) {
    const at = `rope_parameters.${type}`;
    if (!Object.hasOwn(LAYER_TYPES, type))
      fail(at, `an object for each of ${Object.keys(LAYER_TYPES).join(" and ")}, and no other key`, own);
    if (!isObject(own)) return fail(at, "an object", own);
    for (const [key, value] of Object.entries(own)) {
      if (key === "rope_theta" || (key === "partial_rotary_factor" && value === 1)) continue;
      if (key !== "rope_type" && key !== "type") fail(`${at}.${key}`, "rope_type and rope_theta alone", value);
      if (value !== "default")
        throw new UnsupportedError(
          `${file}, ${at}.${key}: only "default" is built here, got ${JSON.stringify(value)}.`,
        );
    }
  }
}

/** The base from `rope_parameters`, if it is there; else from the older key. */
function ropeBase(given: Json, type: string, older: string, missing: number, file: string): number {
  const { rope_parameters: parameters } = given;
  const own = isObject(parameters) ? parameters[type] : undefined;
  const { [older]: plain = missing } = given;
  const { rope_theta: base = plain } = isObject(own) ? own : {};
  if (typeof base !== "number")
    throw new FormatError(
      file,
      isObject(own) ? `rope_parameters.${type}.rope_theta` : older,
      `expected a number, got ${JSON.stringify(base)}.`,
    );
  return base;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The text of the config.json that transformers opens. `saved`: keys that win over `extra`, for example the
 * architecture and the labels.
 */
export function modernBertConfigText(config: ModernBertConfig, saved: Json = {}): string {
  return configText(modernBertConfigJson(config, saved));
}

/** The config.json as an object, to compare or merge. For a file, use `modernBertConfigText`. */
export function modernBertConfigJson(config: ModernBertConfig, saved: Json = {}): Record<string, unknown> {
  checkModernBertConfig(config);
  const rope = (base: number): Json => ({ rope_type: "default", rope_theta: base });
  return {
    model_type: "modernbert",
    architectures: ["ModernBertForMaskedLM"],
    ...config.extra,
    ...saved,
    hidden_activation: config.activation,
    classifier_activation: config.headActivation,
    classifier_pooling: config.pooling === "first" ? "cls" : "mean",
    layer_types: config.reach.map(typeOf),
    rope_parameters: { full_attention: rope(config.globalRopeBase), sliding_attention: rope(config.localRopeBase) },
    initializer_cutoff_factor: config.initializerCut,
    ...writeFields(config, FIELDS),
  };
}
