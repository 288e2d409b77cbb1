/**
 * The configuration that AMPLIFY and NeoBERT share: fields named by the glossary, and how to read and write
 * config.json.
 *
 * Upstream both models are remote code: transformers has no class for them, and the keys come from their own
 * configuration classes. `intermediate_size` is the width of a block without a gate. The gated block has two thirds of
 * this width, so that both blocks cost the same, rounded up to a multiple of 8 (2560 -> 1712, 3072 -> 2048).
 * `rope_theta` exists only here: upstream's code uses 10,000 and reads no such key. Keys without a meaning here are
 * kept in `extra` and written back.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { configObject, otherKeys, type FieldTable } from "./config-json.ts";

export interface GatedRmsConfig {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** The value in config.json. `gatedWidth` gives the width of the block. */
  readonly intermediate: number;
  /** Longest sequence by design. Rotary positions themselves have no limit. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly normEps: number;
  readonly ropeBase: number;
  /** Dropout rate of the attention probabilities, and of the output of both blocks. */
  readonly dropoutRate: number;
  /** Dropout rate before and after the dense layer of the classifiers. */
  readonly classifierDropoutRate: number;
  /** A norm after the embeddings. */
  readonly embeddingNorm: boolean;
  /** A norm after the last layer. */
  readonly lastNorm: boolean;
  readonly attentionBias: boolean;
  readonly feedForwardBias: boolean;
  /** Initial embeddings are uniform over ± this number. */
  readonly embeddingRange: number;
  /** Initial weights of all matrices are uniform over ± this number. */
  readonly linearRange: number;
  /** Other keys of the config.json of this configuration. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

type Json = Readonly<Record<string, unknown>>;

/** Width of the gated block. */
export const gatedWidth = ({ intermediate }: Pick<GatedRmsConfig, "intermediate">): number =>
  Math.ceil(Math.floor((2 * intermediate) / 3) / 8) * 8;

/** Throws ConfigError when the values do not fit together. Errors name `type`. */
export function checkGatedRmsConfig(config: GatedRmsConfig, type: string): GatedRmsConfig {
  const { vocab, hidden, layers, heads, intermediate, maxPositions, padTokenId, normEps, ropeBase } = config;
  const fail = (expected: string, got: string): never => {
    throw new ConfigError(`${type}: expected ${expected}, got ${got}.`);
  };
  for (const [name, value] of Object.entries({ vocab, hidden, layers, heads, intermediate, maxPositions })) {
    if (!(Number.isSafeInteger(value) && value > 0)) fail(`${name} to be a whole number above 0`, `${value}`);
  }
  if (hidden % (2 * heads) !== 0)
    fail(`a hidden size that is an even multiple of ${heads} heads, for rotary positions`, `${hidden}`);
  if (!(Number.isSafeInteger(padTokenId) && padTokenId >= 0 && padTokenId < vocab))
    fail(`padTokenId in [0, ${vocab})`, `${padTokenId}`);
  for (const [name, value] of Object.entries({ normEps, ropeBase }))
    if (!(value > 0 && Number.isFinite(value))) fail(`${name} to be a number above 0`, `${value}`);
  for (const [name, value] of Object.entries({
    embeddingRange: config.embeddingRange,
    linearRange: config.linearRange,
  })) {
    if (!(value >= 0 && Number.isFinite(value))) fail(`${name} to be a number from 0`, `${value}`);
  }
  return config;
}

/** Keys for variants of upstream's code, or of a fork, each with the only supported value. */
const BUILT: Readonly<Record<string, boolean>> = { rms_norm: true, rope: true, ngpt: false };

/**
 * The config.json of an upstream class whose `model_type` is `type`, for a table of fields to read. Errors name `file`.
 *
 * Throws FormatError for a configuration of another type, UnsupportedError for LayerNorm, learned positions and
 * activations other than SwiGLU.
 */
export function gatedRmsObject(json: unknown, type: string, file: string): Json {
  const given = configObject(json, type, file);
  const { hidden_act: activation = "SwiGLU" } = given;
  for (const [key, built] of Object.entries(BUILT)) {
    if ((given[key] ?? built) !== built)
      throw new UnsupportedError(`${file}, ${key}: only ${built} is built here, got ${JSON.stringify(given[key])}.`);
  }
  if (typeof activation !== "string" || activation.toLowerCase() !== "swiglu")
    throw new UnsupportedError(`${file}, hidden_act: only "SwiGLU" is built here, got ${JSON.stringify(activation)}.`);
  return given;
}

/** Keys that are not fields and have no meaning here, to keep. */
export function gatedRmsExtra(given: Json, fields: FieldTable): Pick<GatedRmsConfig, "extra"> {
  const extra = otherKeys(given, [
    "model_type",
    "architectures",
    "hidden_act",
    "rms_norm",
    "dim_head",
    ...Object.values(fields).map(([key]) => key),
  ]);
  return extra === undefined ? {} : { extra };
}
