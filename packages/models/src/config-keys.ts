/**
 * Keys of config.json beside the fields of a family, as two tables. The first: keys that make another model, or make
 * transformers read other weights. Such a key is refused, unless its value says what is built here. The second: keys
 * that change no result. All other keys are unknown to the models here and to the classes of transformers.
 *
 * Checked against transformers 5.24: what each key does to the logits, tooling/golden/config-keys.py.
 */
import { UnsupportedError } from "@cloze/errors";

type Json = Readonly<Record<string, unknown>>;

/** A key that may stand in a config.json with a value that changes nothing. Null changes nothing. */
interface KeyRule {
  accepts(value: unknown, given: Json): boolean;
  /** The values that are built here, for the error. */
  readonly expected: string;
  /** The next step. */
  readonly next: string;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isEmpty = (value: unknown): boolean =>
  (isObject(value) || Array.isArray(value)) && Object.keys(value).length === 0;
const never = (): boolean => false;

const off = (next: string): KeyRule => ({ accepts: (value) => value === false, expected: "false", next });
const ENCODERS = "Only encoders are built here.";
const headDim = (given: Json): number => Number(given["hidden_size"]) / Number(given["num_attention_heads"]);
const divided = {
  accepts: (value: unknown, given: Json) => value === headDim(given) || Number.isNaN(headDim(given)),
  expected: "hidden_size / num_attention_heads",
  next: "Heads of another width are not built here.",
};

const floats: KeyRule = {
  accepts: (value) =>
    typeof value === "string" && /^(torch\.)?(auto|float32|float16|bfloat16|float64|float|half|double)$/.test(value),
  expected: "float32, float16, bfloat16 or float64",
  next: "Write the weights in one of these.",
};

/** Rules of every family. */
const COMMON: Readonly<Record<string, KeyRule>> = {
  quantization_config: {
    accepts: isEmpty,
    expected: "weights that are not quantised",
    next:
      "Take the model that was quantised, or write the weights as floats in Python: model.dequantize(), then " +
      "model.save_pretrained(DIR).",
  },
  is_decoder: off(ENCODERS),
  add_cross_attention: off(ENCODERS),
  is_encoder_decoder: off(ENCODERS),
  is_causal: off(ENCODERS),
  pruned_heads: {
    accepts: isEmpty,
    expected: "whole layers",
    next: "Layers without some of their heads are not built here.",
  },
  per_layer_config: { accepts: isEmpty, expected: "layers of one form", next: "Others are not built here." },
  head_dim: divided,
  fusion_config: { accepts: isEmpty, expected: "no fused modules", next: "They are not read here." },
  transformers_weights: {
    accepts: never,
    expected: "weights in model.safetensors",
    next: "Rename the file, and remove the key.",
  },
  dtype: floats,
  torch_dtype: floats,
};

/** Whether a rotary description says the plain rotary positions of this base. */
function isPlainRope(value: unknown, base: unknown): boolean {
  if (!isObject(value)) return false;
  const { rope_type: kind = "default", type = "default", rope_theta: theta = base, ...others } = value;
  const { partial_rotary_factor: part = 1, ...rest } = others;
  return kind === "default" && type === "default" && theta === base && part === 1 && isEmpty(rest);
}

const plainRope: KeyRule = {
  accepts: (value, given) => isPlainRope(value, given["rope_theta"] ?? 10_000),
  expected: 'plain rotary positions ("rope_type": "default") with the base rope_theta',
  next: "Set rope_theta, and remove this key.",
};

/** Rules of families with rotary positions whose base is the key `rope_theta` alone. */
const ROTARY = {
  rope_parameters: plainRope,
  rope_scaling: plainRope,
  partial_rotary_factor: {
    accepts: (value) => value === 1,
    expected: "1",
    next: "Rotary positions turn all channels here.",
  },
} satisfies Readonly<Record<string, KeyRule>>;

/** A key that says again what the key `window` says. */
const windowAgain: KeyRule = { accepts: (value) => value === 0, expected: "the key window", next: "Use window." };

const allGlobal: KeyRule = {
  accepts: (value, { num_hidden_layers: layers = 12 }) =>
    Array.isArray(value) && value.length === layers && value.every((type) => type === "full_attention"),
  expected: '"full_attention" for every layer',
  next: "Other layers are built for ModernBERT only.",
};

/** Rules by `model_type`. */
const BY_TYPE: Readonly<Record<string, Readonly<Record<string, KeyRule>>>> = {
  bert: { layer_types: allGlobal },
  esm: { ...ROTARY, layer_types: allGlobal },
  modernbert: {
    rope_scaling: {
      accepts: (value) => isPlainRope(value, undefined),
      expected: "plain rotary positions",
      next: "Scaled ones are not built here.",
    },
    partial_rotary_factor: ROTARY.partial_rotary_factor,
  },
  AMPLIFY: ROTARY,
  neobert: ROTARY,
  cloze_speedrun: {
    ...ROTARY,
    layer_types: allGlobal,
    sliding_window: windowAgain,
    local_attention: windowAgain,
  },
};

/** Throws UnsupportedError for a key of another model: a value that no reader of `type` understands. */
export function refuseForeignKeys(given: Json, type: string, file: string): void {
  for (const [key, rule] of Object.entries({ ...COMMON, ...BY_TYPE[type] })) {
    const value = given[key];
    if (value === undefined || value === null || rule.accepts(value, given)) continue;
    throw new UnsupportedError(
      `${file}, ${key}: expected ${rule.expected}, got ${JSON.stringify(value).slice(0, 80)}. ${rule.next}`,
    );
  }
}

/** Keys that change no result, with any value: those that say so of all families, then of one. */
export const IGNORED_KEYS: Readonly<Record<"all" | "bert" | "esm" | "modernbert" | "neobert", readonly string[]>> = {
  all: [
    // How Python computes and answers.
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "chunk_size_feed_forward",
    "deterministic_flash_attn",
    "gradient_checkpointing",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "reference_compile",
    "repad_logits_with_grad",
    "return_dict",
    "sparse_pred_ignore_index",
    "sparse_prediction",
    "tie_encoder_decoder",
    "torchscript",
    "use_bfloat16",
    "use_cache",
    "use_return_dict",
    // Names, tokens and labels.
    "_name_or_path",
    "auto_map",
    "bos_token_id",
    "cls_token_id",
    "eos_token_id",
    "finetuning_task",
    "id2label",
    "label2id",
    "mask_token_id",
    "name_or_path",
    "num_labels",
    "problem_type",
    "sep_token_id",
    "task_specific_params",
    "tokenizer_class",
    "transformers_version",
    "unk_token_id",
  ],
  bert: [
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
  ],
  esm: ["classifier_dropout", "esmfold_config", "hidden_act", "hidden_activation", "sliding_window", "vocab_list"],
  modernbert: ["hidden_act", "layer_norm_eps", "layer_norm_epsilon", "position_embedding_type", "rope_theta"],
  neobert: ["dim_head"],
};

/** Keys of `extra`, the unread keys of a config.json, that are in no table: nobody here knows them. */
export function unknownKeys(extra: Json, type: string): readonly string[] {
  const ignored = new Set([...IGNORED_KEYS.all, ...(IGNORED_KEYS[type as keyof typeof IGNORED_KEYS] ?? [])]);
  const rules = { ...COMMON, ...BY_TYPE[type] };
  return Object.keys(extra).filter((key) => !ignored.has(key) && !Object.hasOwn(rules, key));
}
