/** The same parameters under another window or rotary base. */
import { ConfigError } from "@cloze/errors";
import { Graph, interpret } from "@cloze/graph";
import { encoderInputs, initialize, maskedLmParameters, rootScope } from "@cloze/nn";
import { openModel, type OpenedModel, type OpenOptions, type Variation } from "@cloze/models/families";
import { describe, expect, it } from "vitest";

const size = {
  vocab_size: 33,
  pad_token_id: 1,
  mask_token_id: 32,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 34,
};
const configs = {
  esm: {
    model_type: "esm",
    position_embedding_type: "rotary",
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    ...size,
  },
  modernbert: { model_type: "modernbert", global_attn_every_n_layers: 2, local_attention: 64, ...size },
  speedrun: { model_type: "cloze_speedrun", ...size },
  bert: { model_type: "bert", ...size },
} as const;

const ids = [0, 20, 15, 4, 5, 19, 7, 2];

/** Hidden states `[8, hidden]`, with parameters far from zero. */
function states({ model }: OpenedModel, tokens: readonly number[] = ids): number[] {
  const graph = new Graph();
  const scope = rootScope(graph);
  const out = model.encode(scope, encoderInputs(graph, 1, tokens.length));
  const parameters = Object.fromEntries(
    [...scope.parameters].map(([name, { shape }]) => [
      name,
      Array.from(
        initialize(new Map([[name, { shape, init: { kind: "normal", std: 0.6 } as const }]]), 1)[name]?.data ?? [],
      ),
    ]),
  );
  const feeds = { ids: tokens, segments: tokens.map(() => 1), positions: tokens.map((_, i) => i) };
  return Array.from(interpret([out], { ...parameters, ...feeds }, { precision: "f64" })[0]?.data ?? []);
}

const names = ({ model }: OpenedModel): string[] =>
  [...maskedLmParameters(model)].map(([name, { shape }]) => `${name} ${shape.join("x")}`);
const open = (family: keyof typeof configs, more: object = {}, options: OpenOptions = {}): Promise<OpenedModel> =>
  openModel({ ...configs[family], ...more }, options);

describe.each([
  ["speedrun", { window: 1 }, { window: 1 }],
  ["speedrun", { ropeBase: 7 }, { rope_theta: 7 }],
  ["speedrun", { window: 2, ropeBase: 7 }, { window: 2, rope_theta: 7 }],
  ["modernbert", { window: 2 }, { local_attention: 2 }],
  [
    "modernbert",
    { ropeBase: 7 },
    {
      rope_parameters: {
        full_attention: { rope_type: "default", rope_theta: 7 },
        sliding_attention: { rope_type: "default", rope_theta: 10_000 },
      },
    },
  ],
  ["esm", { ropeBase: 7 }, { rope_theta: 7 }],
] as const satisfies readonly (readonly [keyof typeof configs, Variation, object])[])(
  "%s varied by %o",
  (family, settings, keys) => {
    it("is what its own config.json opens, of the same parameters, and another model", async () => {
      const plain = await open(family);
      const varied = plain.vary(settings);
      const text = JSON.parse(varied.configText()) as object;
      const again = await openModel(text);
      expect(text).toMatchObject(keys);
      expect(names(varied)).toEqual(names(plain));
      expect(states(varied)).toEqual(states(again));
      expect(states(varied)).not.toEqual(states(plain));
      expect(states(varied.vary({}))).toEqual(states(varied));
      expect(JSON.parse(varied.configText())).toEqual({ ...(JSON.parse(plain.configText()) as object), ...keys });
    });

    it("keeps the head, the labels and how it starts", async () => {
      const labels = { id2label: { 0: "no", 1: "yes", 2: "maybe" } };
      const plain = await open(family, labels, { zeroInitHead: true });
      const varied = plain.vary(settings);
      expect([varied.labels, varied.head, varied.maxLength, varied.padId]).toEqual([
        plain.labels,
        plain.head,
        plain.maxLength,
        plain.padId,
      ]);
      const inits = ({ model }: OpenedModel): unknown[] =>
        [...maskedLmParameters(model).values()].map(({ init }) => init);
      expect(inits(varied)).toEqual(inits(plain));
    });
  },
);

it("a window of one layer is the largest distance that is felt", async () => {
  const changed = [...ids.slice(0, 6), 9, 2];
  const hidden = size.hidden_size;
  for (const window of [1, 3]) {
    const { vary } = await open("speedrun", { num_hidden_layers: 1, unet: false, value_embeddings: false });
    const model = vary({ window });
    const [before, after] = [states(model), states(model, changed)];
    const felt = ids.filter((_, i) =>
      before.slice(i * hidden, (i + 1) * hidden).some((v, c) => v !== after[i * hidden + c]),
    );
    expect(felt).toEqual(ids.slice(6 - window));
  }
  expect(states((await open("speedrun", { window: 3 })).vary({ window: 0 }))).toEqual(states(await open("speedrun")));
});

it("frequencies of a checkpoint belong to its own base", async () => {
  const stored = await open("esm", {}, { ropeFrequencies: [1, 0.25] });
  const plain = await open("esm");
  expect(states(stored)).not.toEqual(states(plain));
  expect(states(stored.vary({ ropeBase: 10_000 }))).toEqual(states(stored));
  expect(states(stored.vary({ ropeBase: 7 }))).toEqual(states(plain.vary({ ropeBase: 7 })));
});

it.each([
  [
    "bert",
    { window: 8 },
    "bert: expected no setting to vary, since it has no window and no rotary base, got window 8.",
  ],
  [
    "bert",
    { ropeBase: 8 },
    "bert: expected no setting to vary, since it has no window and no rotary base, got ropeBase 8.",
  ],
  ["esm", { window: 8 }, "esm: expected ropeBase, which may vary, got window 8."],
  ["speedrun", { window: 1.5 }, "speedrun: expected window to be a whole number from 0 (any distance), got 1.5."],
  ["speedrun", { ropeBase: 0 }, "speedrun: expected ropeBase above 0, got 0."],
  ["modernbert", { window: 0 }, "modernbert: expected localWindow to be a whole number above 0, got 0."],
] as const)("%s refuses %o", async (family, settings, message) => {
  const plain = await open(family);
  expect(() => plain.vary(settings)).toThrow(message);
  expect(() => plain.vary(settings)).toThrow(ConfigError);
  expect(plain.vary({}).configText()).toBe(plain.configText());
});
