import { kitTokens, testObjective } from "@cloze/objective/kit";
import { describe, expect, it } from "vitest";
import { objective } from "../src/index.js";

// The kit tests determinism, resuming and the gradient, and that the loss is the same for a whole batch, in parts and
// with more padding. The function `inspect` is yours to write.
testObjective({
  create: (tokens) => objective(tokens),
  inspect({ feeds }, batch, { special }) {
    const ids = feeds["ids"]?.data ?? [];
    for (const { row, start, length } of batch.sequences) {
      const from = row * batch.length + start;
      const hidden = Array.from({ length }, (_, i) => ids[from + i]).filter((id) => id === special.mask);
      expect(hidden).toHaveLength(Math.min(2, length - 2));
    }
  },
});

describe("my-objective", () => {
  it("refuses what it cannot do", () => {
    expect(() => objective(kitTokens, { count: 0 })).toThrow("count: expected a whole number of 1 or more, got 0");
    expect(() => objective(kitTokens, { counts: 1 })).toThrow("unknown option counts");
  });
});
