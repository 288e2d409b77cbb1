/** The time to the end of a run, by a clock that the test sets. Oracle: the run's own times, which the test chooses. */
import { describe, expect, it } from "vitest";
import { evaluationEvery, evaluationsAfter } from "./evaluation-plan.ts";
import { TimeLeft } from "./time-left.ts";

const STEPS = 300;
const STEP_MS = 80;
const EVALUATION_MS = 2100;

describe("the time left", () => {
  it("is within a factor of 2 of what the run then takes, at every step from the second", () => {
    // The first step compiles for 20 s. An evaluation takes twice what its size says. The views take 10 ms a step.
    const left = new TimeLeft(EVALUATION_MS / STEP_MS / 2);
    const every = evaluationEvery(STEPS);
    const foretold: { readonly at: number; readonly seconds: number }[] = [];
    let now = 5000;
    left.started(now);
    for (let step = 1; step <= STEPS; step++) {
      now += step === 1 ? 20_000 : STEP_MS + 10;
      left.stepped(now);
      if (step % every === 0 || step === STEPS) {
        now += EVALUATION_MS;
        left.evaluated(EVALUATION_MS / 1000, now);
      }
      const seconds = left.seconds(STEPS - step, evaluationsAfter(step, STEPS));
      if (seconds !== undefined) foretold.push({ at: now, seconds });
    }
    expect(foretold.length).toBe(STEPS - 1);
    for (const { at, seconds } of foretold.slice(0, -1)) {
      const truth = (now - at) / 1000;
      expect(seconds / truth).toBeGreaterThan(1 / 2);
      expect(seconds / truth).toBeLessThan(2);
    }
    expect(foretold.at(-1)?.seconds).toBe(0);
  });

  it("does not count a pause", () => {
    const left = new TimeLeft(0);
    left.started(0);
    left.stepped(100);
    left.stepped(200);
    left.started(3_600_000);
    left.stepped(3_600_100);
    left.stepped(3_600_200);
    expect(left.seconds(10, 0)).toBeCloseTo(1, 9);
  });

  it("knows how many evaluations are to come", () => {
    for (const steps of [1, 24, 25, 26, 149, 150, 151, 300, 1000, 99_999]) {
      const every = evaluationEvery(steps);
      for (const from of [0, 1, Math.floor(steps / 2), steps - 1, steps]) {
        let count = 0;
        for (let step = from + 1; step <= steps; step++) if (step % every === 0 || step === steps) count++;
        expect(evaluationsAfter(from, steps)).toBe(count);
      }
    }
  });
});
