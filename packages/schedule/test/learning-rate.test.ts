/** Schedules against transformers' get_scheduler (tooling/golden/schedule.py) and their closed forms. */
import { readFileSync } from "node:fs";
import { isScheduleName, schedule, scheduleNames, type ScheduleName, type ScheduleOptions } from "@cloze/schedule";
import { describe, expect, it } from "vitest";

interface Case {
  readonly name: ScheduleName;
  readonly options: ScheduleOptions;
  readonly total: number;
  readonly first: number;
  readonly multipliers: readonly number[];
}

const { cases } = JSON.parse(readFileSync(new URL("golden/schedules.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};

describe("schedule", () => {
  it.each(cases.map((c) => [`${c.name} ${JSON.stringify(c.options)}`, c] as const))(
    "%s is that of transformers",
    (_, c) => {
      const rate = schedule(c.name, c.options);
      for (let t = Math.max(1, c.first); t <= c.total; t++)
        expect(rate(t, c.total), `step ${t}`).toBeCloseTo(c.multipliers[t] as number, 12);
    },
  );

  it("has a golden for every name", () => {
    expect(new Set(cases.map((c) => c.name))).toEqual(new Set(scheduleNames));
    expect(scheduleNames.every(isScheduleName)).toBe(true);
    expect(isScheduleName("toString")).toBe(false);
  });

  it("follows the ESM-2 recipe: 2,000 to warm up, then linear to a tenth over 90 % of training", () => {
    const rate = schedule("linear", { warmup: 2_000, final: 0.1, decay: 0.9 });
    const total = 500_000;
    expect(rate(1, total)).toBe(1 / 2_000);
    expect(rate(2_000, total)).toBe(1);
    expect(rate(2_000 + 225_000, total)).toBeCloseTo(0.55, 12);
    expect(rate(452_000, total)).toBeCloseTo(0.1, 12);
    expect(rate(500_000, total)).toBeCloseTo(0.1, 12);
  });

  it.each(scheduleNames)("%s warms up linearly, never leaves [0, 1], and holds its end", (name) => {
    const rate = schedule(name, { warmup: 7, final: 0.05 });
    const total = 50;
    for (let t = 1; t < 7; t++) expect(rate(t, total)).toBe(t / 7);
    expect(rate(7, total)).toBe(1);
    for (let t = 8; t <= 60; t++) {
      expect(rate(t, total)).toBeLessThanOrEqual(rate(t - 1, total));
      expect(rate(t, total)).toBeGreaterThanOrEqual(0.05 - 1e-15);
    }
    if (name !== "constant" && name !== "inverse-sqrt") expect(rate(total + 10, total)).toBeCloseTo(0.05, 12);
  });

  it("reads spans below 1 as shares of the total, and lets a warm-up be all there is", () => {
    expect(schedule("constant", { warmup: 0.1 })(5, 100)).toBe(0.5);
    expect(schedule("wsd", { decay: 0.5 })(75, 100)).toBe(0.5);
    expect(schedule("wsd", { warmup: 60, decay: 90 })(80, 100)).toBe(0.5);
    for (const name of scheduleNames) expect(schedule(name, { warmup: 10 })(9, 10)).toBe(0.9);
  });

  it("starts a cosine again at the peak: cycles", () => {
    const rate = schedule("cosine", { cycles: 4, final: 0.2 });
    const total = 400;
    for (const start of [0, 100, 200, 300]) {
      expect(rate(start, total)).toBeCloseTo(1, 12);
      expect(rate(start + 50, total)).toBeCloseTo(0.6, 12);
      expect(rate(start + 99, total)).toBeLessThan(0.21);
    }
    expect(rate(total, total)).toBeCloseTo(0.2, 12);
  });

  it("refuses what has no meaning", () => {
    expect(() => schedule("linear", { warmup: -1 })).toThrow(/warmup of 0 or more, got -1/);
    expect(() => schedule("linear", { final: 2 })).toThrow(/final in \[0, 1\], got 2/);
    expect(() => schedule("wsd", { decay: 0 })).toThrow(/decay above 0, got 0/);
    expect(() => schedule("constant", { decay: 5 })).toThrow(/no decay span/);
    expect(() => schedule("cosine", { cycles: 1.5 })).toThrow(/whole number of at least 1, got 1.5/);
    expect(() => schedule("linear", { cycles: 2 })).toThrow(/linear has no cycles/);
    expect(() => schedule("step" as ScheduleName)).toThrow(/expected one of constant, linear.*got "step"/);
  });
});
