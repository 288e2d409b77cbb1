import { describe, expect, it } from "vitest";
import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import { bertConfigJson, bertConfigs, bertConfigText, parseBertConfig } from "./bert-config.ts";

/** config.json of google-bert/bert-base-uncased. */
const published = {
  architectures: ["BertForMaskedLM"],
  attention_probs_dropout_prob: 0.1,
  gradient_checkpointing: false,
  hidden_act: "gelu",
  hidden_dropout_prob: 0.1,
  hidden_size: 768,
  initializer_range: 0.02,
  intermediate_size: 3072,
  layer_norm_eps: 1e-12,
  max_position_embeddings: 512,
  model_type: "bert",
  num_attention_heads: 12,
  num_hidden_layers: 12,
  pad_token_id: 0,
  position_embedding_type: "absolute",
  transformers_version: "4.6.0.dev0",
  type_vocab_size: 2,
  use_cache: true,
  vocab_size: 30522,
};

const failure = (json: unknown): unknown => {
  try {
    parseBertConfig(json, "model/config.json");
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("parseBertConfig", () => {
  it("reads the published config, and keeps what it does not know", () => {
    const { extra, ...config } = parseBertConfig(published);
    expect(config).toEqual(bertConfigs["bert-base-uncased"]);
    expect(Object.keys(extra ?? {}).sort()).toEqual(["gradient_checkpointing", "transformers_version", "use_cache"]);
    expect(bertConfigJson({ ...config, extra: extra ?? {} })).toEqual({
      ...published,
      classifier_dropout: null,
      tie_word_embeddings: true,
    });
  });

  it.each(Object.entries(bertConfigs))("reads what it writes: %s", (_, config) => {
    expect(parseBertConfig(bertConfigJson(config))).toEqual(config);
    expect(
      parseBertConfig(JSON.parse(bertConfigText({ ...config, classifierDropoutRate: 0.25, activation: "relu" }))),
    ).toEqual({ ...config, classifierDropoutRate: 0.25, activation: "relu" });
  });

  it("takes the defaults of transformers for what is missing", () => {
    expect(parseBertConfig({ model_type: "bert" })).toEqual(bertConfigs["bert-base-uncased"]);
  });

  it("writes floats as floats, and the keys it is given over those it read", () => {
    const text = bertConfigText(
      { ...bertConfigs.protbert, extra: { id2label: { 0: "old" }, use_cache: true } },
      { architectures: ["BertForTokenClassification"], id2label: undefined },
    );
    expect(text).toContain('"hidden_dropout_prob": 0.0,');
    expect(text).not.toContain("id2label");
    expect(JSON.parse(text)).toMatchObject({
      architectures: ["BertForTokenClassification"],
      use_cache: true,
      vocab_size: 30,
    });
  });

  it.each([
    [null, FormatError, "model/config.json: expected an object, got null"],
    [
      { ...published, model_type: "roberta" },
      FormatError,
      'model/config.json, model_type: expected "bert", got "roberta"',
    ],
    [{ ...published, hidden_size: "768" }, FormatError, 'model/config.json, hidden_size: expected a number, got "768"'],
    [{ ...published, tie_word_embeddings: "yes" }, FormatError, 'tie_word_embeddings: expected a boolean, got "yes"'],
    [
      { ...published, position_embedding_type: "relative_key" },
      UnsupportedError,
      'only "absolute" (a learnt vector for each place) is built here, got "relative_key"',
    ],
    [
      { ...published, is_decoder: true },
      UnsupportedError,
      "model/config.json, is_decoder: expected false, got true. Only encoders are built here.",
    ],
    [{ ...published, pruned_heads: { 0: [1] } }, UnsupportedError, "pruned_heads"],
    [{ ...published, hidden_act: "mish" }, UnsupportedError, 'silu, swish, got "mish". Others are not built here'],
    [{ ...published, hidden_act: "constructor" }, UnsupportedError, 'got "constructor"'],
    [
      { ...published, classifier_dropout: "0.1" },
      UnsupportedError,
      'classifier_dropout: expected a number or null, got "0.1"',
    ],
    [{ ...published, num_attention_heads: 7 }, ConfigError, "a hidden size that 7 heads divide, got 768"],
    [{ ...published, pad_token_id: 30_522 }, ConfigError, "padTokenId in [0, 30522), got 30522"],
    [{ ...published, type_vocab_size: 0 }, ConfigError, "types to be a whole number above 0, got 0"],
    [{ ...published, hidden_dropout_prob: 1 }, ConfigError, "hiddenDropoutRate in [0, 1), got 1"],
  ] as const)("refuses %#", (json, kind, message) => {
    const error = failure(json);
    expect(kind.isInstance(error)).toBe(true);
    expect((error as Error).message).toContain(message);
  });
});
