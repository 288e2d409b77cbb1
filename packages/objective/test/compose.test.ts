import { Graph, interpret, type Tensor } from "@cloze/graph";
import { initialize, rootScope } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import {
  checkModel,
  composeObjectives,
  feedTypes,
  hasPart,
  missingMethods,
  PART_METHODS,
  sentencePairObjective,
  shareFeeds,
  totalLoss,
  unionOfParts,
  type ModelPart,
  type Objective,
} from "../src/index.ts";
import { kitBatch, kitModel, kitPairs, kitTokens } from "../src/kit.ts";

/** Predicts every token of a row, from ids that are shifted by `change`. */
function everyToken(name: string, change: number, more: Partial<Objective> = {}): Objective {
  return {
    name,
    requires: "masked-lm",
    options: { change },
    prepare(batch) {
      const shape = [batch.ids.length];
      const ids =
        change === 0
          ? batch.ids.slice()
          : batch.ids.map((id, i) => (batch.segments[i] === 0 ? id : (id + change) % 17));
      const weight = Float32Array.from(batch.segments, (s) => (s > 0 ? 1 : 0));
      const of = (data: Int32Array): { dtype: "i32"; shape: number[]; data: Int32Array } => ({
        dtype: "i32",
        shape: [batch.rows, batch.length],
        data,
      });
      return {
        feeds: {
          ids: of(ids),
          segments: of(batch.segments),
          positions: of(batch.positions),
          ...(batch.types && { types: of(batch.types) }),
          target: { dtype: "i32", shape, data: batch.ids },
          weight: { dtype: "f32", shape, data: weight },
        },
        weights: { loss: weight.reduce((n, w) => n + w, 0) },
      };
    },
    loss(scope, model, feeds) {
      const { ids, segments, positions, target, weight } = feeds as Readonly<
        Record<"ids" | "segments" | "positions" | "target", Tensor<"i32">>
      > & { readonly weight: Tensor<"f32"> };
      if (!hasPart(model, "masked-lm")) throw new Error("no masked-lm");
      const states = model.encode(scope, { ids, segments, positions }).reshape([-1, model.hidden]);
      const right = model.predict(scope, states).argMax(-1).equal(target).cast("f32");
      return {
        loss: { sum: states.square().sum(-1).mul(weight).sum(), weight: weight.sum() },
        metrics: { accuracy: { sum: right.mul(weight).sum(), weight: weight.sum() } },
      };
    },
    ...more,
  };
}
const pairs = (name = "nsp", second: "random" | "swapped" = "random"): Objective => sentencePairObjective(name, second);
const moment = { seed: 0, step: 0, evaluation: false };

describe("composeObjectives", () => {
  const batch = kitPairs(4, 3, 24, 2);

  it(
    "unites feeds: what a part reads of its own has its name, what the model reads is there once, as the one that " +
      "changes it has it",
    () => {
      const both = composeObjectives([pairs(), everyToken("shift", 1)]);
      const { feeds, weights } = both.prepare(batch, moment);
      expect(both).toMatchObject({
        name: "nsp+shift",
        requires: "masked-lm+sentence-pair",
        rows: { kind: "sentence-pairs", second: "random" },
        options: { nsp: {}, shift: { change: 1 } },
      });
      expect(Object.keys(feeds)).toEqual([
        "ids",
        "segments",
        "positions",
        "types",
        "nsp/slots.index",
        "nsp/slots.target",
        "nsp/slots.weight",
        "shift/target",
        "shift/weight",
      ]);
      expect(feeds["ids"]?.data).toEqual(everyToken("shift", 1).prepare(batch, moment).feeds["ids"]?.data);
      expect(feeds["ids"]?.data).not.toEqual(batch.ids);
      expect(weights).toEqual({ loss: 5, shift: batch.sequences.reduce((n, s) => n + s.length, 0) });
    },
  );

  it("is the sum of the means, each weighed by its factor, and names the terms in the metrics", () => {
    const parts = [everyToken("shift", 1), pairs()];
    const both = composeObjectives(parts, { factors: { nsp: 0.5 } });
    const value = (objective: Objective): Record<string, number> => {
      const made = objective.prepare(batch, moment);
      const prepared = { feeds: { ...made.feeds, ...shareFeeds([made]) } };
      const graph = new Graph();
      const scope = rootScope(graph);
      const feeds: Record<string, Tensor> = {};
      for (const [name, { dtype, shape }] of Object.entries(feedTypes(prepared)))
        feeds[name] = graph.input(name, dtype, shape);
      const terms = objective.loss(scope, kitModel(kitTokens.vocabulary.length), feeds);
      const { sum, weight = graph.const(1, "f32") } = totalLoss(terms, feeds);
      const env: Record<string, ArrayLike<number>> = Object.fromEntries(
        [...Object.entries(initialize(scope.parameters, 1)), ...Object.entries(prepared.feeds)].map(
          ([name, { data }]) => [name, data],
        ),
      );
      const asked = {
        total: sum.div(weight),
        ...Object.fromEntries(
          Object.entries(terms.metrics).map(([name, metric]) => [name, metric.sum.div(metric.weight)]),
        ),
      };
      const values = interpret(Object.values(asked), env, { precision: "f64" });
      return Object.fromEntries(Object.keys(asked).map((name, i) => [name, values[i]?.data[0] as number]));
    };
    // The pair objective alone sees the original ids. Its expected value comes from a composition with the shift.
    const shift = value(everyToken("shift", 1));
    const related = value(composeObjectives([pairs(), everyToken("shift", 1)]));
    const whole = value(both);
    expect(whole["total"]).toBeCloseTo((shift["total"] as number) + 0.5 * (related["nsp.loss"] as number), 6);
    expect(whole).toMatchObject({
      accuracy: shift["accuracy"],
      "shift.loss": shift["total"],
      "nsp.loss": related["nsp.loss"],
      "nsp.accuracy": related["accuracy"],
    });
  });

  it("gives one objective back as it is", () => {
    const one = pairs();
    expect(composeObjectives([one])).toBe(one);
  });

  it.each<[string, () => unknown, RegExp]>([
    ["nothing", () => composeObjectives([]), /at least one objective, got none/],
    [
      "a part twice",
      () => composeObjectives([pairs(), pairs()]),
      /^objective nsp\+nsp: expected each part once, got nsp twice\./,
    ],
    [
      "pairs of two kinds",
      () => composeObjectives([pairs(), pairs("sop", "swapped")]),
      /^objective nsp\+sop: expected parts that read the same rows, got nsp with random and sop with swapped second texts\./,
    ],
    [
      "parts of no one model",
      () => composeObjectives([pairs(), everyToken("tag", 0, { requires: "token-classification" })]),
      /^objective nsp\+tag: expected parts that one model has together, got sentence-pair and token-classification\./,
    ],
    [
      "a factor of the first",
      () => composeObjectives([everyToken("a", 0), everyToken("b", 0)], { factors: { a: 2 } }),
      /factors: expected b, got "a"\. The first part counts once/,
    ],
    [
      "a factor of nothing",
      () => composeObjectives([everyToken("a", 0), everyToken("b", 0)], { factors: { b: 0 } }),
      /expected a number above 0 for b, got 0/,
    ],
  ])("refuses %s", (_, compose, message) => expect(compose).toThrow(message));

  it.each<[string, Objective[], RegExp]>([
    [
      "two that change the ids",
      [everyToken("a", 1), everyToken("b", 2)],
      /^objective a\+b: expected one part to change ids, got a and b\./,
    ],
    [
      "a part that names no weight",
      [
        everyToken("a", 1),
        { ...everyToken("b", 0), prepare: (given, at) => ({ feeds: everyToken("b", 0).prepare(given, at).feeds }) },
      ],
      /expected the weight of its loss from b, got none/,
    ],
    [
      "a part of another shape",
      [
        everyToken("a", 0),
        { ...everyToken("b", 0), prepare: () => everyToken("b", 0).prepare(kitBatch(1, 2, 24, 2), moment) },
      ],
      /but b changes that of ids/,
    ],
  ])("refuses, of a batch, %s", (_, parts, message) =>
    expect(() => composeObjectives(parts).prepare(batch, moment)).toThrow(message),
  );
});

describe("shareFeeds", () => {
  it("divides by what all parts weigh together, and by nothing where there is one term", () => {
    const of = (loss: number, nsp: number): { feeds: object; weights: Record<string, number> } => ({
      feeds: {},
      weights: { loss, nsp },
    });
    const shares = shareFeeds([of(3, 0), of(5, 0)].map((p) => ({ ...p, feeds: {} })));
    expect(Object.fromEntries(Object.entries(shares).map(([name, { data }]) => [name, data[0]]))).toEqual({
      "loss.share.loss": 0.125,
      "loss.share.nsp": 0,
    });
    expect(shareFeeds([{ feeds: {}, weights: { loss: 4 } }, { feeds: {} }])).toEqual({});
  });

  it("is missed by name", () => {
    const graph = new Graph();
    const one = { sum: graph.const(1, "f32"), weight: graph.const(1, "f32") };
    expect(() => totalLoss({ loss: one, further: { nsp: { ...one, factor: 1 } }, metrics: {} }, {})).toThrow(
      /expected prepare to give its weight/,
    );
  });
});

describe("parts of models", () => {
  it("are had or missed", () => {
    const { relate: _, ...model } = kitModel(17);
    expect(hasPart(model, "masked-lm")).toBe(true);
    expect(missingMethods(model, "masked-lm+sentence-pair")).toEqual(["relate"]);
    expect(() => checkModel(pairs(), model, "esm2-8m")).toThrow(
      /^objective nsp: expected a model with sentence-pair, got esm2-8m, which has no relate\. Choose/,
    );
    expect(() => checkModel({ name: "odd", requires: "magic" as ModelPart }, model, "x")).toThrow(
      /^objective odd: expected it to require one of masked-lm, .+, got "magic"\./,
    );
    for (const part of Object.keys(PART_METHODS) as ModelPart[]) expect(missingMethods(kitModel(17), part)).toEqual([]);
  });

  it("unite where one part has them all", () => {
    expect(unionOfParts(["masked-lm"], "x")).toBe("masked-lm");
    expect(unionOfParts(["sentence-pair", "masked-lm", "sentence-pair"], "x")).toBe("masked-lm+sentence-pair");
    expect(() => unionOfParts(["masked-lm", "multiple-choice"], "x")).toThrow(
      /^x: expected parts that one model has together/,
    );
  });
});
