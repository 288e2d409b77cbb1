import { kitTokens, testObjective } from "@cloze/objective/kit";
import { describe, expect, it } from "vitest";
import { objective } from "../src/index.js";

testObjective({
  create: (tokens) => objective(tokens),
  inspect({ feeds }, batch, { specialIds }) {
    const ids = Array.from(feeds["ids"]?.data ?? []);
    const index = feeds["slots.index"]?.data ?? [];
    const target = feeds["slots.target"]?.data ?? [];
    const weight = feeds["slots.weight"]?.data ?? [];
    let moved = 0;
    let judged = 0;
    for (const { row, start, length } of batch.sequences) {
      const from = row * batch.length + start;
      const before = Array.from(batch.ids.subarray(from, from + length));
      const after = ids.slice(from, from + length);
      // The tokens are the same, in other places; the special tokens stay in place.
      expect(after.toSorted()).toEqual(before.toSorted());
      for (const [i, id] of before.entries()) if (specialIds.has(id)) expect(after[i]).toBe(id);
    }
    for (let i = 0; i < weight.length; i++) {
      if (weight[i] === 0) continue;
      const at = index[i] ?? 0;
      expect(target[i]).toBe(ids[at] === batch.ids[at] ? 0 : 1);
      judged++;
      moved += target[i] ?? 0;
    }
    // 15 % of the tokens are drawn; one in 12 of them gets an equal token.
    expect(Math.abs(moved / judged - 0.15 * (11 / 12))).toBeLessThan(0.015);
  },
});

describe("shuffle-detection", () => {
  it("refuses what it cannot do", () => {
    expect(() => objective(kitTokens, { rate: 0 })).toThrow("rate: expected a share above 0 and up to 1, got 0");
    expect(() => objective(kitTokens, { rates: 0.2 })).toThrow("unknown option rates");
  });
});
