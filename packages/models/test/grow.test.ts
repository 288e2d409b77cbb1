/** Larger models from smaller models: the place of each weight, and the values that must stay the same, by family. */
import { Graph, interpret, type HostTensors } from "@cloze/graph";
import { encoderInputs, initialize, maskedLmParameters, rootScope } from "@cloze/nn";
import {
  headNames,
  headParameters,
  hasHead,
  openModel,
  publishedConfig,
  publishedNames,
  type OpenedModel,
} from "@cloze/models/families";
import { evenly, growWeights } from "@cloze/models/grow";
import { describe, expect, it } from "vitest";
import { axisRules } from "../src/grow/axes.ts";
import { tileAxis, tileMatrix } from "../src/grow/tile.ts";

describe("tiling from the middle", () => {
  it("puts what was there in the middle, and its copies to both sides", () => {
    expect([...tileAxis([3], [7], "x")]).toEqual([1, 2, 0, 1, 2, 0, 1]);
    expect([...tileAxis([4], [5], "x")]).toEqual([0, 1, 2, 3, 0]);
    const [rows, columns] = [tileAxis([1], [2], "x"), tileAxis([2], [4], "x")];
    expect([...tileMatrix([5, 6], 2, [rows, columns])]).toEqual([6, 5, 6, 5, 6, 5, 6, 5]);
  });

  it("leaves heads whole, in each of several parts", () => {
    // q and k, of two heads with three channels: four heads each.
    expect([...tileAxis([2, 2, 3], [2, 4, 3], "x")]).toEqual(
      [
        [3, 4, 5],
        [0, 1, 2],
        [3, 4, 5],
        [0, 1, 2],
      ]
        .flat()
        .concat(
          [
            [9, 10, 11],
            [6, 7, 8],
            [9, 10, 11],
            [6, 7, 8],
          ].flat(),
        ),
    );
  });

  it("keeps channels together that turn together, where heads grow", () => {
    // Two channels in each half of a head, then four. The second half repeats the first half, two channels further on.
    const places = [...tileAxis([1, 2, 2], [1, 2, 4], "x")];
    expect(places.slice(4)).toEqual(places.slice(0, 4).map((place) => place + 2));
  });

  it("is the formula on every size", () => {
    for (let n = 1; n <= 6; n++) {
      for (let N = n; N <= 20; N++) {
        const places = tileAxis([n], [N], "x");
        const o = Math.floor((N - n) / 2);
        expect(Array.from(places.slice(o, o + n))).toEqual(Array.from({ length: n }, (_, i) => i));
        for (let j = n; j < N; j++) expect(places[j]).toBe(places[j - n]);
      }
    }
  });

  it("refuses to shrink", () => {
    expect(() => tileAxis([2, 4], [4, 2], "w")).toThrow(
      "w: expected at least the size of the small model, [2, 4], got [4, 2]. A model can only grow",
    );
  });
});

describe("layers", () => {
  it("are taken evenly, in order, and all of them", () => {
    expect(evenly(3, 6)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(evenly(2, 6)).toEqual([0, 0, 0, 1, 1, 1]);
    for (let n = 1; n <= 12; n++) {
      for (let N = n; N <= 30; N++) {
        const taken = evenly(n, N);
        const times = Array.from({ length: n }, (_, k) => taken.filter((each) => each === k).length);
        expect([...taken].sort((a, b) => a - b)).toEqual(taken);
        expect([Math.min(...times), Math.max(...times)]).toEqual([Math.floor(N / n), Math.ceil(N / n)]);
      }
    }
  });

  it("of ModernBERT-large are those of its authors but for three", () => {
    // round(i * 22 / 28), ties to even.
    const theirs = [0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11, 12, 13, 13, 14, 15, 16, 16, 17, 18, 19, 20, 20, 21];
    expect(evenly(22, 28).flatMap((layer, i) => (layer === theirs[i] ? [] : [i]))).toEqual([2, 7, 16]);
  });
});

const SIZES = {
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 32,
  vocab_size: 11,
  pad_token_id: 0,
  mask_token_id: 4,
};
const SMALL: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  bert: { ...SIZES, model_type: "bert", initializer_range: 0.5 },
  "bert, untied": { ...SIZES, model_type: "bert", tie_word_embeddings: false, initializer_range: 0.5 },
  esm: {
    ...SIZES,
    model_type: "esm",
    position_embedding_type: "rotary",
    token_dropout: true,
    emb_layer_norm_before: true,
    initializer_range: 0.5,
  },
  "esm, untied": {
    ...SIZES,
    model_type: "esm",
    position_embedding_type: "rotary",
    tie_word_embeddings: false,
    initializer_range: 0.5,
  },
  modernbert: {
    ...SIZES,
    model_type: "modernbert",
    local_attention: 4,
    initializer_range: 0.5,
    norm_bias: true,
    attention_bias: true,
    mlp_bias: true,
    classifier_bias: true,
  },
  "modernbert, untied": { ...SIZES, model_type: "modernbert", tie_word_embeddings: false, initializer_range: 0.5 },
  cloze_speedrun: { ...SIZES, model_type: "cloze_speedrun" },
  "cloze_speedrun, dense": { ...SIZES, model_type: "cloze_speedrun", head_dense: true },
  AMPLIFY: {
    ...SIZES,
    model_type: "AMPLIFY",
    embedding_init_range: 1,
    decoder_init_range: 0.8,
    att_bias: true,
    ffn_bias: true,
    layer_norm_after_embedding: true,
  },
  neobert: { ...SIZES, model_type: "neobert", embedding_init_range: 1, decoder_init_range: 0.8 },
};
/**
 * Twice the width and twice the number of heads; the heads keep their size. The gated blocks are twice as wide too (12
 * -> 8, 24 -> 16).
 */
const twice = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  ...config,
  hidden_size: 16,
  num_attention_heads: 4,
  intermediate_size: 24,
});

/** Weights of a model without the values 0 and 1: noise moves these initial values. */
function weightsOf({ model }: OpenedModel, seed = 1): HostTensors {
  const first = initialize(maskedLmParameters(model), seed);
  const noise = initialize(
    new Map(
      [...maskedLmParameters(model)].map(([name, { shape }]) => [
        name,
        { shape, init: { kind: "normal", std: 0.3 } as const },
      ]),
    ),
    seed + 1,
  );
  return Object.fromEntries(
    Object.entries(first).map(([name, tensor]) => [
      name,
      { ...tensor, data: Float32Array.from(tensor.data as Float32Array, (x, i) => x + (noise[name]?.data[i] ?? 0)) },
    ]),
  );
}

const ids = [2, 7, 9, 4, 10, 5, 4, 6, 8, 3];
function logits({ model }: OpenedModel, weights: HostTensors): readonly number[] {
  const graph = new Graph();
  const scope = rootScope(graph);
  const states = model.encode(scope, encoderInputs(graph, 1, ids.length));
  const feeds = { ids, segments: ids.map(() => 1), positions: ids.map((_, i) => i) };
  const [value] = interpret(
    [model.predict(scope, states.reshape([-1, model.hidden]))],
    { ...Object.fromEntries(Object.entries(weights).map(([name, { data }]) => [name, data])), ...feeds },
    { precision: "f64" },
  );
  return Array.from(value?.data ?? []);
}
const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? Number.NaN))));

describe.each(Object.keys(SMALL))("%s", (name) => {
  const config = SMALL[name] ?? {};

  it("of twice the width computes what the small one did", async () => {
    const small = await openModel(config);
    const big = await openModel(twice(config));
    const weights = weightsOf(small);
    const grown = growWeights({ ...small, weights }, big, maskedLmParameters(big.model), { seed: 1 });
    const before = logits(small, weights);
    expect([grown.fresh, grown.layers]).toEqual([[], [0, 1]]);
    expect(distance(logits(big, grown.weights), before)).toBeLessThan(1e-4);
    expect(Math.max(...before) - Math.min(...before)).toBeGreaterThan(0.5);
    // With tiling alone, sums grow: the function changes.
    expect(
      distance(
        logits(
          big,
          growWeights({ ...small, weights }, big, maskedLmParameters(big.model), { seed: 1, keepSums: false }).weights,
        ),
        before,
      ),
    ).toBeGreaterThan(1e-2);
  });

  it("holds the small one's numbers in the middle of every tensor, undivided where sums may grow", async () => {
    const small = await openModel(config);
    const big = await openModel({
      ...twice(config),
      num_hidden_layers: 4,
      hidden_size: 24,
      num_attention_heads: 6,
      intermediate_size: 48,
    });
    const weights = weightsOf(small);
    const { weights: grown, layers } = growWeights({ ...small, weights }, big, maskedLmParameters(big.model), {
      seed: 1,
      keepSums: false,
    });
    expect(layers).toEqual([0, 0, 1, 1]);
    for (const [parameter, { shape, data }] of Object.entries(grown)) {
      const source =
        weights[
          parameter
            .replace(
              /(layers?|transformer_encoder)\.(\d)/,
              (_, list: string, i: string) => `${list}.${layers[Number(i)]}`,
            )
            .replace(/values\.\d/, "values.0")
        ];
      if (source === undefined) {
        // The first layer of ModernBERT has no such norm, and the second layer starts from the first.
        expect([parameter, new Set(data)]).toEqual([
          `model.layers.1.attn_norm.${parameter.endsWith("weight") ? "weight" : "bias"}`,
          new Set([parameter.endsWith("weight") ? 1 : 0]),
        ]);
        continue;
      }
      expect(shape.length).toBe(source.shape.length);
      // Every number comes from the small tensor, and all of the small tensor's numbers occur.
      expect(new Set(data), parameter).toEqual(new Set(source.data));
    }
  });
});

it("places every weight of a matrix by the formula: AMPLIFY from 8 to 12, 2 heads to 3", async () => {
  const config = { ...SMALL["AMPLIFY"], num_hidden_layers: 1 };
  const small = await openModel(config);
  const big = await openModel({ ...config, hidden_size: 12, num_attention_heads: 3, intermediate_size: 36 });
  const weights = weightsOf(small);
  const { weights: grown } = growWeights({ ...small, weights }, big, maskedLmParameters(big.model), { seed: 1 });
  const from = (name: string): ArrayLike<number> => weights[`transformer_encoder.0.${name}.weight`]?.data ?? [];
  const at = (i: number, was: number, is: number): number => (((i - Math.floor((is - was) / 2)) % was) + was) % was;
  const head = (i: number): number => at(Math.floor(i / 4), 2, 3) * 4 + (i % 4);
  const plain = (i: number): number => at(i, 8, 12);
  const wide = (i: number): number => at(i, 8, 24);
  const times = (map: (i: number) => number, size: number, place: number): number =>
    Array.from({ length: size }, (_, i) => map(i)).filter((each) => each === place).length;
  const cases: readonly (readonly [
    name: string,
    rows: number,
    columns: number,
    row: (i: number) => number,
    column: (i: number) => number,
    from: number,
  ])[] = [
    ["q", 12, 12, head, plain, 8],
    ["wo", 12, 12, plain, head, 8],
    ["ffn.w12", 48, 12, (i) => Math.floor(i / 24) * 8 + wide(i % 24), plain, 8],
    ["ffn.w3", 12, 24, plain, wide, 8],
  ];
  for (const [name, rows, columns, row, column, width] of cases) {
    const expected = Array.from({ length: rows * columns }, (_, k) =>
      Math.fround(
        (from(name)[row(Math.floor(k / columns)) * width + column(k % columns)] as number) /
          times(column, columns, column(k % columns)),
      ),
    );
    expect(Array.from(grown[`transformer_encoder.0.${name}.weight`]?.data ?? []), name).toEqual(expected);
  }
});

describe("growWeights", () => {
  const grow = async (from: object, to: object): Promise<unknown> => {
    const small = await openModel(from);
    const big = await openModel(to);
    return growWeights({ ...small, weights: weightsOf(small) }, big, maskedLmParameters(big.model), { seed: 1 });
  };
  const { bert = {}, neobert = {} } = SMALL;

  it.each([
    [bert, neobert, "grow: expected two models of one family, got bert and neobert. Choose a larger bert."],
    [
      bert,
      { ...twice(bert), vocab_size: 12 },
      "expected the same vocabulary, positions and labels, [11, 8], got [12, 16]",
    ],
    [twice(bert), bert, "expected at least the size of the small model"],
    [
      bert,
      { ...twice(bert), num_attention_heads: 1 },
      "expected at least the size of the small model, [2, 4], got [1, 16]",
    ],
  ])("refuses what cannot be: %#", async (from, to, message) => {
    await expect(grow(from, to)).rejects.toThrow(message);
  });

  it("with noise moves every matrix a little, copies apart from each other, and by the seed", async () => {
    const config = SMALL["neobert"] ?? {};
    const small = await openModel(config);
    const big = await openModel(twice(config));
    const weights = weightsOf(small);
    const wanted = maskedLmParameters(big.model);
    const grown = (noise: number, seed: number): HostTensors =>
      growWeights({ ...small, weights }, big, wanted, { seed, noise }).weights;
    const plain = grown(0, 1);
    const moved = grown(0.01, 1);
    const name = "model.encoder.weight";
    expect(moved["model.layer_norm.weight"]).toEqual(plain["model.layer_norm.weight"]);
    expect(
      Math.max(
        ...Array.from(plain[name]?.data ?? [], (x, i) => Math.abs((moved[name]?.data[i] ?? Number.NaN) / x - 1)),
      ),
    ).toBeLessThan(0.07);
    expect(new Set(plain[name]?.data).size).toBe(11 * 8);
    expect(new Set(moved[name]?.data).size).toBe(11 * 16);
    expect(grown(0.01, 1)).toEqual(moved);
    expect(grown(0.01, 2)).not.toEqual(moved);
  });

  it("knows every parameter of every published model", async () => {
    for (const name of await publishedNames()) {
      const { family, model, extraParameters } = await openModel(await publishedConfig(name));
      const pretrained = headNames.filter(
        (head) => (head === "masked-lm" || head.includes("sentence-pair")) && hasHead(model, head),
      );
      for (const parameter of [
        ...pretrained.flatMap((head) => [...headParameters(model, head, 2).keys()]),
        ...extraParameters.keys(),
      ]) {
        expect(
          (axisRules[family]?.() ?? []).some((rule) => rule.name.test(parameter)),
          parameter,
        ).toBe(true);
      }
    }
  });
});
