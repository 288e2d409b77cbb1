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
import { bert, bertConfigs, flopsPerToken, type BertConfig, type BertSize } from "./bert.ts";
import { headParameters, type Head } from "./heads.ts";

const tiny: BertConfig = {
  ...bertConfigs["bert-tiny"],
  layers: 2,
  hidden: 16,
  heads: 2,
  intermediate: 24,
  vocab: 40,
  maxPositions: 12,
  initializerRange: 0.3,
};

/**
 * Counts by transformers: the encoder without pooler, with pooler, with the masked-token head, and some of the other
 * classes.
 */
interface Counts {
  readonly size: BertSize;
  readonly backbone: number;
  readonly pooled: number;
  readonly maskedLm: number;
  readonly others?: Readonly<Partial<Record<Head, number>>>;
}
const counts: readonly Counts[] = [
  {
    size: "bert-base-uncased",
    backbone: 108_891_648,
    pooled: 109_482_240,
    maskedLm: 109_514_298,
    others: {
      "masked-lm+sentence-pair": 110_106_428,
      "sequence-classification": 109_483_778,
      "question-answering": 108_893_186,
    },
  },
  {
    size: "bert-base-cased",
    backbone: 107_719_680,
    pooled: 108_310_272,
    maskedLm: 108_340_804,
    others: { "masked-lm+sentence-pair": 108_932_934 },
  },
  {
    size: "bert-large-uncased",
    backbone: 334_092_288,
    pooled: 335_141_888,
    maskedLm: 335_174_458,
    others: { "masked-lm+sentence-pair": 336_226_108 },
  },
  { size: "bert-tiny", backbone: 4_369_408, pooled: 4_385_920, maskedLm: 4_416_698 },
  { size: "bert-mini", backbone: 11_104_768, pooled: 11_170_560, maskedLm: 11_201_594 },
  { size: "bert-small", backbone: 28_500_992, pooled: 28_763_648, maskedLm: 28_795_194 },
  { size: "bert-medium", backbone: 41_110_528, pooled: 41_373_184, maskedLm: 41_404_730 },
  { size: "protbert", backbone: 418_881_536, pooled: 419_931_136, maskedLm: 419_933_214 },
  { size: "minilm-l6", backbone: 22_565_376, pooled: 22_713_216, maskedLm: 22_744_506 },
];

describe("parameter counts", () => {
  it.each(counts)("of $size", ({ size, backbone, pooled, maskedLm, others = {} }) => {
    const model = bert(bertConfigs[size]);
    const encode = (scope: Scope): Tensor<"f32"> =>
      model.encode(scope, encoderInputs(scope.graph, 1, 4)).reshape([-1, model.hidden]);
    expect(countParameters(parametersOf(encode))).toBe(backbone);
    expect(countParameters(parametersOf((scope) => model.pool(scope, encode(scope))))).toBe(pooled);
    expect(countParameters(maskedLmParameters(model))).toBe(maskedLm);
    for (const [head, count] of Object.entries(others))
      expect(countParameters(headParameters(model, head as Head, 2)), head).toBe(count);
  });

  it("of a tagger of nine labels", () => {
    expect(countParameters(headParameters(bert(bertConfigs["bert-base-uncased"]), "token-classification", 9))).toBe(
      108_898_569,
    );
  });
});

interface Feeds {
  readonly ids: readonly number[];
  readonly types?: readonly number[];
}

function run(
  config: BertConfig,
  build: (scope: Scope, inputs: EncoderInputs) => Tensor,
  { ids, types }: Feeds,
  key?: readonly [number, number],
): Float64Array {
  const graph = new Graph();
  const scope = rootScope(graph, key ? { random: { key: graph.input("key", "u32", [2]) } } : {});
  const root = build(scope, encoderInputs(graph, 1, ids.length, { types: types !== undefined }));
  const first = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [name, data]),
  );
  const feeds = {
    ids,
    segments: ids.map(() => 1),
    positions: ids.map((_, i) => i),
    ...(types && { types }),
    ...(key && { key }),
  };
  return Float64Array.from(interpret([root], { ...first, ...feeds }, { precision: "f64" })[0]?.data ?? []);
}

const ids = [2, 7, 9, 4, 3, 11, 12, 3];
const types = [0, 0, 0, 0, 0, 1, 1, 1];

describe("token types", () => {
  const encode = (scope: Scope, inputs: EncoderInputs): Tensor<"f32"> => bert(tiny).encode(scope, inputs);

  it("are all 0 where none are given", () => {
    expect(run(tiny, encode, { ids })).toEqual(run(tiny, encode, { ids, types: ids.map(() => 0) }));
  });

  it("count", () => {
    expect(run(tiny, encode, { ids })).not.toEqual(run(tiny, encode, { ids, types }));
  });
});

describe("zeroInitHead", () => {
  it.each([true, false])("starts at a loss of exactly ln vocab (tied: %s)", (tieWordEmbeddings) => {
    const config = { ...tiny, tieWordEmbeddings };
    const model = bert(config, { zeroInitHead: true });
    const loss = run(
      config,
      (scope, inputs) =>
        crossEntropy(
          model.predict(scope, model.encode(scope, inputs).reshape([-1, config.hidden])),
          inputs.ids.reshape([-1]),
        ).mean(),
      { ids },
    );
    expect(loss[0]).toBeCloseTo(Math.log(config.vocab), 14);
  });
});

describe("dropout", () => {
  const config: BertConfig = { ...tiny, hiddenDropoutRate: 0, attentionDropoutRate: 0 };
  const classes = (of: BertConfig, key?: readonly [number, number]): Float64Array =>
    run(
      of,
      (scope, inputs) => {
        const model = bert(of);
        return model.classifySequence(scope, model.encode(scope, inputs).slice(1, 0, 1).reshape([1, of.hidden]), 3);
      },
      { ids },
      key,
    );

  it("is drawn by step when training, and absent otherwise", () => {
    expect(classes(tiny)).toEqual(classes(config));
    expect(classes(tiny, [1, 1])).toEqual(classes(tiny, [1, 1]));
    expect(classes(tiny, [1, 1])).not.toEqual(classes(tiny, [1, 2]));
    expect(classes(config, [1, 1])).toEqual(classes(config));
  });

  it("before a classifier has a rate of its own, or else that of hidden states", () => {
    expect(classes({ ...config, classifierDropoutRate: 0.5 }, [1, 1])).not.toEqual(classes(config));
    expect(classes({ ...config, classifierDropoutRate: 0.5 })).toEqual(classes(config));
    const hidden = (of: BertConfig): boolean => classes(of, [1, 1]).some((x, i) => x !== classes(of)[i]);
    expect(hidden({ ...config, hiddenDropoutRate: 0.1, classifierDropoutRate: 0 })).toBe(true);
  });
});

describe("names", () => {
  it("remember their layer on every node", () => {
    const scope = rootScope(new Graph());
    const x = bert(tiny).encode(scope, encoderInputs(scope.graph, 1, 4));
    expect(x.path).toBe("bert.encoder.layer.1.output.LayerNorm");
    expect(x.graph.path).toBe("");
  });
});

describe("flopsPerToken", () => {
  it("is close to 6 N + 12 L s h", () => {
    const config = bertConfigs["bert-base-uncased"];
    const matrices = [...maskedLmParameters(bert(config)).values()].filter(
      (p) => p.shape.length === 2 && p.name.includes("layer"),
    );
    const expected =
      6 * matrices.reduce((sum, p) => sum + sizeOf(p.shape), 0) + 12 * config.layers * 512 * config.hidden;
    expect(flopsPerToken(config, 512, { predicted: 0 })).toBe(expected);
    expect(flopsPerToken(config, 512, { predicted: 0, training: false })).toBe(expected / 3);
  });
});
