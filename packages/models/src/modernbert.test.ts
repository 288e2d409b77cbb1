import { crossEntropy, Graph, interpret, sizeOf, type Tensor } from "@cloze/graph";
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
import { headParameters } from "./heads.ts";
import {
  alternating,
  modernBert,
  modernBertConfigs,
  modernBertFlopsPerToken,
  type ModernBertConfig,
  type ModernBertSize,
} from "./modernbert.ts";

const tiny: ModernBertConfig = {
  ...modernBertConfigs["ettin-17m"],
  layers: 3,
  reach: alternating(3),
  hidden: 16,
  heads: 2,
  intermediate: 24,
  vocab: 40,
  maxPositions: 32,
  padTokenId: 0,
  localWindow: 4,
};

/** Counts by transformers: ModernBertModel, ModernBertForMaskedLM. */
const counts: readonly (readonly [size: ModernBertSize, backbone: number, maskedLm: number])[] = [
  ["modernbert-base", 149_014_272, 149_655_232],
  ["modernbert-large", 394_781_696, 395_881_664],
  ["ettin-17m", 16_797_440, 16_913_600],
  ["ettin-32m", 31_883_136, 32_081_344],
  ["ettin-68m", 68_144_640, 68_457_664],
  ["ettin-150m", 149_014_272, 149_655_232],
  ["ettin-400m", 394_781_696, 395_881_664],
  ["ettin-1b", 1_028_050_688, 1_031_314_112],
];

describe("parameter counts", () => {
  it.each(counts)("of %s", (size, backbone, maskedLm) => {
    const model = modernBert(modernBertConfigs[size]);
    expect(countParameters(parametersOf((scope) => model.encode(scope, encoderInputs(scope.graph, 1, 4))))).toBe(
      backbone,
    );
    expect(countParameters(maskedLmParameters(model))).toBe(maskedLm);
    const { hidden } = model;
    expect(countParameters(headParameters(model, "sequence-classification", 3))).toBe(
      backbone + hidden ** 2 + hidden + 3 * (hidden + 1),
    );
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

const ids = Array.from({ length: 12 }, (_, i) => (7 * i) % 40);
const encoded = (config: ModernBertConfig, given = ids, key?: readonly [number, number]): Float64Array =>
  run((scope, inputs) => modernBert(config).encode(scope, inputs), given, key);

describe("reach", () => {
  const local: ModernBertConfig = { ...tiny, reach: ["local", "local", "local"], initializerRange: 0.3 };
  const last = 11 * tiny.hidden;

  it("of local layers is half the window to each side, and adds up over layers", () => {
    const plain = encoded(local);
    const at = (place: number): Float64Array =>
      encoded(
        local,
        ids.map((id, i) => (i === place ? 39 : id)),
      );
    // Three layers reach two tokens each: the last token depends on the token six places before it, and on no token
    // farther away.
    expect(at(4).slice(last)).toEqual(plain.slice(last));
    expect(at(5).slice(last)).not.toEqual(plain.slice(last));
  });

  it("of a global layer is the whole text", () => {
    const config: ModernBertConfig = { ...local, reach: ["local", "global", "local"] };
    expect(encoded(config, [39, ...ids.slice(1)]).slice(last)).not.toEqual(encoded(config).slice(last));
  });

  it("has a rotary base of its own", () => {
    expect(encoded({ ...local, globalRopeBase: 5 })).toEqual(encoded(local));
    expect(encoded({ ...local, localRopeBase: 5 })).not.toEqual(encoded(local));
  });
});

describe("first values", () => {
  it("are those of transformers", () => {
    const config: ModernBertConfig = {
      ...tiny,
      hidden: 64,
      heads: 4,
      vocab: 500,
      intermediate: 96,
      tieWordEmbeddings: false,
    };
    const model = modernBert(config);
    const parameters = new Map([...maskedLmParameters(model), ...headParameters(model, "token-classification", 40)]);
    const values = initialize(parameters, 3);
    const spread = (name: string): readonly [std: number, largest: number] => {
      const data = Array.from(values[name]?.data ?? []);
      return [Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length), Math.max(...data.map(Math.abs))];
    };
    const into = 0.02 / Math.sqrt(2 * config.layers);
    const expected = {
      "model.embeddings.tok_embeddings.weight": 0.02,
      "model.layers.1.attn.Wqkv.weight": 0.02,
      "model.layers.1.mlp.Wi.weight": 0.02,
      "model.layers.1.attn.Wo.weight": into,
      "model.layers.2.mlp.Wo.weight": into,
      "head.dense.weight": into,
      "decoder.weight": into,
      "classifier.weight": config.hidden ** -0.5,
    };
    for (const [name, std] of Object.entries(expected)) {
      const [found, largest] = spread(name);
      expect(largest, name).toBeLessThanOrEqual(2 * std * (1 + 1e-6));
      expect(largest, name).toBeGreaterThan(1.8 * std);
      // A normal cut at 2 standard deviations has 0.88 of the standard deviation.
      expect(found / std / 0.8796, name).toBeGreaterThan(0.95);
      expect(found / std / 0.8796, name).toBeLessThan(1.05);
    }
  });

  it.each([true, false])("of a zero head give a loss of exactly ln vocab (tied: %s)", (tieWordEmbeddings) => {
    const config = { ...tiny, tieWordEmbeddings };
    const model = modernBert(config, { zeroInitHead: true });
    const loss = run(
      (scope, inputs) =>
        crossEntropy(
          model.predict(scope, model.encode(scope, inputs).reshape([-1, config.hidden])),
          inputs.ids.reshape([-1]),
        ).mean(),
      ids,
    );
    expect(loss[0]).toBeCloseTo(Math.log(config.vocab), 14);
  });
});

describe("dropout", () => {
  const rates = ["embeddingDropoutRate", "attentionDropoutRate", "feedForwardDropoutRate"] as const;

  it.each(rates)("%s is drawn by step when training, and absent otherwise", (rate) => {
    const config = { ...tiny, [rate]: 0.3 };
    expect(encoded(config)).toEqual(encoded(tiny));
    expect(encoded(config, ids, [1, 1])).toEqual(encoded(config, ids, [1, 1]));
    expect(encoded(config, ids, [1, 1])).not.toEqual(encoded(config, ids, [1, 2]));
    expect(encoded(tiny, ids, [1, 1])).toEqual(encoded(tiny));
  });

  it("before a classifier has a rate of its own", () => {
    const classes = (config: ModernBertConfig): Float64Array =>
      run(
        (scope, inputs) =>
          modernBert(config).classifyTokens(
            scope,
            modernBert(config).encode(scope, inputs).reshape([-1, config.hidden]),
            3,
          ),
        ids,
        [1, 1],
      );
    expect(classes({ ...tiny, classifierDropoutRate: 0.5 })).not.toEqual(classes(tiny));
  });
});

describe("names", () => {
  it("are a layer's on every node, and the first layer has no norm before its attention", () => {
    const scope = rootScope(new Graph());
    const x = modernBert(tiny).encode(scope, encoderInputs(scope.graph, 1, 4));
    expect(x.path).toBe("model.final_norm");
    expect([...scope.parameters.keys()].filter((name) => name.includes("attn_norm"))).toEqual([
      "model.layers.1.attn_norm.weight",
      "model.layers.2.attn_norm.weight",
    ]);
  });
});

describe("flopsPerToken", () => {
  const config = modernBertConfigs["modernbert-base"];
  const { layers, hidden } = config;
  const globals = config.reach.filter((reach) => reach === "global").length;
  const matrices = [...maskedLmParameters(modernBert(config)).values()]
    .filter((p) => p.shape.length === 2 && p.name.includes("layers"))
    .reduce((sum, p) => sum + sizeOf(p.shape), 0);
  const flops = (seq: number): number => modernBertFlopsPerToken(config, seq, { predicted: 0 });

  it("is 6 N + 12 L s h where the window holds the whole row", () => {
    expect(flops(64)).toBe(6 * matrices + 12 * layers * 64 * hidden);
  });

  it("counts in local layers the pairs that the window holds", () => {
    const seq = 300;
    let pairs = 0;
    for (let i = 0; i < seq; i++) for (let j = 0; j < seq; j++) if (Math.abs(i - j) <= 64) pairs++;
    expect(flops(seq)).toBeCloseTo(
      6 * matrices + 12 * hidden * (globals * seq + (layers - globals) * (pairs / seq)),
      0,
    );
  });
});
