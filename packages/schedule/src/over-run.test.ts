import { RandomStream } from "@cloze/random";
import { describe, expect, it } from "vitest";
import {
  atStep,
  hasPlaces,
  heldSchedule,
  linearSchedule,
  parsePoints,
  pointsOfMap,
  showPoints,
  type Point,
} from "./index.ts";

/** Points of a schedule, random by number: shares or steps, rising. */
function drawn(n: number): readonly Point<number>[] {
  const draw = new RandomStream(5).split("points").split(n);
  const count = 1 + draw.below(5, 0);
  const inSteps = n % 2 === 0;
  const places = new Set(
    Array.from({ length: count }, (_, i) =>
      inSteps ? draw.below(40, i + 1) * 3 + (i === 0 ? 0 : 2) : draw.below(33, i + 1) / 32,
    ),
  );
  return [...places]
    .sort((a, b) => a - b)
    .map((at, i) => ({ at: inSteps && at === 1 ? 2 : at, value: draw.below(1000, 50 + i) / 8 }));
}

const textOf = (points: readonly Point<number>[]): string => points.map(({ at, value }) => `${at}:${value}`).join(",");
const where = "value";
const all = Array.from({ length: 200 }, (_, n) => drawn(n));
const progressAt = (points: readonly Point<unknown>[], x: number): { step: number; share: number } =>
  (points.at(-1)?.at ?? 0) > 1 ? { step: x, share: 0.5 } : { step: 77, share: x };

describe("values over a run", () => {
  it("have at each point the value of the point, whichever way they are given", () => {
    for (const points of all) {
      const map = Object.fromEntries(points.map(({ at, value }) => [String(at), value]));
      for (const spec of [textOf(points), map]) {
        const linear = linearSchedule(spec, { where });
        const held = heldSchedule(spec, { where });
        if (points.at(-1)?.at === 0)
          expect([linear.at(atStep(9)), held.at(atStep(9))]).toEqual([points[0]?.value, points[0]?.value]);
        else
          for (const { at, value } of points)
            expect(
              [linear.at(progressAt(points, at)), held.at(progressAt(points, at))],
              `${textOf(points)} at ${at}`,
            ).toEqual([value, value]);
      }
    }
  });

  it("lie between their neighbours, in a straight line or held, and keep their ends", () => {
    for (const points of all) {
      const linear = linearSchedule(textOf(points), { where });
      const held = heldSchedule(textOf(points), { where });
      for (const [i, { at, value }] of points.entries()) {
        const next = points[i + 1];
        if (next === undefined) continue;
        for (const f of [0.25, 0.5, 0.875]) {
          const progress = progressAt(points, at + (next.at - at) * f);
          expect(linear.at(progress)).toBeCloseTo(value * (1 - f) + next.value * f, 9);
          expect(held.at(progress)).toBe(value);
        }
      }
      const [first, last] = [points[0] as Point<number>, points.at(-1) as Point<number>];
      expect(linear.at({ step: 0, share: 0 })).toBe(first.value);
      if (last.at > 0)
        expect([linear.at({ step: 1e9, share: 1 }), held.at({ step: 1e9, share: 1 })]).toEqual([
          last.value,
          last.value,
        ]);
    }
  });

  it("are shown as they are read", () => {
    for (const points of all) {
      const shown = showPoints(points);
      if (points.length === 1) expect(shown).toBe(points[0]?.value);
      else expect(parsePoints(String(shown), Number, { where, expected: "a number" })).toEqual(points);
    }
  });

  it("are one number all along where one is given", () => {
    for (const spec of [0.15, "0.15", { 0: 0.15 }]) expect(linearSchedule(spec, { where }).at(atStep(3))).toBe(0.15);
  });

  it("put a map in order, whose keys have none", () => {
    expect(pointsOfMap({ 1: "b", 0: "a", 0.5: "c" }, where).map(({ at }) => at)).toEqual([0, 0.5, 1]);
  });

  it("know a text with places from one without", () => {
    expect(["0:mlm", " .5 : x", "300:a,400:b"].every(hasPlaces)).toBe(true);
    expect(["mlm", "./a:b.js", "C:\\a.js", "@scope/a", "0.15"].some(hasPlaces)).toBe(false);
  });

  it.each([
    ["0:1,0.5:2,0.5:3", /places in rising order, got 0.5 after 0.5/],
    ["0.5:1,0.2:2", /got 0.2 after 0.5/],
    ["0:1,0.5:2,300:3", /all shares of the run \(up to 1\) or all steps \(above 1\), got 0.5 and 300/],
    ["0:1,2.5:2", /a whole number of steps, got 2.5/],
    ["0:1,half:2", /expected at:value,at:value, got "half:2"/],
    ["0:1,0.5:", /expected a number, got ""/],
    ["0:1,0.5:two", /expected a number, got "two"/],
    ["many", /expected a number, got "many"/],
    [{}, /at least one point/],
    [{ "-1": 3 }, /places from 0 on, .*got "-1"/],
    [{ 0: 1, 1: Infinity }, /expected a number, got null at 1/],
    [null as never, /expected a number, or at:value,at:value, got null/],
  ] as const)("refuse %j", (spec, message) => {
    expect(() => linearSchedule(spec, { where })).toThrow(message);
    expect(() => heldSchedule(spec, { where })).toThrow(message);
  });

  it("refuse values that are out of bounds, and progress that says too little", () => {
    expect(() => linearSchedule("0:0.5,1:2", { where: "rate", check: (x) => x < 1, expected: "a share" })).toThrow(
      /^rate: expected a share, got 2 at 1/,
    );
    expect(() => linearSchedule("0:1,1:2", { where: "rate" }).at(atStep(3))).toThrow(
      /what share of the run is done.*got step 3 alone/,
    );
  });
});
