import type { TokenBatch } from "@cloze/tokenizer";
import { describe, expect, it } from "vitest";
import { evaluationMask, maskTokenOf } from "../src/index.ts";
import { kitBatch, kitTokens, paddedBy, rowsAt } from "../src/kit.ts";

const maskedAt = (batch: TokenBatch): number[] =>
  Array.from(evaluationMask(batch, kitTokens).feeds["ids"]?.data ?? []).flatMap((id, i) => (id === 4 ? [i] : []));

describe("the evaluation mask", () => {
  it("is this one: another would make every loss another that was ever compared", () => {
    expect(maskedAt(kitBatch(5, 4, 32, 2))).toEqual([2, 5, 23, 38, 46, 49, 52, 72, 74, 84, 93, 102, 116, 118]);
  });

  it("hides 15 % of the tokens that are not special, and says what stood there", () => {
    const batch = kitBatch(7, 64, 64, 2);
    const { feeds, weights } = evaluationMask(batch, kitTokens);
    const at = maskedAt(batch);
    const count = weights.loss;
    const maskable = batch.ids.reduce((n, id) => n + (kitTokens.specialIds.has(id) ? 0 : 1), 0);
    // Each of the 128 sequences is rounded by its own draw.
    expect(Math.abs(count - 0.15 * maskable)).toBeLessThan(3 * Math.sqrt(128));
    expect(feeds["slots.index"]?.data.slice(0, count)).toEqual(Int32Array.from(at));
    expect(feeds["slots.target"]?.data.slice(0, count)).toEqual(Int32Array.from(at, (i) => batch.ids[i] as number));
    expect(at.some((i) => kitTokens.specialIds.has(batch.ids[i] as number))).toBe(false);
    expect(Array.from(feeds["slots.weight"]?.data ?? []).reduce((n, w) => n + w, 0)).toBe(count);
  });

  it("goes by a sequence's content: row, number, padding and company do not matter", () => {
    const batch = kitBatch(5, 4, 32, 2);
    const moved = rowsAt(
      { ...batch, sequences: batch.sequences.map((s) => ({ ...s, example: 99 - s.example })) },
      [2, 0],
    );
    const inRow = (row: number): number[] =>
      maskedAt(batch).flatMap((i) => (Math.floor(i / 32) === row ? [i % 32] : []));
    expect(maskedAt(moved)).toEqual([...inRow(2), ...inRow(0).map((i) => 32 + i)]);
    expect(maskedAt(paddedBy(batch, 8))).toEqual(maskedAt(batch).map((i) => i + 8 * Math.floor(i / 32)));
  });

  it("needs a mask token, and says who asks for it", () => {
    expect(() => maskTokenOf({ special: { pad: 0, unknown: 1 } }, "mine")).toThrow(
      "mine: the tokenizer has no mask token. Choose a tokenizer with one.",
    );
  });
});
