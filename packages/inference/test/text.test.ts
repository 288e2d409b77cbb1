/** A small BERT on text: pairs, pooling, unit vectors, masks, and the limits of text length. */
import { backend } from "@cloze/backend-reference";
import { createEncoder, type EncoderOptions, type SequenceEncoder } from "@cloze/inference";
import { bert, bertConfigs, type Bert } from "@cloze/models/bert";
import { headParameters } from "@cloze/models/families";
import { initialize } from "@cloze/nn";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { describe, expect, it } from "vitest";
import { all, difference, encoder as proteins } from "./tiny.ts";

const words = [
  "the",
  "cat",
  "sat",
  "on",
  "a",
  "mat",
  "dog",
  "ran",
  "where",
  "did",
  "go",
  "home",
  "?",
  ".",
  "##s",
  "##ing",
];
const tokenizer = wordPiece({ vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words] });
const vocab = tokenizer.vocabulary.length;
const hidden = 16;
const model: Bert = bert({
  ...bertConfigs["bert-tiny"],
  vocab,
  hidden,
  heads: 2,
  intermediate: 24,
  maxPositions: 20,
  initializerRange: 0.3,
});
const weights = initialize(headParameters(model, "masked-lm+sentence-pair", 2), 3);
const encoder = (options: Partial<EncoderOptions> = {}): Promise<SequenceEncoder> =>
  createEncoder({ backend: backend(), model, weights, tokenizer, ...options });

const text = "The cat sat on a mat.";
const pair = { text: "where did the cats go?", pair: "the cat ran home." };

/** Hidden states of each token, computed by `hiddenStates`. */
async function states(of: typeof pair | string): Promise<readonly number[][]> {
  const { ids, types } = typeof of === "string" ? tokenizer.encode(of) : tokenizer.encode(of.text, { pair: of.pair });
  const [seen] = await all((await encoder()).hiddenStates([{ ids, types }], [-1]));
  const data = Array.from(seen?.[0]?.data ?? []);
  return Array.from(ids, (_, i) => data.slice(i * hidden, (i + 1) * hidden));
}
const mean = (rows: readonly (readonly number[])[]): number[] =>
  Array.from({ length: hidden }, (_, c) => rows.reduce((sum, row) => sum + (row[c] as number), 0) / rows.length);
const unit = (row: readonly number[]): number[] => row.map((x) => x / Math.hypot(...row));

describe("a text", () => {
  it("is the mean of its tokens, with or without the special ones, at any length or at length 1", async () => {
    const every = await states(text);
    const tiny = await encoder();
    const vector = async (options: Parameters<SequenceEncoder["embed"]>[1]): Promise<Float32Array> =>
      (await all(tiny.embed([text], options)))[0]?.vectors.data ?? new Float32Array();
    expect(difference(await vector({}), mean(every.slice(1, -1)))).toBeLessThan(1e-5);
    expect(difference(await vector({ special: true }), mean(every))).toBeLessThan(1e-5);
    expect(difference(await vector({ special: true, normalize: true }), unit(mean(every)))).toBeLessThan(1e-6);
    const rows = await vector({ pooling: "per-token", normalize: true });
    expect(difference(rows, every.slice(1, -1).flatMap(unit))).toBeLessThan(1e-6);
  });

  it("is its start token through the pooler", async () => {
    const tiny = await encoder();
    const [start] = await all(tiny.embed([text], { pooling: "cls" }));
    const [pooled] = await all(tiny.embed([text], { pooling: "pooler" }));
    const dense = weights["bert.pooler.dense.weight"]?.data ?? [];
    const expected = Array.from({ length: hidden }, (_, o) =>
      Math.tanh(
        Array.from(start?.vectors.data ?? []).reduce((sum, x, i) => sum + x * (dense[o * hidden + i] as number), 0),
      ),
    );
    expect(difference(pooled?.vectors.data ?? [], expected)).toBeLessThan(1e-5);
    await expect(all(tiny.embed([text], { pooling: "pooler", layer: 0 }))).rejects.toThrow(
      'pooling "pooler": expected the last layer',
    );
    await expect(all((await proteins()).embed(["MKT"], { pooling: "pooler" }))).rejects.toThrow(
      'expected the parameter "esm.pooler.dense.weight", got none',
    );
  });

  it("that is too long is cut into windows: means add up, pooled windows are averaged", async () => {
    const long = "the cat sat on a mat . the dog ran home .";
    const tiny = await encoder();
    const options = { maxLength: 8 };
    // Windows with bodies of 6 tokens, starting at 0, 3 and 6.
    const parts = ["the cat sat on a mat", "on a mat . the dog", ". the dog ran home ."];
    const pooled = await all(tiny.embed(parts, { pooling: "pooler" }));
    const [whole] = await all(tiny.embed([long], { ...options, pooling: "pooler" }));
    expect(whole).toMatchObject({ windows: 3, residues: 12 });
    expect(
      difference(whole?.vectors.data ?? [], mean(pooled.map(({ vectors }) => Array.from(vectors.data)))),
    ).toBeLessThan(1e-5);
    const rows = await Promise.all(parts.map(states));
    const [summed] = await all(tiny.embed([long], { ...options, special: true }));
    const specials = rows.flatMap((each) =>
      [each[0] as number[], each.at(-1) as number[]].map((row) => row.map((x) => x / 3)),
    );
    const seen = [1, 1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1];
    const bodies = rows.flatMap((each, w) =>
      each.slice(1, -1).map((row, i) => row.map((x) => x / (seen[3 * w + i] as number))),
    );
    const expected = [...specials, ...bodies]
      .reduce((sum, row) => sum.map((x, c) => x + (row[c] as number)), new Array<number>(hidden).fill(0))
      .map((x) => x / 14);
    expect(difference(summed?.vectors.data ?? [], expected)).toBeLessThan(1e-5);
  });
});

describe("a pair of texts", () => {
  it("is one sequence of two types", async () => {
    const every = await states(pair);
    const { sequences } = tokenizer.encode(pair.text, { pair: pair.pair });
    const body = every.filter((_, i) => (sequences[i] as number) >= 0);
    const tiny = await encoder();
    const [, middle] = await all(tiny.embed([text, pair], {}));
    const [rows] = await all(tiny.embed([pair], { pooling: "per-token" }));
    const [special] = await all(tiny.embed([pair], { special: true }));
    expect(middle).toMatchObject({ index: 1, residues: body.length, windows: 1, cut: 0 });
    expect(difference(middle?.vectors.data ?? [], mean(body))).toBeLessThan(1e-5);
    expect(difference(rows?.vectors.data ?? [], body.flat())).toBeLessThan(1e-5);
    expect(difference(special?.vectors.data ?? [], mean(every))).toBeLessThan(1e-5);
  });

  it("differs from the same ids of one type, and from the pair the other way round", async () => {
    const { ids, types } = tokenizer.encode(pair.text, { pair: pair.pair });
    const tiny = await encoder();
    const [typed] = await all(tiny.logits([{ ids, types }]));
    const [plain] = await all(tiny.logits([ids]));
    expect(difference(typed?.data ?? [], plain?.data ?? [])).toBeGreaterThan(1e-2);
    const [company] = await all(tiny.logits([{ ids, types }, tokenizer.encode(text).ids]));
    expect(difference(typed?.data ?? [], company?.data ?? [])).toBeLessThan(1e-5);
  });

  it("is truncated or refused, not cut into windows", async () => {
    const tiny = await encoder();
    await expect(all(tiny.embed([pair], { maxLength: 8 }))).rejects.toThrow(
      "embed, pair 1: expected at most 8 tokens, got 15",
    );
    const [cut] = await all(tiny.embed([pair], { maxLength: 8, long: "truncate" }));
    expect([cut?.residues, cut?.cut]).toEqual([5, 7]);
    await expect(all((await proteins()).embed([{ text: "MKT", pair: "MK" }]))).rejects.toThrow(
      "embed, pair 1: expected a tokenizer of text",
    );
  });
});

describe("fillMask", () => {
  it("counts tokens of the text", async () => {
    const [mask] = await (await encoder()).fillMask("the cats [MASK] on a mat.", { top: 2 });
    expect(mask).toMatchObject({ position: 4, index: 4 }); // the cat ##s [MASK]
    expect(mask?.candidates.every(({ token }) => tokenizer.idOf(token) !== undefined)).toBe(true);
  });
});

describe("mistakes", () => {
  const long = new Array<number>(21).fill(5);
  it.each([
    ["too long", [long], "sequence 1: expected at most the 20 tokens that the model takes, got 21"],
    [
      "a type too many",
      [{ ids: [2, 5, 3], types: [0, 2, 0] }],
      "sequence 1: expected token types from 0 to 1, got 2 at place 1",
    ],
    [
      "types of another length",
      [{ ids: [2, 5, 3], types: [0, 0] }],
      "sequence 1: expected 3 token types, as many as ids, got 2",
    ],
  ])("%s", async (_, sequences, message) => {
    await expect(all((await encoder()).logits(sequences))).rejects.toThrow(message);
  });

  it("beyond the positions of the model", async () => {
    await expect(all((await encoder()).embed([text], { maxLength: 21 }))).rejects.toThrow(
      "embed, maxLength: expected at most the 20 tokens that the model takes, got 21",
    );
    await expect((await encoder()).fillMask(`[MASK] ${"cat ".repeat(30)}`)).rejects.toThrow(
      "fillMask: expected at most the 20 tokens",
    );
    await expect(all((await proteins()).logits([{ ids: [0, 4, 2], types: [0, 0, 0] }]))).rejects.toThrow(
      "this model has no token types",
    );
  });
});
