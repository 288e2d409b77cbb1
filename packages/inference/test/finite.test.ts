/** NaN and infinities never leave as results: the error names the sequence and the tensor. */
import { describe, expect, it } from "vitest";
import type { HostTensors } from "@cloze/graph";
import { all, encoder, protein, weights } from "./tiny.ts";

/** The weights with one number replaced. */
const spoilt = (name: string, at: number, value: number): HostTensors => {
  const { shape, data } = weights[name] as HostTensors[string];
  const copy = Float32Array.from(data as Float32Array);
  copy[at] = value;
  return { ...weights, [name]: { dtype: "f32", shape, data: copy } };
};

const last = "esm.encoder.emb_layer_norm_after.weight";
const ids = [0, 20, 15, 11, 2];

describe.each([NaN, Infinity, -Infinity])("a weight that is %d", (value) => {
  const cause = `The weights are not finite: the tensor "${last}" holds ${value} at element 3`;

  it.each([
    ["logits", { logits: true }],
    ["hiddenStates", { hiddenStates: [-1] }],
  ] as const)("is refused in %s", async (name, wanted) => {
    const bad = await encoder({ weights: spoilt(last, 3, value) });
    const text = `sequence 1, ${name}: expected finite numbers`;
    await expect(all(bad.outputs([ids], wanted))).rejects.toThrow(text);
    await expect(all(bad.outputs([ids], wanted))).rejects.toThrow(cause);
    await bad.dispose();
  });

  it.each(["mean", "cls", "per-token"] as const)("is refused in embeddings, %s", async (pooling) => {
    const bad = await encoder({ weights: spoilt(last, 3, value) });
    await expect(all(bad.embed([protein(5)], { pooling }))).rejects.toThrow("embed, sequence 1: expected finite");
    const nameOf = (i: number): string => `P0000${i}`;
    await expect(all(bad.embed([protein(5)], { pooling, nameOf }))).rejects.toThrow(`embed, P00000: expected`);
    await expect(bad.fillMask("MK<mask>")).rejects.toThrow(cause);
    await bad.dispose();
  });
});

it("refuses only the sequence that meets the number", async () => {
  // The embedding of W, token 22, is NaN.
  const bad = await encoder({ weights: spoilt("esm.embeddings.word_embeddings.weight", 22 * 16, NaN) });
  expect(await all(bad.embed(["MKTA"]))).toHaveLength(1);
  await expect(all(bad.embed(["MKTA", "MW"]))).rejects.toThrow("embed, sequence 2: expected finite numbers, got NaN");
  await bad.dispose();
});

it("says so where finite weights overflow", async () => {
  const bad = await encoder({ weights: spoilt(last, 3, 3e38) });
  await expect(all(bad.logits([ids]))).rejects.toThrow("The weights are finite, so numbers overflow inside the model");
  await bad.dispose();
});

it("refuses contacts of a head that nobody trained", async () => {
  const name = "esm.contact_head.regression.weight";
  const untrained = { ...weights, [name]: { dtype: "f32" as const, shape: [1, 4], data: new Float32Array(4) } };
  const model = await encoder({ weights: untrained });
  await expect(all(model.contacts([ids]))).rejects.toThrow("expected a trained contact head, got one of zeros");
  expect(await all(model.attentions([ids]))).toHaveLength(1);
  await model.dispose();
});
