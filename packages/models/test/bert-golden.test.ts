/** BERT against the BertFor* classes of transformers: goldens of tooling/golden/bert.py. */
import { crossEntropy, grad, type Tensor } from "@cloze/graph";
import type { EncoderInputs, Scope } from "@cloze/nn";
import { bert, parseBertConfig } from "@cloze/models/bert";
import { headNames, headParameters, type Head } from "@cloze/models/families";
import { describe, expect, it } from "vitest";
import {
  base,
  compute,
  config,
  everyState,
  firstStates,
  gradients,
  model,
  packed,
  padded,
  parameters,
  variants,
  type Feeds,
} from "./bert-golden.ts";
import { floats, worst, type Encoded } from "./golden.ts";

const LOGITS = 1e-4;
/** Tolerance of |ours - theirs| / |theirs| over a parameter, both computed in f64. */
const GRADIENTS = 1e-5;

const rows = padded(base.batch);
const real = base.batch.mask.flat();
const { seq } = rows;
const isReal = (row: number): boolean => real[row] === 1;
const choices = padded({
  ids: base.choices.ids.flat(),
  types: base.choices.types.flat(),
  mask: base.choices.mask.flat(),
});
const labels = Object.keys(base.config["id2label"] as object).length;

/** A head's logits, by their names in transformers, and the width of their rows (1 where padding counts too). */
const HEADS: {
  readonly [H in Head]: {
    readonly on: Feeds;
    build(scope: Scope, inputs: EncoderInputs): Readonly<Record<string, Tensor<"f32">>>;
  };
} = {
  "masked-lm": {
    on: rows,
    build: (scope, inputs) => ({ logits: model.predict(scope, everyState(model, scope, inputs)) }),
  },
  "sentence-pair": {
    on: rows,
    build: (scope, inputs) => ({ logits: model.relate(scope, firstStates(model, scope, inputs)) }),
  },
  "masked-lm+sentence-pair": {
    on: rows,
    build: (scope, inputs) => ({
      prediction_logits: model.predict(scope, everyState(model, scope, inputs)),
      seq_relationship_logits: model.relate(scope, firstStates(model, scope, inputs)),
    }),
  },
  "sequence-classification": {
    on: rows,
    build: (scope, inputs) => ({ logits: model.classifySequence(scope, firstStates(model, scope, inputs), labels) }),
  },
  "token-classification": {
    on: rows,
    build: (scope, inputs) => ({ logits: model.classifyTokens(scope, everyState(model, scope, inputs), labels) }),
  },
  "question-answering": {
    on: rows,
    build(scope, inputs) {
      const spans = model.markSpan(scope, everyState(model, scope, inputs));
      return { start_logits: spans.slice(1, 0, 1), end_logits: spans.slice(1, 1, 2) };
    },
  },
  "multiple-choice": {
    on: choices,
    build: (scope, inputs) => ({ logits: model.scoreChoice(scope, firstStates(model, scope, inputs)) }),
  },
};

describe.each(headNames)("%s", (head) => {
  const theirs = base.heads[head];
  const { on, build } = HEADS[head];

  it("gives the logits of transformers, in f32 and in f64", () => {
    for (const precision of ["native", "f64"] as const) {
      const names: string[] = [];
      const values = compute(
        on,
        parameters(head),
        (scope, inputs) => {
          const built = build(scope, inputs);
          names.push(...Object.keys(built));
          return Object.values(built);
        },
        precision,
      );
      expect([...names].sort()).toEqual(Object.keys(theirs).sort());
      names.forEach((name, i) => {
        const expected = floats(theirs[name] as Encoded);
        const perToken = expected.length % real.length === 0 && on === rows && values[i]?.shape[0] === real.length;
        expect(
          worst(
            values[i]?.data ?? [],
            expected,
            perToken ? expected.length / real.length : expected.length,
            perToken ? isReal : undefined,
          ),
        ).toBeLessThan(LOGITS);
      });
    }
  });

  it("has the parameters of its class, and no others", () => {
    const ours = [...headParameters(model, head, labels)].map(([name, { shape }]) => [name, shape]);
    const belongs = (name: string): boolean =>
      name in parameters(head) && OF_CLASS[head].some((prefix) => name.startsWith(prefix));
    const shapes = Object.entries(base.weights).map(
      ([name, { shape }]) => [name.slice(name.indexOf(":") + 1), shape, name] as const,
    );
    const expected = shapes
      .filter(([name, , key]) => belongs(name) && (!key.includes(":") || key.startsWith(`${head}:`)))
      .map(([name, shape]) => [name, shape]);
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(expected));
  });
});

/** Prefixes of the parameters of each transformers class. */
const ENCODER = ["bert.embeddings", "bert.encoder"];
const MLM = "cls.predictions";
const NSP = "cls.seq_relationship";
const POOLER = "bert.pooler";
const OF_CLASS: Readonly<Record<Head, readonly string[]>> = {
  "masked-lm": [...ENCODER, MLM],
  "sentence-pair": [...ENCODER, POOLER, NSP],
  "masked-lm+sentence-pair": [...ENCODER, POOLER, MLM, NSP],
  "sequence-classification": [...ENCODER, POOLER, "classifier"],
  "token-classification": [...ENCODER, "classifier"],
  "question-answering": [...ENCODER, "qa_outputs"],
  "multiple-choice": [...ENCODER, POOLER, "classifier"],
};

describe("the encoder", () => {
  it("gives the hidden states, attention maps and pooled output of transformers", () => {
    const states = base.hidden_states.length;
    const ours = compute(rows, parameters("sentence-pair"), (scope, inputs) => {
      const { hiddenStates, attentions } = model.outputs(scope, inputs);
      return [...hiddenStates, ...attentions, model.pool(scope, firstStates(model, scope, inputs))];
    });
    base.hidden_states.forEach((theirs, i) =>
      expect(worst(ours[i]?.data ?? [], floats(theirs), config.hidden, isReal)).toBeLessThan(LOGITS),
    );
    const isRealQuery = (row: number): boolean => isReal(Math.floor(row / (config.heads * seq)) * seq + (row % seq));
    base.attentions.forEach((theirs, i) =>
      expect(worst(ours[states + i]?.data ?? [], floats(theirs), seq, isRealQuery)).toBeLessThan(LOGITS),
    );
    expect(worst(ours.at(-1)?.data ?? [], floats(base.pooled))).toBeLessThan(LOGITS);
  });

  it("gives each sequence of a packed row what it gives it alone", () => {
    const row = packed(base.batch);
    const lengths = base.batch.mask.map((mask) => mask.reduce((n, m) => n + m, 0));
    const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
    const [tokens, pairs] = compute(
      { ...row, feeds: { ...row.feeds, starts } },
      parameters("masked-lm+sentence-pair"),
      (scope, inputs, feed) => {
        const states = everyState(model, scope, inputs);
        return [model.predict(scope, states), model.relate(scope, states.gather(feed("starts")))];
      },
    );
    base.alone.forEach(({ prediction_logits: theirs, seq_relationship_logits: relation }, i) => {
      const from = (starts[i] as number) * config.vocab;
      const expected = floats(theirs);
      expect(worst(Array.from(tokens?.data ?? []).slice(from, from + expected.length), expected)).toBeLessThan(LOGITS);
      expect(worst(Array.from(pairs?.data ?? []).slice(2 * i, 2 * i + 2), floats(relation))).toBeLessThan(LOGITS);
    });
  });
});

describe.each(Object.keys(variants))("variant: %s", (name) => {
  it("gives the logits of transformers", () => {
    const { config: overrides, weights, logits } = variants[name] as (typeof variants)[string];
    const other = bert(parseBertConfig({ ...base.config, ...overrides }));
    const { types, ...feeds } = rows.feeds;
    const on = name === "no types" ? { ...rows, feeds } : { ...rows, feeds: { ...feeds, types: types ?? [] } };
    const [ours] = compute(on, parameters("masked-lm", weights), (scope, inputs) => [
      other.predict(scope, everyState(other, scope, inputs)),
    ]);
    expect(worst(ours?.data ?? [], floats(logits), config.vocab, isReal)).toBeLessThan(LOGITS);
    if (Object.keys(overrides).length > 0)
      expect(
        worst(floats(base.heads["masked-lm"]["logits"] as Encoded), floats(logits), config.vocab, isReal),
        "the variant is no other model",
      ).toBeGreaterThan(10 * LOGITS);
  });
});

describe("gradients, in f64", () => {
  const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
  const targetsOf = (head: Head): Readonly<Record<string, number[]>> =>
    Object.fromEntries(
      Object.entries(gradients.heads[head]?.targets ?? {}).map(([name, values]) => [name, values.flat()]),
    );
  /** Mean cross-entropy of the rows whose target is not -100. */
  const mean = (logits: Tensor<"f32">, targets: Tensor<"i32">): Tensor<"f32"> => {
    const counted = targets.greater(-1).cast("f32");
    return crossEntropy(logits, targets.max(0)).mul(counted).sum().div(counted.sum());
  };
  type Build = (scope: Scope, inputs: EncoderInputs, feed: (name: string) => Tensor<"i32">) => Tensor<"f32">;
  const losses: Readonly<Partial<Record<Head, { readonly on: Feeds; readonly build: Build }>>> = {
    "masked-lm+sentence-pair": {
      on: { ...rows, feeds: { ...rows.feeds, ids: gradients.ids.flat() } },
      build: (scope, inputs, feed) =>
        mean(model.predict(scope, everyState(model, scope, inputs)), feed("labels")).add(
          mean(model.relate(scope, firstStates(model, scope, inputs)), feed("next_sentence_label")),
        ),
    },
    "sequence-classification": {
      on: rows,
      build: (scope, inputs, feed) =>
        mean(model.classifySequence(scope, firstStates(model, scope, inputs), labels), feed("labels")),
    },
    "token-classification": {
      on: rows,
      build: (scope, inputs, feed) =>
        mean(model.classifyTokens(scope, everyState(model, scope, inputs), labels), feed("labels")),
    },
    "question-answering": {
      on: padded({
        ids: base.batch.ids.slice(0, 1),
        types: base.batch.types.slice(0, 1),
        mask: base.batch.mask.slice(0, 1),
      }),
      build(scope, inputs, feed) {
        const spans = model.markSpan(scope, everyState(model, scope, inputs));
        const half = (i: number): Tensor<"f32"> => spans.slice(1, i, i + 1).reshape([1, seq]);
        return mean(half(0), feed("start_positions"))
          .add(mean(half(1), feed("end_positions")))
          .mul(0.5);
      },
    },
    "multiple-choice": {
      on: choices,
      build: (scope, inputs, feed) =>
        mean(
          model.scoreChoice(scope, firstStates(model, scope, inputs)).reshape([base.choices.ids.length, -1]),
          feed("labels"),
        ),
    },
  };

  it.each(Object.keys(gradients.heads) as Head[])("of %s", (head) => {
    const { on, build } = losses[head] as NonNullable<(typeof losses)[Head]>;
    const { loss, gradients: theirs } = gradients.heads[head] as (typeof gradients.heads)[string];
    const names: string[] = [];
    const [value, ...ours] = compute(
      { ...on, feeds: { ...on.feeds, ...targetsOf(head) } },
      parameters(head),
      (scope, inputs, feed) => {
        const total = build(scope, inputs, feed);
        names.push(...scope.parameters.keys());
        return [
          total,
          ...grad(
            total,
            [...scope.parameters.values()].map((p): Tensor => p.tensor),
          ),
        ];
      },
      "f64",
    );
    expect(value?.data[0]).toBeCloseTo(loss, 5);
    const expected = Object.keys(theirs);
    expect(expected.length).toBeGreaterThan(2);
    for (const name of expected) {
      const i = names.indexOf(name);
      const got = ours[i]?.data ?? [];
      const want = floats(theirs[name] as Encoded);
      expect(got.length, name).toBe(want.length);
      // Softmax does not change when all scores grow by the same number: biases of keys, of places in an answer, of
      // choices.
      if (norm(want) < 1e-9) expect(norm(got), name).toBeLessThan(1e-9);
      else expect(norm(want.map((v, k) => v - (got[k] as number))) / norm(want), name).toBeLessThan(GRADIENTS);
    }
  });
});
