import { describe, expect, it } from "vitest";
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import { esm2Checkpoint, ropeFrequenciesFrom } from "./esm2-checkpoint.ts";
import { esm2ConfigJson, esm2Configs, esm2ConfigText, parseEsm2Config } from "./esm2-config.ts";
import { esm2 } from "./esm2.ts";

/** config.json of facebook/esm2_t6_8M_UR50D. */
const published = {
  architectures: ["EsmForMaskedLM"],
  attention_probs_dropout_prob: 0,
  classifier_dropout: null,
  emb_layer_norm_before: false,
  esmfold_config: null,
  hidden_act: "gelu",
  hidden_dropout_prob: 0,
  hidden_size: 320,
  initializer_range: 0.02,
  intermediate_size: 1280,
  is_folding_model: false,
  layer_norm_eps: 1e-5,
  mask_token_id: 32,
  max_position_embeddings: 1026,
  model_type: "esm",
  num_attention_heads: 20,
  num_hidden_layers: 6,
  pad_token_id: 1,
  position_embedding_type: "rotary",
  token_dropout: true,
  torch_dtype: "float32",
  transformers_version: "4.25.0.dev0",
  use_cache: true,
  vocab_list: null,
  vocab_size: 33,
};

const failure = (json: unknown): unknown => {
  try {
    parseEsm2Config(json, "model/config.json");
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("parseEsm2Config", () => {
  it("reads the published config, and keeps what it does not know", () => {
    const { extra, ...config } = parseEsm2Config(published);
    expect(config).toEqual(esm2Configs["esm2-8m"]);
    expect(Object.keys(extra ?? {}).sort()).toEqual([
      "classifier_dropout",
      "esmfold_config",
      "hidden_act",
      "torch_dtype",
      "transformers_version",
      "use_cache",
      "vocab_list",
    ]);
    expect(esm2ConfigJson({ ...config, extra: extra ?? {} })).toEqual({
      ...published,
      eos_token_id: 2,
      rope_theta: 10_000,
      tie_word_embeddings: true,
    });
  });

  it.each(Object.values(esm2Configs))("reads what it writes: $layers layers", (config) => {
    expect(parseEsm2Config(esm2ConfigJson(config))).toEqual({ ...config, extra: { hidden_act: "gelu" } });
  });

  it("writes floats as floats, which transformers 5 insists on", () => {
    const config = { ...esm2Configs["esm2-8m"], extra: { note: "rope_theta: 3", classifier_dropout: 0 } };
    const text = esm2ConfigText(config);
    expect(text).toContain('"hidden_dropout_prob": 0.0,');
    expect(text).toContain('"rope_theta": 10000.0,');
    expect(text).toContain('"classifier_dropout": 0.0,');
    expect(text).toContain('"hidden_size": 320,');
    expect(text).toContain('"layer_norm_eps": 0.00001,');
    expect(JSON.parse(text)).toEqual(esm2ConfigJson(config));
  });

  it("takes the defaults of transformers for what is missing", () => {
    const { layerNormEps, tokenDropout, hiddenDropoutRate, layers } = parseEsm2Config({
      model_type: "esm",
      position_embedding_type: "rotary",
      vocab_size: 33,
      pad_token_id: 1,
      mask_token_id: 32,
    });
    expect({ layerNormEps, tokenDropout, hiddenDropoutRate, layers }).toEqual({
      layerNormEps: 1e-12,
      tokenDropout: false,
      hiddenDropoutRate: 0.1,
      layers: 12,
    });
  });

  it.each([
    [null, FormatError, "model/config.json: expected an object, got null"],
    [{ ...published, model_type: "bert" }, FormatError, 'model/config.json, model_type: expected "esm", got "bert"'],
    [
      { ...published, vocab_size: undefined },
      FormatError,
      "model/config.json, vocab_size: expected a number, got nothing",
    ],
    [{ ...published, hidden_size: "320" }, FormatError, 'model/config.json, hidden_size: expected a number, got "320"'],
    [{ ...published, token_dropout: 1 }, FormatError, "model/config.json, token_dropout: expected a boolean, got 1"],
    [{ ...published, position_embedding_type: "absolute" }, UnsupportedError, 'only "rotary"'],
    [{ ...published, is_folding_model: true }, UnsupportedError, "is_folding_model"],
    [{ ...published, num_attention_heads: 7 }, ConfigError, "a hidden size that 7 heads divide, got 320"],
    [
      { ...published, num_attention_heads: 64 },
      ConfigError,
      "an even head dimension (rotary positions turn channels in pairs), got hidden 320 / heads 64 = 5",
    ],
    [{ ...published, mask_token_id: 33 }, ConfigError, "maskTokenId in [0, 33), got 33"],
    [{ ...published, num_hidden_layers: 0 }, ConfigError, "layers to be a whole number above 0, got 0"],
    [{ ...published, hidden_dropout_prob: 1 }, ConfigError, "hiddenDropoutRate in [0, 1), got 1"],
  ] as const)("refuses %#", (json, kind, message) => {
    const error = failure(json);
    expect(kind.isInstance(error)).toBe(true);
    expect((error as Error).message).toContain(message);
  });
});

describe("rotary frequencies of a checkpoint", () => {
  const config = esm2Configs["esm2-8m"];
  const formula = Float32Array.from({ length: 8 }, (_, c) => 10_000 ** (-c / 8));

  it("are the formula's, or are kept", () => {
    expect(ropeFrequenciesFrom(config, formula)).toBeUndefined();
    const rounded = Float32Array.from(formula, (f) => Math.round(f * 2048) / 2048 || 2 ** -11);
    expect(ropeFrequenciesFrom(config, rounded)).toEqual(Array.from(rounded));
  });

  it("are refused where they do not fit", () => {
    expect(() => ropeFrequenciesFrom(config, [1, 2], "model.safetensors")).toThrow(
      /model\.safetensors.*expected 8 frequencies.*got 2/,
    );
    expect(() => ropeFrequenciesFrom(config, new Array<number>(8).fill(NaN))).toThrow(/above 0, got NaN/);
    expect(() => esm2(config, { ropeFrequencies: [1] })).toThrow(/expected 8 rotary frequencies .*got 1/);
  });

  it("go into every checkpoint, those of the formula or its own: transformers looks for them", () => {
    const halved = Array.from(formula, (f) => f / 2);
    for (const [model, expected] of [
      [esm2(config), formula],
      [esm2(config, { ropeFrequencies: halved }), halved],
    ] as const) {
      expect(Object.keys(model.buffers).length).toBe(6);
      for (const [name, { data }] of Object.entries(model.buffers)) {
        expect(name).toMatch(esm2Checkpoint.ropeFrequencies);
        data.forEach((f, c) => expect(f).toBeCloseTo(expected[c] as number, 6));
      }
    }
  });

  it("are found under every name transformers gave them", () => {
    for (const name of [
      "esm.encoder.layer.3.attention.self.rotary_embeddings.inv_freq",
      "esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq",
      "esm.rotary_embeddings.inv_freq",
    ]) {
      expect(esm2Checkpoint.ropeFrequencies.test(name)).toBe(true);
    }
  });
});

describe("esm2Checkpoint", () => {
  it("knows the names of old that transformers 5 writes", () => {
    const rename = (name: string): string =>
      esm2Checkpoint.renamed.reduce((all, [pattern, now]) => all.replace(pattern, now), name);
    expect(rename("esm.encoder.layer.0.attention.LayerNorm.gamma")).toBe(
      "esm.encoder.layer.0.attention.LayerNorm.weight",
    );
    expect(rename("esm.encoder.layer.0.LayerNorm.beta")).toBe("esm.encoder.layer.0.LayerNorm.bias");
    expect(rename("lm_head.layer_norm.weight")).toBe("lm_head.layer_norm.weight");
  });

  it("ignores the unused tables of published checkpoints and nothing that is trained", () => {
    const ignored = (name: string): boolean => esm2Checkpoint.ignored.some((pattern) => pattern.test(name));
    expect(["esm.embeddings.position_ids", "esm.embeddings.position_embeddings.weight"].every(ignored)).toBe(true);
    expect(["esm.embeddings.word_embeddings.weight", "lm_head.bias"].some(ignored)).toBe(false);
  });
});
