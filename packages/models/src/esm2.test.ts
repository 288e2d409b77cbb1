import { crossEntropy, Graph, grad, interpret, sizeOf, type Tensor } from "@cloze/graph";
import {
  countParameters,
  initialize,
  maskedLmParameters,
  parametersOf,
  rootScope,
  encoderInputs,
  type EncoderInputs,
  type Scope,
} from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { esm2, esm2Configs, flopsPerToken, type Esm2Config, type Esm2Size } from "./esm2.ts";

const tiny: Esm2Config = { ...esm2Configs["esm2-8m"], layers: 2, hidden: 16, heads: 2, intermediate: 32 };

/**
 * Parameter counts of the published models: the encoder, with the masked-token head, and with the contact head too. The
 * hub counts 1,026 more rows of unused positions.
 */
const counts: Readonly<Record<Esm2Size, readonly [number, number, number]>> = {
  "esm2-8m": [7_408_960, 7_512_353, 7_512_474],
  "esm2-35m": [33_269_280, 33_501_153, 33_501_394],
  "esm2-150m": [147_728_000, 148_139_553, 148_140_154],
  "esm2-650m": [649_400_320, 651_042_593, 651_043_254],
  "esm2-3b": [2_832_442_880, 2_839_004_193, 2_839_005_634],
  "esm2-15b": [15_102_868_480, 15_129_098_273, 15_129_100_194],
};

describe("parameter counts", () => {
  it.each(Object.keys(counts) as Esm2Size[])("of %s", (size) => {
    const model = esm2(esm2Configs[size]);
    const started = performance.now();
    const encoder = parametersOf((scope) => model.encode(scope, encoderInputs(scope.graph, 1, 4)));
    const withContacts = parametersOf((scope) => {
      const inputs = encoderInputs(scope.graph, 1, 4);
      const { last, attentions } = model.outputs(scope, inputs);
      model.predict(scope, last.reshape([-1, model.hidden]));
      model.contacts(scope, inputs, attentions);
    });
    expect([encoder, maskedLmParameters(model), withContacts].map(countParameters)).toEqual(counts[size]);
    // The trace makes names and shapes only: 15 billion parameters take a moment.
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

interface Feeds {
  readonly ids: readonly number[];
  readonly segments?: readonly number[];
}

function run(
  config: Esm2Config,
  build: (scope: Scope, inputs: EncoderInputs) => readonly Tensor[],
  { ids, segments }: Feeds,
  key?: readonly [number, number],
): Float64Array[] {
  const graph = new Graph();
  const scope = rootScope(graph, key ? { random: { key: graph.input("key", "u32", [2]) } } : {});
  const roots = build(scope, encoderInputs(graph, 1, ids.length));
  const first = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [name, data]),
  );
  const feeds = { ids, segments: segments ?? ids.map(() => 1), positions: ids.map((_, i) => i), ...(key && { key }) };
  return interpret(roots, { ...first, ...feeds }, { precision: "f64" }).map((v) => Float64Array.from(v.data));
}

const sequence = [0, 20, 15, 32, 5, 19, 2];

describe("zeroInitHead", () => {
  const loss =
    (config: Esm2Config) =>
    (scope: Scope, inputs: EncoderInputs): Tensor<"f32"> => {
      const model = esm2(config, { zeroInitHead: true });
      const states = model.encode(scope, inputs).reshape([-1, config.hidden]);
      return crossEntropy(model.predict(scope, states), inputs.ids.reshape([-1])).mean();
    };

  it.each([true, false])("starts at a loss of exactly ln 33 (tied: %s)", (tieWordEmbeddings) => {
    const config = { ...tiny, tieWordEmbeddings };
    const [value] = run(config, (scope, inputs) => [loss(config)(scope, inputs)], { ids: sequence });
    expect(value?.[0]).toBeCloseTo(Math.log(33), 14);
  });

  it("lets the head move first, from where all else can follow", () => {
    const names: string[] = [];
    const gradients = run(
      tiny,
      (scope, inputs) => {
        const value = loss(tiny)(scope, inputs);
        names.push(...scope.parameters.keys());
        return grad(
          value,
          [...scope.parameters.values()].map((p) => p.tensor),
        );
      },
      { ids: sequence },
    );
    const moving = names.filter((_, i) => gradients[i]?.some((v) => v !== 0));
    expect(moving).toEqual(["lm_head.dense.weight", "lm_head.dense.bias", "lm_head.layer_norm.bias", "lm_head.bias"]);
  });
});

describe("token dropout", () => {
  const embedded = (config: Esm2Config, feeds: Feeds): number[] =>
    Array.from(
      run(config, (scope, inputs) => [esm2(config).outputs(scope, inputs).hiddenStates[0] as Tensor], feeds)[0] ?? [],
    );
  const ratio = (feeds: Feeds, at: number): number => {
    const scaled = embedded(tiny, feeds);
    const plain = embedded({ ...tiny, tokenDropout: false }, feeds);
    return (scaled[at * tiny.hidden] as number) / (plain[at * tiny.hidden] as number);
  };

  it("scales by 0.88 where nothing is masked, at inference too", () => {
    expect(ratio({ ids: [0, 20, 15, 5, 2] }, 1)).toBeCloseTo(0.88, 12);
  });

  it("zeroes <mask> and counts it over the own sequence, without padding", () => {
    const feeds: Feeds = { ids: [0, 32, 15, 2, 0, 20, 5, 7, 2, 1], segments: [1, 1, 1, 1, 2, 2, 2, 2, 2, 0] };
    expect(ratio(feeds, 2)).toBeCloseTo(0.88 / (1 - 1 / 4), 12);
    expect(ratio(feeds, 5)).toBeCloseTo(0.88, 12);
    const hidden = tiny.hidden;
    const all = embedded(tiny, feeds);
    expect(all.slice(hidden, 2 * hidden).every((v) => v === 0)).toBe(true);
    expect(all.slice(9 * hidden).every((v) => v === 0)).toBe(true);
  });

  it("gives zeros, not NaN, where all is masked", () => {
    expect(embedded(tiny, { ids: [32, 32] }).every((v) => v === 0)).toBe(true);
    const [states] = run(tiny, (scope, inputs) => [esm2(tiny).encode(scope, inputs)], {
      ids: [32, 32, 1],
      segments: [1, 1, 0],
    });
    expect(states?.every(Number.isFinite)).toBe(true);
  });
});

describe("dropout", () => {
  const config: Esm2Config = { ...tiny, hiddenDropoutRate: 0.1, attentionDropoutRate: 0.1 };
  const states = (key?: readonly [number, number]): number[] =>
    Array.from(run(config, (scope, inputs) => [esm2(config).encode(scope, inputs)], { ids: sequence }, key)[0] ?? []);

  it("is drawn by step when training, and absent otherwise", () => {
    expect(states()).toEqual(
      Array.from(run(tiny, (scope, inputs) => [esm2(tiny).encode(scope, inputs)], { ids: sequence })[0] ?? []),
    );
    expect(states([1, 1])).toEqual(states([1, 1]));
    expect(states([1, 1])).not.toEqual(states([1, 2]));
    expect(states([1, 1])).not.toEqual(states());
  });
});

describe("names", () => {
  it("remember their layer on every node", () => {
    const scope = rootScope(new Graph());
    const x = esm2(tiny).encode(scope, encoderInputs(scope.graph, 1, 4));
    expect(x.path).toBe("esm.encoder.emb_layer_norm_after");
    expect(x.graph.path).toBe("");
  });
});

describe("flopsPerToken", () => {
  it("is close to 6 N + 12 L s h", () => {
    const config = esm2Configs["esm2-650m"];
    const matrices = [...maskedLmParameters(esm2(config)).values()].filter(
      (p) => p.shape.length === 2 && p.name.includes("layer"),
    );
    const weights = matrices.reduce((sum, p) => sum + sizeOf(p.shape), 0);
    const expected = 6 * weights + 12 * config.layers * 1024 * config.hidden;
    expect(flopsPerToken(config, 1024, { predicted: 0 })).toBe(expected);
    expect(flopsPerToken(config, 1024, { predicted: 0, training: false })).toBe(expected / 3);
    expect(flopsPerToken(config, 1024) / expected).toBeLessThan(1.001);
  });
});
