/** Model, loss and optimizer together: a small ESM-2 overfits one batch, from an ordinary and from a zero head. */
import { crossEntropy, Graph, interpret, program, type Tensor } from "@cloze/graph";
import { initialize, rootScope } from "@cloze/nn";
import { adamw, clipScale, gradients } from "@cloze/optim";
import { schedule } from "@cloze/schedule";
import { esm2, esm2Configs, type Esm2Config } from "@cloze/models/esm2";
import { describe, expect, it } from "vitest";

const config: Esm2Config = { ...esm2Configs["esm2-8m"], layers: 2, hidden: 24, heads: 2, intermediate: 48 };
const batch = 2;
const seq = 10;
/**
 * Predicted places of the flattened batch, and the predicted places with `<mask>`. Two masks of a row have equal states
 * at the start, so one mask a row is enough here.
 */
const predicted = [3, 6, 12, 15, 17];
const masked = [3, 15];

function train(zeroInitHead: boolean, steps: number): number[] {
  const graph = new Graph();
  const scope = rootScope(graph);
  const model = esm2(config, { zeroInitHead });
  const input = (name: string, shape: readonly number[]): Tensor<"i32"> => graph.input(name, "i32", shape);
  const inputs = {
    ids: input("ids", [batch, seq]),
    segments: input("segments", [batch, seq]),
    positions: input("positions", [batch, seq]),
  };
  const states = model
    .encode(scope, inputs)
    .reshape([-1, model.hidden])
    .gather(input("at", [predicted.length]));
  const loss = crossEntropy(model.predict(scope, states), input("labels", [predicted.length])).sum();
  const { parameters } = scope;
  const grads = gradients(loss, parameters);
  const optimizer = adamw({ beta2: 0.98 });
  const { scale, norm } = clipScale(grads, { maxNorm: 1, weight: graph.const(predicted.length, "f32") });
  const { state, updates } = optimizer.update({ graph, parameters, gradients: grads, gradScale: scale });
  const step = program(graph, {
    state: [...[...parameters.values()].map((p) => p.tensor), ...state],
    outputs: { loss: loss.mul(1 / predicted.length), norm },
    updates,
  });

  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, { data }] of Object.entries(initialize(parameters, 5))) values[name] = data;
  optimizer.stateNames(parameters.values()).forEach((name, i) => {
    values[name] = new Float32Array((state[i] as Tensor).shape.reduce((n, d) => n * d, 1));
  });
  const tokens = Array.from({ length: batch * seq }, (_, i) => 4 + ((7 * i * i + 3 * i) % 20));
  const feeds = {
    ids: tokens.map((id, i) => (masked.includes(i) ? config.maskTokenId : id)),
    labels: predicted.map((i) => tokens[i] as number),
    at: predicted,
    segments: tokens.map(() => 1),
    positions: tokens.map((_, i) => i % seq),
  };
  const rate = schedule("linear", { warmup: 5 });
  const losses: number[] = [];
  const names = Object.keys(step.updates);
  for (let t = 1; t <= steps; t++) {
    const scalars = Object.fromEntries(
      Object.entries(optimizer.hostScalars(t, 0.02 * rate(t, steps))).map(([name, { data }]) => [name, data]),
    );
    const out = interpret([step.outputs.loss as Tensor, ...names.map((name) => step.updates[name] as Tensor)], {
      ...values,
      ...feeds,
      ...scalars,
    });
    losses.push(out[0]?.data[0] as number);
    names.forEach((name, i) => {
      values[name] = out[i + 1]?.data ?? [];
    });
  }
  return losses;
}

describe("a small ESM-2", () => {
  it("learns a batch by heart", () => {
    const losses = train(false, 40);
    expect(losses[0]).toBeGreaterThan(3);
    expect(losses.at(-1)).toBeLessThan(0.05);
  });

  it("does so from a zero head as well, which starts at ln 33", () => {
    const losses = train(true, 40);
    expect(losses[0]).toBeCloseTo(Math.log(33), 5);
    expect(losses.at(-1)).toBeLessThan(0.05);
  });
});
