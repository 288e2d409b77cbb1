/** ModernBERT against the ModernBertFor* classes of transformers: goldens of tooling/golden/modernbert.py. */
import { crossEntropy, grad, type Tensor } from "@cloze/graph";
import type { EncoderInputs, Scope } from "@cloze/nn";
import { headParameters, type Head } from "@cloze/models/families";
import { modernBert, parseModernBertConfig, type ModernBert } from "@cloze/models/modernbert";
import { describe, expect, it } from "vitest";
import { compute, type Feeds } from "./bert-golden.ts";
import { floats, worst, type Encoded } from "./golden.ts";
import {
  base,
  config,
  everyState,
  gradients,
  model,
  packedRow,
  paddedRows,
  parameters,
  variants,
} from "./modernbert-golden.ts";

const LOGITS = 1e-4;
/** Tolerance of |ours - theirs| / |theirs| over a parameter, both computed in f64. */
const GRADIENTS = 1e-5;

const rows = paddedRows(base.batch);
const real = base.batch.mask.flat();
const { seq } = rows;
const isReal = (row: number): boolean => real[row] === 1;
const choices = paddedRows({ ids: base.choices.ids.flat(), mask: base.choices.mask.flat() });
const labels = Object.keys(base.config["id2label"] as object).length;

const firstStates = (of: ModernBert, scope: Scope, inputs: EncoderInputs): Tensor<"f32"> => {
  const [batch] = inputs.ids.shape as [number];
  return of.encode(scope, inputs).slice(1, 0, 1).reshape([batch, of.hidden]);
};

interface OnHead {
  readonly on: Feeds;
  /** Logits by the names of transformers. */
  build(scope: Scope, inputs: EncoderInputs): Readonly<Record<string, Tensor<"f32">>>;
}
const HEADS: Readonly<Record<string, OnHead>> = {
  "masked-lm": {
    on: rows,
    build: (scope, inputs) => ({ logits: model.predict(scope, everyState(model, scope, inputs)) }),
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

it("meets both kinds of layers, and a window shorter than the texts", () => {
  expect(config.reach).toEqual(["global", "local", "local", "global"]);
  expect(seq).toBeGreaterThan(2 * config.localWindow);
});

describe.each(Object.keys(HEADS) as Head[])("%s", (head) => {
  const theirs = base.heads[head] ?? {};
  const { on, build } = HEADS[head] as OnHead;

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
        const perToken = on === rows && values[i]?.shape[0] === real.length;
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
    const ours = Object.fromEntries([...headParameters(model, head, labels)].map(([name, { shape }]) => [name, shape]));
    const theirShapes = Object.entries(base.weights).filter(([name]) =>
      name.includes(":") ? name.startsWith(`${head}:`) : head === "masked-lm" || name !== "decoder.bias",
    );
    expect(ours).toEqual(
      Object.fromEntries(theirShapes.map(([name, { shape }]) => [name.slice(name.indexOf(":") + 1), shape])),
    );
  });
});

describe("the encoder", () => {
  it("gives the hidden states and attention maps of transformers", () => {
    const states = base.hidden_states.length;
    const ours = compute(rows, parameters("masked-lm"), (scope, inputs) => {
      const { hiddenStates, attentions } = model.outputs(scope, inputs);
      return [...hiddenStates, ...attentions];
    });
    expect(ours.length).toBe(states + base.attentions.length);
    base.hidden_states.forEach((theirs, i) =>
      expect(worst(ours[i]?.data ?? [], floats(theirs), config.hidden, isReal)).toBeLessThan(LOGITS),
    );
    const isRealQuery = (row: number): boolean => isReal(Math.floor(row / (config.heads * seq)) * seq + (row % seq));
    base.attentions.forEach((theirs, i) =>
      expect(worst(ours[states + i]?.data ?? [], floats(theirs), seq, isRealQuery)).toBeLessThan(LOGITS),
    );
  });

  it("gives each sequence of a packed row what it gives it alone", () => {
    const [tokens] = compute(packedRow(base.batch), parameters("masked-lm"), (scope, inputs) => [
      model.predict(scope, everyState(model, scope, inputs)),
    ]);
    let from = 0;
    for (const theirs of base.alone) {
      const expected = floats(theirs);
      expect(worst(Array.from(tokens?.data ?? []).slice(from, from + expected.length), expected)).toBeLessThan(LOGITS);
      from += expected.length;
    }
  });
});

describe.each(Object.keys(variants))("variant: %s", (name) => {
  it("gives the logits of transformers", () => {
    const { head, config: overrides, weights, logits } = variants[name] as (typeof variants)[string];
    const other = modernBert(parseModernBertConfig({ ...base.config, ...overrides }));
    const [ours] = compute(rows, parameters(head, weights), (scope, inputs) => {
      if (head === "masked-lm") return [other.predict(scope, everyState(other, scope, inputs))];
      const seen = inputs.segments.reshape([...inputs.segments.shape, 1]).cast("f32");
      const states = other.encode(scope, inputs);
      expect(other.pooling).toBe("mean");
      return [other.classifySequence(scope, states.mul(seen).sum(1).div(seen.sum(1)), labels)];
    });
    const perToken = head === "masked-lm";
    const width = perToken ? config.vocab : logits.shape.reduce((a, b) => a * b, 1);
    const use = perToken ? isReal : undefined;
    expect(worst(ours?.data ?? [], floats(logits), width, use)).toBeLessThan(LOGITS);
    expect(
      worst(floats(base.heads[head]?.["logits"] as Encoded), floats(logits), width, use),
      "the variant is no other model",
    ).toBeGreaterThan(10 * LOGITS);
  });
});

describe("gradients, in f64", () => {
  const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
  /** Mean cross-entropy of the rows whose target is not -100. */
  const mean = (logits: Tensor<"f32">, targets: Tensor<"i32">): Tensor<"f32"> => {
    const counted = targets.greater(-1).cast("f32");
    return crossEntropy(logits, targets.max(0)).mul(counted).sum().div(counted.sum());
  };
  type Feed = (name: string) => Tensor<"i32">;
  const losses: Readonly<
    Record<
      string,
      { readonly on: Feeds; readonly build: (scope: Scope, inputs: EncoderInputs, feed: Feed) => Tensor<"f32"> }
    >
  > = {
    "masked-lm": {
      on: { ...rows, feeds: { ...rows.feeds, ids: gradients.ids.flat() } },
      build: (scope, inputs, feed) => mean(model.predict(scope, everyState(model, scope, inputs)), feed("labels")),
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
      on: paddedRows({ ids: base.batch.ids.slice(0, 1), mask: base.batch.mask.slice(0, 1) }),
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

  it.each(Object.keys(losses))("of %s", (head) => {
    const { on, build } = losses[head] as (typeof losses)[string];
    const { loss, targets, gradients: theirs } = gradients.heads[head] as (typeof gradients.heads)[string];
    const names: string[] = [];
    const feeds = {
      ...on.feeds,
      ...Object.fromEntries(Object.entries(targets).map(([name, values]) => [name, values.flat()])),
    };
    const [value, ...ours] = compute(
      { ...on, feeds },
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
    expect(expected.length).toBe(head === "masked-lm" ? names.length : expected.length);
    expect(expected.length).toBeGreaterThan(10);
    for (const name of expected) {
      const got = ours[names.indexOf(name)]?.data ?? [];
      const want = floats(theirs[name] as Encoded);
      expect(got.length, name).toBe(want.length);
      // Softmax does not change when all scores grow by the same number: biases of places in an answer, of choices.
      if (norm(want) < 1e-9) expect(norm(got), name).toBeLessThan(1e-9);
      else expect(norm(want.map((v, k) => v - (got[k] as number))) / norm(want), name).toBeLessThan(GRADIENTS);
    }
  });
});
