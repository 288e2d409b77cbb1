/**
 * BERT, its loss and the optimizer together follow PyTorch: 50 steps from equal weights on equal batches
 * (tooling/golden/bert.py).
 */
import { crossEntropy, Graph, interpret, program, sizeOf, type Tensor } from "@cloze/graph";
import { encoderInputs, rootScope } from "@cloze/nn";
import { adamw, clipScale, gradients } from "@cloze/optim";
import { schedule } from "@cloze/schedule";
import { describe, expect, it } from "vitest";
import { everyState, firstStates, model, padded, parameters, training } from "./bert-golden.ts";

const { options, steps } = training;

interface Traced {
  /** Initial zeros of the optimizer's state, by name. */
  readonly fresh: Readonly<Record<string, Float32Array>>;
  readonly outputs: readonly Tensor[];
  /** State by name, in the order of `outputs` from the third on. */
  readonly updated: readonly string[];
}

const optimizer = adamw({
  beta1: options.beta1,
  beta2: options.beta2,
  eps: options.eps,
  weightDecay: options.weight_decay,
});

/** Loss, gradient norm and the next state, for batches of the given shape with `predicted` labels. */
function trace(batch: number, seq: number, predicted: number): Traced {
  const graph = new Graph();
  const scope = rootScope(graph);
  const inputs = encoderInputs(graph, batch, seq, { types: true });
  const feed = (name: string, n: number): Tensor<"i32"> => graph.input(name, "i32", [n]);
  const tokens = crossEntropy(
    model.predict(scope, everyState(model, scope, inputs).gather(feed("at", predicted))),
    feed("labels", predicted),
  ).mean();
  const loss = tokens.add(
    crossEntropy(model.relate(scope, firstStates(model, scope, inputs)), feed("next", batch)).mean(),
  );
  const { parameters: declared } = scope;
  const grads = gradients(loss, declared);
  const { scale, norm } = clipScale(grads, { maxNorm: options.clip, weight: graph.const(1, "f32") });
  const { state, updates } = optimizer.update({ graph, parameters: declared, gradients: grads, gradScale: scale });
  const made = program(graph, {
    state: [...[...declared.values()].map((p) => p.tensor), ...state],
    outputs: { loss, norm },
    updates,
  });
  const fresh = Object.fromEntries(
    optimizer
      .stateNames(declared.values())
      .map((name, i) => [name, new Float32Array(sizeOf((state[i] as Tensor).shape))]),
  );
  return {
    fresh,
    outputs: [made.outputs["loss"] as Tensor, made.outputs["norm"] as Tensor, ...Object.values(made.updates)],
    updated: Object.keys(made.updates),
  };
}

describe("50 steps of pretraining", () => {
  it("have PyTorch's losses to 1e-4", () => {
    const traced = new Map<string, Traced>();
    let state: Readonly<Record<string, ArrayLike<number>>> = parameters("masked-lm+sentence-pair");
    const rate = schedule("linear", { warmup: options.warmup });
    expect(steps.length).toBe(50);
    const off = steps.map((step, i) => {
      const { batch, seq, feeds } = padded(step);
      const flat = step.labels.flat();
      const at = flat.flatMap((label, place) => (label < 0 ? [] : [place]));
      const key = `${seq} ${at.length}`;
      const known = traced.get(key) ?? trace(batch, seq, at.length);
      const { outputs, updated, fresh } = known;
      traced.set(key, known);
      if (i === 0) state = { ...state, ...fresh };
      const lr = options.lr * rate(i + 1, options.steps);
      const scalars = Object.fromEntries(
        Object.entries(optimizer.hostScalars(i + 1, lr)).map(([name, { data }]) => [name, data]),
      );
      expect(lr).toBeCloseTo(step.lr, 12);
      const [loss, norm, ...next] = interpret(outputs, {
        ...state,
        ...feeds,
        at,
        labels: at.map((place) => flat[place] as number),
        next: step.next_sentence_label,
        ...scalars,
      });
      state = { ...state, ...Object.fromEntries(updated.map((name, k) => [name, next[k]?.data ?? []])) };
      expect((norm?.data[0] ?? NaN) / step.norm).toBeCloseTo(1, 3);
      return Math.abs((loss?.data[0] ?? NaN) - step.loss);
    });
    expect(Math.max(...off)).toBeLessThan(1e-4);
  });
});
