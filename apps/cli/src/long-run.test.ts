import { ProgressWriter, type TrainEvent } from "@cloze/trainer";
import { describe, expect, it, vi } from "vitest";
import { isCpu, longRunLine } from "./long-run.ts";
import { showProgress } from "./show-progress.ts";

describe("a run above a day", () => {
  it("is said once, when the time of a step is known, with what helps", () => {
    const line = longRunLine({ onCpu: true, helps: ["fewer --steps"] });
    expect(line(1, 200_000)).toBeUndefined();
    expect(line(5, 86_400)).toBeUndefined();
    expect(line(6, 100_000)).toBe(
      "at this speed the run takes 1d 04h more, above a day. What helps: a GPU (cloze doctor says what this machine " +
        "has); fewer --steps",
    );
    expect(line(7, 100_000)).toBeUndefined();
    expect(longRunLine({ onCpu: false, helps: ["fewer --steps"] })(5, 90_000)).toMatch(/What helps: fewer --steps$/);
  });

  it("knows a CPU that acts as a GPU", () => {
    expect(
      ["on the CPU, 2 threads (onnxruntime)", "on llvmpipe (LLVM 15.0.7) (webgpu)", "on NVIDIA H200 (webgpu)"].map(
        isCpu,
      ),
    ).toEqual([true, true, false]);
  });

  for (const [until, said] of [
    [{ steps: 100_000 }, 1],
    [{ tokens: 1e9 }, 1],
    [{ steps: 100 }, 0],
    [{ seconds: 1e6 }, 0], // the user said so
  ] as const)
    it(`of ${JSON.stringify(until)} ${said === 1 ? "has" : "has not"} the line`, () => {
      let now = 0;
      const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
      let shown = "";
      const writer = new ProgressWriter({ write: (text) => (shown += text) }, { now: () => now / 1000 });
      const show = showProgress(writer, until, longRunLine({ onCpu: true, helps: ["x"] }));
      const total = "steps" in until ? until.steps : 100_000;
      for (let step = 1; step <= 20; step++) {
        now += 2000;
        show({
          kind: "row",
          fraction: step / total,
          row: { type: "train", step, tokens: step, loss: 1 },
        } as TrainEvent);
      }
      clock.mockRestore();
      expect(shown.split("above a day")).toHaveLength(1 + said);
    });
});
