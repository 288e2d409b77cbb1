import { describe, expect, it } from "vitest";
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import {
  alternating,
  modernBertConfigJson,
  modernBertConfigs,
  modernBertConfigText,
  parseModernBertConfig,
} from "./modernbert-config.ts";

/** The keys of answerdotai/ModernBERT-base's config.json, in the older layout. */
const published = {
  architectures: ["ModernBertForMaskedLM"],
  attention_bias: false,
  attention_dropout: 0.0,
  bos_token_id: 50281,
  classifier_activation: "gelu",
  classifier_bias: false,
  classifier_dropout: 0.0,
  classifier_pooling: "mean",
  cls_token_id: 50281,
  decoder_bias: true,
  deterministic_flash_attn: false,
  embedding_dropout: 0.0,
  eos_token_id: 50282,
  global_attn_every_n_layers: 3,
  global_rope_theta: 160000.0,
  hidden_activation: "gelu",
  hidden_size: 768,
  initializer_cutoff_factor: 2.0,
  initializer_range: 0.02,
  intermediate_size: 1152,
  local_attention: 128,
  local_rope_theta: 10000.0,
  max_position_embeddings: 8192,
  mlp_bias: false,
  mlp_dropout: 0.0,
  model_type: "modernbert",
  norm_bias: false,
  norm_eps: 1e-5,
  num_attention_heads: 12,
  num_hidden_layers: 22,
  pad_token_id: 50283,
  reference_compile: null,
  sep_token_id: 50282,
  vocab_size: 50368,
};
const base = modernBertConfigs["modernbert-base"];
const rope = (base: number): object => ({ rope_type: "default", rope_theta: base });

const failure = (json: unknown): unknown => {
  try {
    parseModernBertConfig(json, "model/config.json");
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("parseModernBertConfig", () => {
  it("reads the older layout, keeps what it does not know, and writes the newer one", () => {
    const { extra, ...config } = parseModernBertConfig(published);
    expect(config).toEqual(base);
    expect(Object.keys(extra ?? {}).sort()).toEqual([
      "bos_token_id",
      "cls_token_id",
      "deterministic_flash_attn",
      "eos_token_id",
      "sep_token_id",
    ]);
    const {
      global_attn_every_n_layers: _e,
      global_rope_theta: _g,
      local_rope_theta: _l,
      reference_compile: _c,
      ...others
    } = published;
    expect(modernBertConfigJson({ ...config, extra: extra ?? {} })).toEqual({
      ...others,
      tie_word_embeddings: true,
      rope_parameters: { full_attention: rope(160_000), sliding_attention: rope(10_000) },
      layer_types: alternating(22).map((reach) => (reach === "global" ? "full_attention" : "sliding_attention")),
    });
  });

  it("reads the newer layout, and takes it over the older one", () => {
    const newer = {
      layer_types: ["sliding_attention", "full_attention"],
      num_hidden_layers: 2,
      rope_parameters: { full_attention: rope(7), sliding_attention: { rope_type: "default" } },
      local_rope_theta: 9,
    };
    expect(parseModernBertConfig({ ...published, ...newer })).toMatchObject({
      reach: ["local", "global"],
      globalRopeBase: 7,
      localRopeBase: 9,
    });
  });

  it("reads a base of local layers that is null as that of global ones", () => {
    expect(parseModernBertConfig({ ...published, local_rope_theta: null })).toMatchObject({
      globalRopeBase: 160_000,
      localRopeBase: 160_000,
    });
  });

  it.each(Object.entries(modernBertConfigs))("reads what it writes: %s", (_, config) => {
    expect(parseModernBertConfig(modernBertConfigJson(config))).toEqual(config);
    const other = {
      ...config,
      pooling: "first" as const,
      activation: "silu",
      headActivation: "relu",
      attentionDropoutRate: 0.25,
      normBias: true,
      localWindow: 7,
    };
    expect(parseModernBertConfig(JSON.parse(modernBertConfigText(other)))).toEqual(other);
  });

  it("takes the defaults of transformers for what is missing", () => {
    expect(parseModernBertConfig({ model_type: "modernbert" })).toEqual({ ...base, pooling: "first" });
    expect(parseModernBertConfig({ model_type: "modernbert", initializer_cutoff_factor: null }).initializerCut).toBe(3);
  });

  it("writes floats as floats", () => {
    const text = modernBertConfigText(base);
    for (const line of [
      '"attention_dropout": 0.0,',
      '"mlp_dropout": 0.0,',
      '"embedding_dropout": 0.0,',
      '"initializer_cutoff_factor": 2.0,',
      '"local_attention": 128,',
    ])
      expect(text).toContain(line);
  });

  it.each([
    [
      { ...published, model_type: "bert" },
      FormatError,
      'model/config.json, model_type: expected "modernbert", got "bert"',
    ],
    [{ ...published, norm_bias: "no" }, FormatError, 'norm_bias: expected a boolean, got "no"'],
    [
      { ...published, classifier_pooling: "max" },
      FormatError,
      'classifier_pooling: expected "cls" or "mean", got "max"',
    ],
    [
      { ...published, global_attn_every_n_layers: 0 },
      FormatError,
      "global_attn_every_n_layers: expected a whole number from 1, got 0",
    ],
    [
      { ...published, layer_types: ["chunked_attention"] },
      UnsupportedError,
      'layer_types: expected full_attention or sliding_attention, got "chunked_attention"',
    ],
    [{ ...published, layer_types: ["full_attention"] }, ConfigError, "global or local for each of 22 layers, got 1"],
    [
      { ...published, rope_parameters: { full_attention: { rope_type: "yarn", rope_theta: 1 } } },
      UnsupportedError,
      'rope_parameters.full_attention.rope_type: only "default" is built here, got "yarn"',
    ],
    [
      { ...published, rope_parameters: { sliding_attention: { rope_theta: "1" } } },
      FormatError,
      'rope_parameters.sliding_attention.rope_theta: expected a number, got "1"',
    ],
    [
      { ...published, rope_scaling: { factor: 2 } },
      UnsupportedError,
      "rope_scaling: expected plain rotary positions, got",
    ],
    [
      { ...published, hidden_activation: "mish" },
      UnsupportedError,
      "model/config.json, hidden_activation: expected gelu",
    ],
    [
      { ...published, classifier_activation: "mish" },
      UnsupportedError,
      "model/config.json, classifier_activation: expected gelu",
    ],
    [
      { ...published, initializer_cutoff_factor: "2" },
      FormatError,
      'initializer_cutoff_factor: expected a number or null, got "2"',
    ],
    [{ ...published, num_attention_heads: 7 }, ConfigError, "a hidden size that 7 heads divide, got 768"],
    [{ ...published, num_attention_heads: 768 }, ConfigError, "an even head dimension, for rotary positions, got 1"],
    [{ ...published, pad_token_id: 50_368 }, ConfigError, "padTokenId in [0, 50368), got 50368"],
    [{ ...published, mlp_dropout: 1 }, ConfigError, "feedForwardDropoutRate in [0, 1), got 1"],
    [{ ...published, local_rope_theta: 0 }, ConfigError, "localRopeBase to be a number above 0, got 0"],
  ] as const)("refuses %#", (json, kind, message) => {
    const error = failure(json);
    expect(kind.isInstance(error)).toBe(true);
    expect((error as Error).message).toContain(message);
  });
});
