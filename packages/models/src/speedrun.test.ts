import { ConfigError, FormatError } from "@cloze/errors";
import { crossEntropy, Graph, grad, interpret, lower, program, programRoots, sizeOf, type Tensor } from "@cloze/graph";
import {
  countParameters,
  encoderInputs,
  initialize,
  maskedLmParameters,
  rootScope,
  type EncoderInputs,
  type Scope,
} from "@cloze/nn";
import { describe, expect, it } from "vitest";
import {
  parseSpeedrunConfig,
  speedrun,
  speedrunConfigJson,
  speedrunConfigs,
  speedrunConfigText,
  speedrunFlopsPerToken,
  speedrunIntermediate,
  type SpeedrunConfig,
} from "./speedrun.ts";

const published = speedrunConfigs["speedrun-133m"];
const tiny: SpeedrunConfig = { ...published, layers: 4, hidden: 16, heads: 2, intermediate: 32 };
const count = (config: SpeedrunConfig): number => countParameters(maskedLmParameters(speedrun(config)));

describe("parameter counts", () => {
  it("of the published model, by the formula", () => {
    const h = 768;
    const tables = 33 * h + 12 * 33 * h;
    const layers = 24 * (4 * h ** 2 + 2 * h * 2048 + 4);
    const skips = 12;
    const head = 33 * h;
    expect(count(published)).toBe(tables + layers + skips + head);
    expect(count(published)).toBe(132_475_500);
  });

  it("of the later forms: a dense layer in the head, and the narrower feed-forward block", () => {
    expect(count({ ...published, headDense: true })).toBe(133_065_357);
    expect(count({ ...published, headDense: true, intermediate: speedrunIntermediate(768, 2) })).toBe(114_190_989);
  });

  it("fall by what an option leaves out", () => {
    const all = count(tiny);
    const table = 33 * tiny.hidden;
    expect(all - count({ ...tiny, tieWordEmbeddings: true })).toBe(table);
    expect(all - count({ ...tiny, unet: false })).toBe(2);
    // A table for each pair of layers, and two weights for each layer.
    expect(all - count({ ...tiny, valueEmbeddings: false })).toBe(2 * table + 4 * 2);
  });
});

it("differential attention adds four vectors and a gain to each layer: 6 head dimensions", () => {
  expect(count({ ...published, differentialAttention: true }) - count(published)).toBe(24 * 6 * 128);
  expect(count({ ...tiny, window: 5 })).toBe(count(tiny));
});

function run(
  config: SpeedrunConfig,
  build: (scope: Scope, inputs: EncoderInputs) => readonly Tensor[],
  ids: readonly number[],
): Float64Array[] {
  const graph = new Graph();
  const scope = rootScope(graph);
  const roots = build(scope, encoderInputs(graph, 1, ids.length));
  const first = Object.fromEntries(
    Object.entries(initialize(scope.parameters, 1)).map(([name, { data }]) => [name, data]),
  );
  return interpret(
    roots,
    { ...first, ids, segments: ids.map(() => 1), positions: ids.map((_, i) => i) },
    { precision: "f64" },
  ).map((v) => Float64Array.from(v.data));
}

const sequence = [0, 20, 15, 32, 5, 19, 2];

/** The mean loss of predicting each token itself. */
function loss(config: SpeedrunConfig, scope: Scope, inputs: EncoderInputs, options = {}): Tensor<"f32"> {
  const model = speedrun(config, options);
  const states = model.encode(scope, inputs).reshape([-1, config.hidden]);
  return crossEntropy(model.predict(scope, states), inputs.ids.reshape([-1])).mean();
}

describe("the first step", () => {
  it.each([
    ["as published", {}],
    ["a dense layer in the head", { headDense: true }],
    ["tied, dense", { headDense: true, tieWordEmbeddings: true }],
    ["token dropout", { tokenDropout: true }],
    ["no softcap", { logitSoftcap: 0 }],
    ["differential", { differentialAttention: true }],
    ["window", { window: 2 }],
    ["text", { vocab: 120, padTokenId: 0, maskTokenId: 4 }],
  ])("has a loss of exactly ln(vocabulary): %s", (_, more) => {
    const config = { ...tiny, ...more };
    const [value] = run(config, (scope, inputs) => [loss(config, scope, inputs)], sequence);
    expect(value?.[0]).toBeCloseTo(Math.log(config.vocab), 14);
  });

  it("has no such loss where the head is the table alone, or is not asked to be zero", () => {
    const tied = { ...tiny, tieWordEmbeddings: true };
    expect(() => speedrun(tied, { zeroInitHead: true })).toThrow(
      /expected zeroInitHead false .*got true. Set head_dense/,
    );
    for (const [config, options] of [
      [tied, {}],
      [tiny, { zeroInitHead: false }],
    ] as const) {
      const [value] = run(config, (scope, inputs) => [loss(config, scope, inputs, options)], sequence);
      expect(Math.abs((value?.[0] ?? NaN) - Math.log(33))).toBeGreaterThan(0.01);
    }
  });

  it("moves the decoder, from where all else can follow", () => {
    const names: string[] = [];
    const gradients = run(
      tiny,
      (scope, inputs) => {
        const value = loss(tiny, scope, inputs);
        names.push(...scope.parameters.keys());
        return grad(
          value,
          [...scope.parameters.values()].map((p) => p.tensor),
        );
      },
      sequence,
    );
    expect(names.filter((_, i) => gradients[i]?.some((v) => v !== 0))).toEqual(["lm_head.decoder.weight"]);
  });

  it.each([true, false])(
    "with token dropout and nothing but masks to predict, can begin only from a head that is not zero: zeroInitHead %s",
    (zeroInitHead) => {
      const config = { ...tiny, tokenDropout: true };
      const gradients = run(
        config,
        (scope, inputs) => {
          const model = speedrun(config, { zeroInitHead });
          const state = model.encode(scope, inputs).slice(1, 3, 4).reshape([1, config.hidden]);
          const value = crossEntropy(model.predict(scope, state), scope.graph.iota([1], 0)).sum();
          return grad(
            value,
            [...scope.parameters.values()].map((p) => p.tensor),
          );
        },
        sequence,
      );
      expect(gradients.some((g) => g.some((v) => v !== 0))).toBe(!zeroInitHead);
    },
  );

  it("passes the normed embeddings through: each skip adds them once more, and the last norm takes the factor out", () => {
    const [last = [], x0 = []] = run(
      tiny,
      (scope, inputs) => {
        const { last: out, hiddenStates } = speedrun(tiny).outputs(scope, inputs);
        return [out, hiddenStates[0] as Tensor];
      },
      sequence,
    );
    x0.forEach((v, i) => expect(last[i]).toBeCloseTo(v, 5));
  });
});

it("traces, differentiates and lowers at its published size in a moment", () => {
  const started = performance.now();
  const graph = new Graph();
  const scope = rootScope(graph);
  const model = speedrun(published);
  const inputs = encoderInputs(graph, 2, 1024);
  const value = crossEntropy(
    model.predict(scope, model.encode(scope, inputs).reshape([-1, model.hidden])),
    inputs.ids.reshape([-1]),
  ).mean();
  const parameters = [...scope.parameters.values()].map((p) => p.tensor);
  const gradients = grad(value, parameters);
  const step = program(graph, {
    state: parameters,
    outputs: { value },
    updates: Object.fromEntries([...scope.parameters.keys()].map((name, i) => [name, gradients[i] as Tensor])),
  });
  expect(programRoots(lower(step, {})).length).toBe(1 + parameters.length);
  expect(performance.now() - started).toBeLessThan(20_000);
});

describe("names", () => {
  it("read as the model does, and divide into Muon's matrices and the rest", () => {
    const parameters = [...maskedLmParameters(speedrun({ ...tiny, layers: 2, headDense: true })).values()];
    const matrix = ({ kind }: (typeof parameters)[number]): boolean => kind === "matrix";
    const block = (i: number): string[] =>
      ["attention.query", "attention.key", "attention.value", "attention.output", "mlp.up", "mlp.down"].map(
        (part) => `model.layers.${i}.${part}.weight`,
      );
    expect(parameters.filter(matrix).map(({ name }) => name)).toEqual([...block(0), ...block(1)]);
    expect(
      parameters
        .filter((p) => !matrix(p))
        .map(({ name }) => name)
        .sort(),
    ).toEqual([
      "lm_head.decoder.bias",
      "lm_head.decoder.weight",
      "lm_head.dense.weight",
      "model.embeddings.tokens.weight",
      "model.embeddings.values.0.weight",
      "model.layers.0.attention.value_lambdas",
      "model.layers.0.lambdas",
      "model.layers.1.attention.value_lambdas",
      "model.layers.1.lambdas",
      "model.skip_weights",
    ]);
  });
});

describe("config.json", () => {
  const json = { model_type: "cloze_speedrun", vocab_size: 33, pad_token_id: 1, mask_token_id: 32 };

  it("is the published model where it says nothing", () => {
    expect(parseSpeedrunConfig(json)).toEqual(published);
    expect(parseSpeedrunConfig(speedrunConfigJson(published))).toEqual(published);
  });

  it("keeps what it does not know, and writes what it read", () => {
    const config = parseSpeedrunConfig({ ...json, unet: false, logit_softcap: 15, note: "ours" });
    expect(config).toMatchObject({ unet: false, logitSoftcap: 15, extra: { note: "ours" } });
    expect(parseSpeedrunConfig(JSON.parse(speedrunConfigText(config)))).toEqual(config);
  });

  it("takes a ratio for the width of the feed-forward block, rounded up to 256", () => {
    expect(
      [
        [768, 2.6667],
        [768, 8 / 3],
        [768, 2],
        [512, 2.6667],
        [64, 8 / 3],
      ].map(([hidden, ratio]) => speedrunIntermediate(hidden as number, ratio)),
    ).toEqual([2048, 2048, 1536, 1536, 256]);
    const { intermediate, extra } = parseSpeedrunConfig({ ...json, expansion_ratio: 2 });
    expect([intermediate, extra]).toEqual([1536, undefined]);
  });

  it.each([
    [{ vocab_size: undefined }, FormatError, "config.json, vocab_size: expected a number, got nothing"],
    [{ model_type: "esm" }, FormatError, 'model_type: expected "cloze_speedrun", got "esm"'],
    [
      { num_hidden_layers: 3 },
      ConfigError,
      "an even number of layers (unet and value_embeddings mirror the second half on the first), got 3",
    ],
    [{ num_attention_heads: 5 }, ConfigError, "a hidden size that 5 heads divide, got 768"],
    [
      { hidden_size: 6, num_attention_heads: 2 },
      ConfigError,
      "an even head dimension (rotary positions turn channels in pairs), got hidden 6 / heads 2 = 3",
    ],
    [{ mask_token_id: 33 }, ConfigError, "maskTokenId in [0, 33), got 33"],
    [{ logit_softcap: -1 }, ConfigError, "logitSoftcap from 0 (none), got -1"],
    [
      { differential_attention: true, num_attention_heads: 3 },
      ConfigError,
      "an even number of heads (differential_attention takes them in pairs), got 3",
    ],
    [{ window: -1 }, ConfigError, "window to be a whole number from 0 (any distance), got -1"],
    [{ rms_norm_eps: 0 }, ConfigError, "rmsNormEps above 0, got 0"],
  ] as const)("refuses %o", (more, kind, message) => {
    const open = (): unknown => parseSpeedrunConfig({ ...json, ...more });
    expect(open).toThrow(message);
    expect(open).toThrow(kind);
  });

  it("has odd numbers of layers where nothing is mirrored", () => {
    expect(count({ ...tiny, layers: 3, unet: false, valueEmbeddings: false })).toBeGreaterThan(0);
  });
});

describe("flopsPerToken", () => {
  it("counts every matrix that a token is multiplied with, and attention", () => {
    const matrices = [...maskedLmParameters(speedrun(published)).values()].filter(
      ({ name, shape }) => shape.length === 2 && name.includes(".layers."),
    );
    const weights = matrices.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const attention = 12 * published.layers * 1024 * published.hidden;
    expect(speedrunFlopsPerToken(published, 1024, { predicted: 0 })).toBe(6 * weights + attention);
    expect(speedrunFlopsPerToken(published, 1024, { predicted: 1 })).toBe(
      6 * weights + attention + 6 * 33 * published.hidden,
    );
  });
});
