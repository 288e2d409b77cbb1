import { composeObjectives } from "@cloze/objective";
import { kitBatch, kitPairs, kitTokens, testObjective } from "@cloze/objective/kit";
import { mlm } from "@cloze/objective-mlm";
import { describe, expect, it } from "vitest";
import { sop, objective } from "../src/index.ts";

testObjective({
  create: (tokens) => sop(tokens),
  draws: false,
  inspect({ feeds, weights }, batch) {
    const pairs = batch.sequences.filter(({ pair }) => pair !== undefined);
    const used = pairs.length;
    expect(Array.from(feeds["slots.index"]?.data.slice(0, used) ?? [])).toEqual(
      pairs.map(({ row, start }) => row * batch.length + start),
    );
    expect(Array.from(feeds["slots.target"]?.data.slice(0, used) ?? [])).toEqual(pairs.map(({ pair }) => pair?.label));
    expect(Array.from(feeds["slots.weight"]?.data ?? []).filter((w) => w === 1)).toHaveLength(used);
    expect(used).toBe(batch.sequences.length - 1);
    expect(weights).toEqual({ loss: used });
    expect(feeds["types"]?.data).toEqual(batch.types);
  },
});

testObjective({ create: (tokens) => composeObjectives([mlm(tokens), sop(tokens)]) });

describe("sop", () => {
  const moment = { seed: 0, step: 0, evaluation: false };

  it("says which rows it needs", () => {
    expect(objective).toBe(sop);
    expect(sop(kitTokens)).toMatchObject({
      name: "sop",
      requires: "sentence-pair",
      rows: { kind: "sentence-pairs", second: "swapped" },
    });
  });

  it("takes a batch whose sequences are all single texts", () => {
    const batch = kitPairs(1, 2, 24, 1);
    const single = { ...batch, sequences: batch.sequences.map(({ pair: _, ...s }) => s) };
    expect(sop(kitTokens).prepare(single, moment).weights).toEqual({ loss: 0 });
  });

  it("refuses rows of sequences, and options", () => {
    expect(() => sop(kitTokens).prepare(kitBatch(1, 2, 24, 2), moment)).toThrow(
      /^sop: expected rows of sentence pairs, got rows of single sequences\./,
    );
    expect(() => sop(kitTokens, { rate: 1 })).toThrow(/^sop: unknown option "rate"\. It takes none/);
  });
});
