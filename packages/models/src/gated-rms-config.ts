/**
 * The configuration that AMPLIFY and NeoBERT share, in the words of the glossary, and how it is read from and written
 * to config.json.
 *
 * Upstream both are remote code: no class of transformers has them, and the keys are those of their own configuration
 * classes.
 * `intermediate_size` is the width of a block without a gate: the gated one has two thirds of it, so that both cost the
 * same, rounded up to a multiple of 8 (2560 -> 1712, 3072 -> 2048). `rope_theta` is ours: upstream's code takes 10,000
 * and reads no such key. Keys that say nothing to us are kept in `extra` and written back.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { configObject, otherKeys, type FieldTable } from "./config-json.ts";

export interface GatedRmsConfig {
  readonly vocab: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** As config.json has it; `gatedWidth` says how wide the block is. */
  readonly intermediate: number;
  /** Longest sequence it is made for; rotary positions themselves have no end. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly normEps: number;
  readonly ropeBase: number;
  /** Of attention's probabilities, and of what both blocks give. */
  readonly dropoutRate: number;
  /** Before and after the dense layer of the classifiers. */
  readonly classifierDropoutRate: number;
  /** A norm after the embeddings. */
  readonly embeddingNorm: boolean;
  /** A norm after the last layer. */
  readonly lastNorm: boolean;
  readonly attentionBias: boolean;
  readonly feedForwardBias: boolean;
  /** First embeddings are even over ± this. */
  readonly embeddingRange: number;
  /** First weights of all matrices are even over ± this. */
  readonly linearRange: number;
  /** Other keys of the config.json it came from. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

type Json = Readonly<Record<string, unknown>>;

/** Width of the gated block. */
export const gatedWidth = ({ intermediate }: Pick<GatedRmsConfig, "intermediate">): number =>
  Math.ceil(Math.floor((2 * intermediate) / 3) / 8) * 8;

/** Throws ConfigError when the parts do not fit together. `type` is named in errors. */
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

/** Forms that upstream's code, or a fork of it, has and that are not built here: the key, and the one value that is. */
const BUILT: Readonly<Record<string, boolean>> = { rms_norm: true, rope: true, ngpt: false };

/**
 * The config.json of an upstream class whose `model_type` is `type`, to be read by its table of fields. `file` is named
 * in errors.
 *
 * Throws FormatError for a configuration of another type, UnsupportedError for LayerNorm, learned positions and other
 * activations than SwiGLU.
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

/** Keys that are not fields and say nothing to us, to be kept. */
export function gatedRmsExtra(given: Json, fields: FieldTable): Pick<GatedRmsConfig, "extra"> {
  const extra = otherKeys(given, [
    "model_type",
    "architectures",
    "hidden_act",
    "rms_norm",
    ...Object.values(fields).map(([key]) => key),
  ]);
  return extra === undefined ? {} : { extra };
}
