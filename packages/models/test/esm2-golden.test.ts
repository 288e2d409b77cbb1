/** ESM-2 against transformers' EsmForMaskedLM: goldens of tooling/golden/esm2.py. */
import { crossEntropy, grad, type Tensor } from "@cloze/graph";
import { encoderInputs, parametersOf } from "@cloze/nn";
import { esm2 } from "@cloze/models/esm2";
import { describe, expect, it } from "vitest";
import { compute, floats, golden, goldenNames, logits, packed, padded, worst } from "./golden.ts";

const LOGITS = 1e-4;
/** Tolerance of |ours - theirs| / |theirs|, over a parameter. */
const GRADIENTS = 1e-3;

describe.each(goldenNames)("%s", (name) => {
  const g = golden(name);
  const rows = padded(g);
  const real = g.attention_mask.flat();
  const isReal = (row: number): boolean => real[row] === 1;

  it("declares the parameters of the checkpoint, by name and shape", () => {
    const ours = parametersOf((scope) => {
      const inputs = encoderInputs(scope.graph, 1, 4);
      const { last, attentions } = g.model.outputs(scope, inputs);
      g.model.predict(scope, last.reshape([-1, g.model.hidden]));
      g.model.contacts(scope, inputs, attentions);
    });
    const shapes = Object.fromEntries(Object.entries(g.weights).map(([key, { shape }]) => [key, shape]));
    expect(Object.fromEntries([...ours.values()].map((p) => [p.name, p.shape]))).toEqual(shapes);
  });

  it("gives the same logits, in f32 and in f64", () => {
    for (const precision of ["native", "f64"] as const) {
      const [ours] = compute(g, rows, (scope, inputs) => [logits(g, scope, inputs)], precision);
      expect(worst(ours?.data ?? [], floats(g.logits), g.parsed.vocab, isReal)).toBeLessThan(LOGITS);
    }
  });

  it("gives each sequence of a packed row the logits it has alone", () => {
    const row = packed(g, g.parsed.padTokenId);
    const [ours] = compute(g, row, (scope, inputs) => [logits(g, scope, inputs)]);
    let at = 0;
    for (const alone of g.alone) {
      const theirs = floats(alone);
      expect(worst(Array.from(ours?.data ?? []).slice(at, at + theirs.length), theirs)).toBeLessThan(LOGITS);
      at += theirs.length;
    }
  });

  it("gives the same hidden states and attention maps", () => {
    const states = g.hidden_states.length;
    const { heads } = g.parsed;
    const ours = compute(g, rows, (scope, inputs) => {
      const { hiddenStates, attentions } = g.model.outputs(scope, inputs);
      return [...hiddenStates, ...attentions];
    });
    expect(ours.length).toBe(states + g.attentions.length);
    g.hidden_states.forEach((theirs, i) =>
      expect(worst(ours[i]?.data ?? [], floats(theirs), g.parsed.hidden, isReal)).toBeLessThan(LOGITS),
    );
    const isRealQuery = (row: number): boolean =>
      isReal(Math.floor(row / (heads * rows.seq)) * rows.seq + (row % rows.seq));
    g.attentions.forEach((theirs, i) =>
      expect(worst(ours[states + i]?.data ?? [], floats(theirs), rows.seq, isRealQuery)).toBeLessThan(LOGITS),
    );
  });

  it("gives the same contacts", () => {
    const [ours] = compute(g, rows, (scope, inputs) => [
      g.model.contacts(scope, inputs, g.model.outputs(scope, inputs).attentions),
    ]);
    expect(ours?.shape).toEqual(g.contacts.shape);
    expect(worst(ours?.data ?? [], floats(g.contacts))).toBeLessThan(LOGITS);
  });

  it("gives the same loss and the same gradient of every parameter", () => {
    const targets = g.labels.flat().flatMap((label, at) => (label < 0 ? [] : [{ label, at }]));
    const names: string[] = [];
    const [loss, ...gradients] = compute(
      g,
      {
        ...rows,
        feeds: {
          ...rows.feeds,
          at: targets.map((t) => t.at),
          labels: targets.map((t) => t.label),
        } as typeof rows.feeds,
      },
      (scope, inputs) => {
        const { graph } = scope;
        const n = [targets.length];
        const states = g.model
          .encode(scope, inputs)
          .reshape([-1, g.model.hidden])
          .gather(graph.input("at", "i32", n));
        const mean = crossEntropy(g.model.predict(scope, states), graph.input("labels", "i32", n)).mean();
        const parameters = [...scope.parameters.values()];
        names.push(...parameters.map((p) => p.name));
        return [
          mean,
          ...grad(
            mean,
            parameters.map((p): Tensor => p.tensor),
          ),
        ];
      },
    );
    expect(Math.abs((loss?.data[0] ?? NaN) - g.loss)).toBeLessThan(1e-5);
    expect([...names].sort()).toEqual(Object.keys(g.gradients).sort());
    const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
    names.forEach((parameter, i) => {
      const ours = gradients[i]?.data ?? [];
      const theirs = g.gradients[parameter] as Float32Array;
      expect(ours.length, parameter).toBe(theirs.length);
      expect(norm(theirs.map((v, k) => v - (ours[k] as number))) / norm(theirs), parameter).toBeLessThan(GRADIENTS);
    });
  });
});

describe("rotary frequencies rounded to f16, as in the published checkpoints", () => {
  it("make another model than those of the formula", () => {
    const g = golden("half");
    const plain = { ...g, model: esm2(g.parsed) };
    const real = g.attention_mask.flat();
    expect(Object.keys(g.model.buffers).length).toBe(g.parsed.layers);
    const [ours] = compute(plain, padded(g), (scope, inputs) => [logits(plain, scope, inputs)]);
    expect(worst(ours?.data ?? [], floats(g.logits), g.parsed.vocab, (row) => real[row] === 1)).toBeGreaterThan(
      10 * LOGITS,
    );
  });
});
