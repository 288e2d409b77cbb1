import { crossEntropy, Graph, interpret, type Tensor } from "@cloze/graph";
import {
  countParameters,
  encoderInputs,
  initialize,
  maskedLmParameters,
  parametersOf,
  rootScope,
  type EncoderInputs,
  type Scope,
} from "@cloze/nn";
import { describe, expect, it } from "vitest";
import {
  amplify,
  amplifyConfigJson,
  amplifyConfigs,
  amplifyConfigText,
  gatedRmsFlopsPerToken,
  gatedWidth,
  parseAmplifyConfig,
  type AmplifySize,
  type GatedRms,
  type GatedRmsConfig,
} from "./amplify.ts";
import { openModel, publishedConfig } from "./families.ts";
import { neoBert, neoBertConfigJson, neoBertConfigs, neoBertConfigText, parseNeoBertConfig } from "./neobert.ts";

const small: GatedRmsConfig = {
  ...amplifyConfigs["amplify-120m"],
  layers: 2,
  hidden: 16,
  heads: 2,
  intermediate: 24,
  maxPositions: 32,
};
const backbone = (model: GatedRms): number =>
  countParameters(parametersOf((scope) => model.encode(scope, encoderInputs(scope.graph, 1, 4))));

describe("parameter counts", () => {
  it.each([
    ["amplify-120m", 118_276_507, 1712],
    ["amplify-350m", 354_008_667, 2560],
  ] as const)("of %s", (size: AmplifySize, count, width) => {
    expect([
      countParameters(maskedLmParameters(amplify(amplifyConfigs[size]))),
      gatedWidth(amplifyConfigs[size]),
    ]).toEqual([count, width]);
  });

  it("of neobert", () => {
    const model = neoBert(neoBertConfigs.neobert);
    expect([backbone(model), countParameters(maskedLmParameters(model)), gatedWidth(model.config)]).toEqual([
      221_665_536,
      221_665_536 + 30_522 * 769,
      2048,
    ]);
  });
});

describe("config.json", () => {
  it.each(["amplify-120m", "amplify-350m", "neobert"])("of %s comes back as it was", async (name) => {
    const json = await publishedConfig(name);
    const again =
      name === "neobert" ? neoBertConfigJson(parseNeoBertConfig(json)) : amplifyConfigJson(parseAmplifyConfig(json));
    expect(again).toEqual(json);
  });

  it("of AMPLIFY takes for missing keys what upstream's class takes", () => {
    expect(parseAmplifyConfig({ model_type: "AMPLIFY" })).toEqual(amplifyConfigs["amplify-350m"]);
  });

  it("of the published NeoBERT opens, and what it says beside is kept", () => {
    const published = {
      architectures: ["NeoBERTLMHead"],
      auto_map: { AutoConfig: "model.NeoBERTConfig" },
      classifier_init_range: 0.02,
      decoder_init_range: 0.02,
      dim_head: 64,
      embedding_init_range: 0.02,
      hidden_size: 768,
      intermediate_size: 3072,
      max_length: 4096,
      model_type: "neobert",
      norm_eps: 1e-5,
      num_attention_heads: 12,
      num_hidden_layers: 28,
      pad_token_id: 0,
      vocab_size: 30_522,
    };
    const config = parseNeoBertConfig(published);
    expect(config).toMatchObject(neoBertConfigs.neobert);
    expect(JSON.parse(neoBertConfigText(config))).toMatchObject(published);
    expect(parseNeoBertConfig({ model_type: "neobert" })).toMatchObject({ maxPositions: 1024, normEps: 1e-6 });
  });

  it.each([
    [{ hidden_act: "gelu" }, 'c.json, hidden_act: only "SwiGLU" is built here, got "gelu"'],
    [{ rms_norm: false }, "c.json, rms_norm: only true is built here, got false"],
    [{ ngpt: true }, "c.json, ngpt: only false is built here, got true"],
    [
      { hidden_size: 50 },
      "AMPLIFY: expected a hidden size that is an even multiple of 15 heads, for rotary positions, got 50",
    ],
    [{ pad_token_id: 27 }, "AMPLIFY: expected padTokenId in [0, 27), got 27"],
    [{ norm_eps: 0 }, "AMPLIFY: expected normEps to be a number above 0, got 0"],
    [{ vocab_size: "27" }, "c.json, vocab_size: expected a number"],
    [{ num_hidden_layers: 0 }, "AMPLIFY: expected layers to be a whole number above 0, got 0"],
    [{ decoder_init_range: -1 }, "AMPLIFY: expected linearRange to be a number from 0, got -1"],
    [{ model_type: "bert" }, 'c.json, model_type: expected "AMPLIFY"'],
  ])("that cannot be built: %j", (more, message) => {
    expect(() => parseAmplifyConfig({ model_type: "AMPLIFY", ...more }, "c.json")).toThrow(message);
  });

  it("says another rotary base, and another vocabulary", async () => {
    const opened = await openModel(await publishedConfig("neobert"), { vocab: 40, special: { pad: 7 } });
    expect(JSON.parse(opened.vary({ ropeBase: 500 }).configText())).toMatchObject({
      rope_theta: 500,
      vocab_size: 40,
      pad_token_id: 7,
    });
    expect(() => opened.vary({ window: 5 })).toThrow("neobert: expected ropeBase, which may vary, got window 5");
    expect(JSON.parse(amplifyConfigText({ ...small, extra: { mask_token_id: 2 } })).mask_token_id).toBe(2);
  });
});

function run(
  build: (scope: Scope, inputs: EncoderInputs) => Tensor,
  ids: readonly number[],
  key?: readonly [number, number],
): Float64Array {
  const graph = new Graph();
  const scope = rootScope(graph, key ? { random: { key: graph.input("key", "u32", [2]) } } : {});
  const root = build(scope, encoderInputs(graph, 1, ids.length));
  const first = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [name, data]),
  );
  const feeds = { ids, segments: ids.map(() => 1), positions: ids.map((_, i) => i), ...(key && { key }) };
  return Float64Array.from(interpret([root], { ...first, ...feeds }, { precision: "f64" })[0]?.data ?? []);
}
const ids = Array.from({ length: 12 }, (_, i) => (7 * i) % 27);

describe("first values", () => {
  it("are even over the ranges of the configuration", () => {
    const values = initialize(
      maskedLmParameters(amplify({ ...small, embeddingRange: 0.5, linearRange: 0.03, attentionBias: true })),
      1,
    );
    for (const [name, { data }] of Object.entries(values)) {
      const bound = name.endsWith("bias") ? 0 : name.includes("norm") ? 1 : name === "encoder.weight" ? 0.5 : 0.03;
      const largest = Math.max(...Array.from(data).map(Math.abs));
      expect(largest, name).toBeLessThanOrEqual(bound);
      expect(largest, name).toBeGreaterThanOrEqual(0.9 * bound);
    }
  });

  it("of a zero head give a loss of exactly ln vocab", () => {
    const model = amplify(small, { zeroInitHead: true });
    const loss = run(
      (scope, inputs) =>
        crossEntropy(
          model.predict(scope, model.encode(scope, inputs).reshape([-1, small.hidden])),
          inputs.ids.reshape([-1]),
        ).mean(),
      ids,
    );
    expect(loss[0]).toBeCloseTo(Math.log(27), 14);
  });
});

it("drops out by step when training, and not otherwise", () => {
  const encoded = (dropoutRate: number, key?: readonly [number, number]): Float64Array =>
    run((scope, inputs) => amplify({ ...small, dropoutRate }).encode(scope, inputs), ids, key);
  expect(encoded(0.3)).toEqual(encoded(0));
  expect(encoded(0.3, [1, 1])).toEqual(encoded(0.3, [1, 1]));
  expect(encoded(0.3, [1, 1])).not.toEqual(encoded(0.3, [1, 2]));
  expect(encoded(0, [1, 1])).toEqual(encoded(0));
});

it("costs 6 N + 12 L s h floating-point operations for a token", () => {
  const config = amplifyConfigs["amplify-120m"];
  const matrices = 24 * (4 * 640 ** 2 + 3 * 640 * 1712);
  expect(gatedRmsFlopsPerToken(config, 512, { predicted: 0 })).toBe(6 * matrices + 12 * 24 * 512 * 640);
  expect(
    gatedRmsFlopsPerToken(config, 512, { predicted: 1 }) - gatedRmsFlopsPerToken(config, 512, { predicted: 0 }),
  ).toBe(6 * 640 * 27);
});
