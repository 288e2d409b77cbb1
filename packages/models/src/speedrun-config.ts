/**
 * Configuration of the speedrun encoder, and its config.json. transformers has no class for this model. The keys are
 * transformers' words where transformers has one (`hidden_size`, `rope_theta`, `tie_word_embeddings`). The other keys
 * exist only here:
 *
 *   unet                 the second half of the layers adds the outputs of the first half       default true
 *   value_embeddings     a table of values for each pair of mirrored layers                     default true
 *   token_dropout        embeddings of `<mask>` are zero                                        default false
 *   head_dense           a dense layer, GELU and a bias in the masked-token head                default false
 *   logit_softcap        c tanh(z / c) of the logits; 0: none                                   default 30
 *   attention_softcap    c tanh(z / c) of the attention scores; 0: none                         default 0
 *   differential_attention   the difference of two maps for each pair of heads              default false
 *   patch_unet           merges pairs of neighbours after each layer of the first half          default false
 *   num_extra_layers     layers at full resolution after the patch U-net                        default 0
 *   patch_width_multiple   patch widths are a multiple of this number and of heads              default 64
 *   window               largest distance between tokens that see each other; 0: any           default 0
 *   expansion_ratio      read where `intermediate_size` is missing                              default 8/3
 *
 * Keys without a meaning here are kept in `extra` and written back.
 */
import { ConfigError } from "@cloze/errors";
import { configObject, configText, otherKeys, readFields, writeFields, type FieldTable } from "./config-json.ts";

export interface SpeedrunConfig {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward block. */
  readonly intermediate: number;
  /** Longest sequence by design. Rotary positions themselves have no limit. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  /** The id of `<mask>`, for token dropout. */
  readonly maskTokenId: number;
  readonly rmsNormEps: number;
  readonly ropeBase: number;
  /** Weighted skips from the first half of the layers to the second half. Needs an even number of layers. */
  readonly unet: boolean;
  /**
   * Each layer of the first half merges pairs of neighbours into one; each layer of the second half expands them again
   * (`speedrun-patch.ts`). At the coarsest resolution a row of `maxPositions` must have at least two patches. Needs
   * unet.
   */
  readonly patchUnet: boolean;
  /** Number of layers after the patch U-net, without its skips, x0 and values. `layers` does not count them. */
  readonly extraLayers: number;
  /**
   * Widths inside the patch U-net run from 1 to 2 times hidden, rounded up to a multiple of this number and of heads.
   */
  readonly patchWidthMultiple: number;
  /**
   * layers / 2 tables `[vocab, hidden]` that attention mixes into its values (patch U-net: one table for each layer,
   * with the layer's width). Needs an even number of layers.
   */
  readonly valueEmbeddings: boolean;
  /** Embeddings of `<mask>` are zero, in training and at inference. */
  readonly tokenDropout: boolean;
  /** The decoder is the table of token embeddings. */
  readonly tieWordEmbeddings: boolean;
  /** A dense layer and GELU before the decoder, and a bias after it. */
  readonly headDense: boolean;
  /** Logits stay within ± this number; 0: no cap. */
  readonly logitSoftcap: number;
  /** Scores of attention stay within ± this number; 0: no cap. */
  readonly attentionSoftcap: number;
  /** Each pair of heads is the difference of two attention maps. Needs an even number of heads. */
  readonly differentialAttention: boolean;
  /**
   * Tokens at a larger distance do not see each other, in any layer; 0: all tokens see each other. The original's
   * window w covers distances below w.
   */
  readonly window: number;
  /** Standard deviation of the initial values of the tables. Matrices start uniform over ± 1 / sqrt(columns). */
  readonly initializerRange: number;
  /** Other keys of the config.json of this configuration. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export type SpeedrunSize = "speedrun-133m";

/** The protein model of December 2024: 132,475,500 parameters. */
export const speedrunConfigs: Readonly<Record<SpeedrunSize, SpeedrunConfig>> = {
  "speedrun-133m": {
    vocab: 33,
    hidden: 768,
    layers: 24,
    heads: 6,
    intermediate: 2048,
    maxPositions: 2048,
    padTokenId: 1,
    maskTokenId: 32,
    rmsNormEps: 1e-6,
    ropeBase: 10_000,
    unet: true,
    patchUnet: false,
    extraLayers: 0,
    patchWidthMultiple: 64,
    valueEmbeddings: true,
    tokenDropout: false,
    tieWordEmbeddings: false,
    headDense: false,
    logitSoftcap: 30,
    attentionSoftcap: 0,
    differentialAttention: false,
    window: 0,
    initializerRange: 1,
  },
};

/**
 * Width of the feed-forward block from a ratio: the whole part of `ratio * hidden`, rounded up to a multiple of 256.
 * Example: 768 * 2.6667 -> 2048.
 */
export function speedrunIntermediate(hidden: number, ratio: number = 8 / 3, multiple = 256): number {
  return Math.ceil(Math.floor(ratio * hidden) / multiple) * multiple;
}

/** Largest head dimension in a patch U-net. Wider heads do not fit the original's attention kernel. */
const PATCH_HEAD_DIM = 128;

/**
 * Widths of a patch U-net by resolution, from full to coarsest: evenly from 1 to 2 times hidden, rounded up to a common
 * multiple of `patchWidthMultiple` and heads, and at most 128 for each head.
 */
export function speedrunPatchWidths({ hidden, layers, heads, patchWidthMultiple }: SpeedrunConfig): readonly number[] {
  const half = layers / 2;
  const unit = leastCommonMultiple(patchWidthMultiple, heads);
  const most = Math.floor((heads * PATCH_HEAD_DIM) / unit) * unit;
  return Array.from({ length: half }, (_, i) =>
    Math.min(Math.ceil((hidden * (1 + i / Math.max(half - 1, 1))) / unit) * unit, most),
  );
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a / divisor(a, b)) * b;
}

/** Throws ConfigError when the values do not fit together. */
export function checkSpeedrunConfig(config: SpeedrunConfig): SpeedrunConfig {
  const { vocab, hidden, layers, heads, intermediate, maxPositions } = config;
  const fail = (expected: string, got: string): never => {
    throw new ConfigError(`speedrun: expected ${expected}, got ${got}.`);
  };
  for (const [name, value] of Object.entries({ vocab, hidden, layers, heads, intermediate, maxPositions })) {
    if (!(Number.isSafeInteger(value) && value > 0)) fail(`${name} to be a whole number above 0`, `${value}`);
  }
  if (hidden % heads !== 0) fail(`a hidden size that ${heads} heads divide`, `${hidden}`);
  if ((hidden / heads) % 2 !== 0)
    fail(
      "an even head dimension (rotary positions turn channels in pairs)",
      `hidden ${hidden} / heads ${heads} = ${hidden / heads}`,
    );
  if ((config.unet || config.valueEmbeddings) && layers % 2 !== 0)
    fail("an even number of layers (unet and value_embeddings mirror the second half on the first)", `${layers}`);
  if (!(Number.isSafeInteger(config.extraLayers) && config.extraLayers >= 0))
    fail("extraLayers to be a whole number from 0", `${config.extraLayers}`);
  if (config.patchUnet) checkPatches(config, fail);
  else if (config.extraLayers > 0) fail("no extraLayers without patch_unet", `${config.extraLayers}`);
  for (const [name, id] of Object.entries({ padTokenId: config.padTokenId, maskTokenId: config.maskTokenId })) {
    if (!(Number.isSafeInteger(id) && id >= 0 && id < vocab)) fail(`${name} in [0, ${vocab})`, `${id}`);
  }
  for (const [name, value] of Object.entries({
    rmsNormEps: config.rmsNormEps,
    ropeBase: config.ropeBase,
    initializerRange: config.initializerRange,
  })) {
    if (!(value > 0)) fail(`${name} above 0`, `${value}`);
  }
  for (const [name, cap] of Object.entries({
    logitSoftcap: config.logitSoftcap,
    attentionSoftcap: config.attentionSoftcap,
  })) {
    if (!(cap >= 0 && Number.isFinite(cap))) fail(`${name} from 0 (none)`, `${cap}`);
  }
  if (config.differentialAttention && heads % 2 !== 0)
    fail("an even number of heads (differential_attention takes them in pairs)", `${heads}`);
  if (!(Number.isSafeInteger(config.window) && config.window >= 0))
    fail("window to be a whole number from 0 (any distance)", `${config.window}`);
  return config;
}

function checkPatches(config: SpeedrunConfig, fail: (expected: string, got: string) => never): void {
  const { unet, layers, heads, maxPositions, patchWidthMultiple: multiple } = config;
  if (!unet) fail("unet with patch_unet, whose halves are joined by skips", "unet false");
  if (!(Number.isSafeInteger(multiple) && multiple > 0))
    fail("patchWidthMultiple to be a whole number above 0", `${multiple}`);
  if (2 ** (layers / 2) > maxPositions)
    fail(
      `at most ${2 * Math.floor(Math.log2(maxPositions))} layers in a patch U-net for ${maxPositions} positions, ` +
        `which are halved ${layers / 2 - 1} times (the original's layers for a single patch are not built)`,
      `${layers}`,
    );
  for (const width of speedrunPatchWidths(config)) {
    if (!(width > 0 && (width / heads) % 2 === 0))
      fail(
        `even head dimensions in a patch U-net; its widths are ${speedrunPatchWidths(config).join(", ")}`,
        `${width} / heads ${heads} = ${width / heads}`,
      );
  }
}

/** Missing keys have the values of the published model. */
const FIELDS = {
  vocab: ["vocab_size", undefined],
  hidden: ["hidden_size", 768],
  layers: ["num_hidden_layers", 24],
  heads: ["num_attention_heads", 6],
  intermediate: ["intermediate_size", undefined],
  maxPositions: ["max_position_embeddings", 2048],
  padTokenId: ["pad_token_id", undefined],
  maskTokenId: ["mask_token_id", undefined],
  rmsNormEps: ["rms_norm_eps", 1e-6],
  ropeBase: ["rope_theta", 10_000],
  unet: ["unet", true],
  patchUnet: ["patch_unet", false],
  extraLayers: ["num_extra_layers", 0],
  patchWidthMultiple: ["patch_width_multiple", 64],
  valueEmbeddings: ["value_embeddings", true],
  tokenDropout: ["token_dropout", false],
  tieWordEmbeddings: ["tie_word_embeddings", false],
  headDense: ["head_dense", false],
  logitSoftcap: ["logit_softcap", 30],
  attentionSoftcap: ["attention_softcap", 0],
  differentialAttention: ["differential_attention", false],
  window: ["window", 0],
  initializerRange: ["initializer_range", 1],
} as const satisfies FieldTable;

/** `expansion_ratio` is read where `intermediate_size` is missing, and is not written. */
const RATIO = { hidden: FIELDS.hidden, ratio: ["expansion_ratio", 8 / 3] } as const satisfies FieldTable;

/** Keys that the writer sets: never part of `extra`. */
const FIXED = { model_type: "cloze_speedrun", architectures: ["SpeedrunForMaskedLM"] } as const;

/**
 * Reads a config.json. Errors name `file`.
 *
 * Throws FormatError if the object is not a speedrun config, ConfigError for sizes that do not fit together.
 */
export function parseSpeedrunConfig(json: unknown, file = "config.json"): SpeedrunConfig {
  const given = configObject(json, FIXED.model_type, file);
  const { hidden, ratio } = readFields(given, RATIO, file);
  const fields = readFields(
    { ...given, intermediate_size: given["intermediate_size"] ?? speedrunIntermediate(hidden, ratio) },
    FIELDS,
    file,
  );
  const extra = otherKeys(given, [...Object.values(FIELDS).map(([key]) => key), RATIO.ratio[0], ...Object.keys(FIXED)]);
  return checkSpeedrunConfig({ ...fields, ...(extra && { extra }) });
}

/** The text of a config.json. `saved`: keys that win over `extra`, for example the architecture and the labels. */
export function speedrunConfigText(config: SpeedrunConfig, saved: Readonly<Record<string, unknown>> = {}): string {
  return configText(speedrunConfigJson(config, saved));
}

/** The config.json as an object, to compare or merge. */
export function speedrunConfigJson(
  config: SpeedrunConfig,
  saved: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  checkSpeedrunConfig(config);
  return { ...FIXED, ...config.extra, ...saved, ...writeFields(config, FIELDS) };
}
