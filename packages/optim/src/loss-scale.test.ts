import { Graph, interpret } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { clipScale } from "./clip.ts";
import { lossScaler, type LossScale } from "./loss-scale.ts";
import { gradients } from "./optimizer.ts";

/** The scale after each outcome; each step has the current scale. */
function scalesAfter(scaler: ReturnType<typeof lossScaler>, finite: readonly boolean[]): number[] {
  let now: LossScale = scaler.initial;
  return finite.map((good) => (now = scaler.next(now, { scale: now.scale, finite: good })).scale);
}

describe("lossScaler", () => {
  it("starts at 2^16, halves after an overflow, doubles after 2000 good steps", () => {
    const scaler = lossScaler();
    const good = (n: number): boolean[] => new Array<boolean>(n).fill(true);
    expect(scaler.initial.scale).toBe(65_536);
    expect(scalesAfter(scaler, [false, false, true])).toEqual([32_768, 16_384, 16_384]);
    expect(scalesAfter(scaler, good(2000)).slice(-2)).toEqual([65_536, 131_072]);
    // An overflow restarts the count.
    expect(scalesAfter(scaler, [...good(1999), false, ...good(2000)]).slice(-2)).toEqual([32_768, 65_536]);
  });

  it("stays between 1 and 2^24", () => {
    expect(scalesAfter(lossScaler(), new Array<boolean>(30).fill(false)).at(-1)).toBe(1);
    expect(scalesAfter(lossScaler({ growthInterval: 1 }), new Array<boolean>(30).fill(true)).at(-1)).toBe(2 ** 24);
  });

  it("is lowered once by the steps that were under way together", () => {
    const scaler = lossScaler();
    const one = scaler.next(scaler.initial, { scale: 65_536, finite: false });
    const two = scaler.next(one, { scale: 65_536, finite: false });
    expect(two).toEqual({ scale: 32_768, goodSteps: 0, skippedSteps: 2 });
    // A good step with the old scale is no evidence for the new scale.
    expect(scaler.next(two, { scale: 65_536, finite: true })).toEqual(two);
  });

  it("counts what was skipped", () => {
    const scaler = lossScaler({ growthInterval: 2 });
    let now = scaler.initial;
    for (const finite of [true, false, true, true, false]) now = scaler.next(now, { scale: now.scale, finite });
    expect(now).toEqual({ scale: 32_768, goodSteps: 0, skippedSteps: 2 });
  });

  it("refuses scales that round, and orders that make no sense", () => {
    expect(() => lossScaler({ initScale: 1000 })).toThrow(/power of two as initScale, got 1000/);
    expect(() => lossScaler({ growthFactor: 0.5 })).toThrow(/growthFactor above 1/);
    expect(() => lossScaler({ minScale: 2 ** 17 })).toThrow(/minScale <= initScale/);
    expect(() => lossScaler({ growthInterval: 0 })).toThrow(/growthInterval of 1 or more/);
  });
});

it("a loss scale leaves norm and update as they are, to the bit", () => {
  const graph = new Graph();
  const w = graph.input("w", "f32", [3]);
  const unused = graph.input("unused", "f32", [2]);
  const weight = graph.input("weight", "f32", []);
  const s = graph.input("s", "f32", []);
  const loss = w.square().mul(w).sum();
  const parameters = new Map([
    ["w", { tensor: w }],
    ["unused", { tensor: unused }],
  ]);
  const of = (lossScale?: typeof s): number[] => {
    const grads = gradients(loss, parameters, lossScale);
    const { scale, norm } = clipScale(grads, { weight, maxNorm: 1, ...(lossScale && { lossScale }) });
    return interpret([norm, ...[...grads.values()].map((g) => g.mul(scale))], {
      w: [0.3, -1.7, 2],
      unused: [1, 1],
      weight: [3],
      s: [2 ** 16],
    }).flatMap((v) => Array.from(v.data));
  };
  expect(of(s)).toEqual(of());
});
