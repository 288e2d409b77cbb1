import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { oneSidedTTest, studentCdf } from "../src/index.ts";

interface Goldens {
  readonly samples: readonly {
    readonly values: readonly number[];
    readonly target: number;
    readonly t: number;
    readonly p: number;
  }[];
  readonly cdf: readonly { readonly t: number; readonly degrees: number; readonly p: number }[];
}

const { samples, cdf } = JSON.parse(readFileSync(new URL("goldens/t-test.json", import.meta.url), "utf8")) as Goldens;
const near = (got: number, expected: number): void =>
  expect(Math.abs(got - expected)).toBeLessThanOrEqual(1e-10 * Math.abs(expected));

it("is scipy's", () => {
  for (const { values, target, t, p } of samples) {
    const test = oneSidedTTest(values, target);
    // If the mean is close to the target, the subtraction loses digits, in scipy's sum and in ours.
    expect(Math.abs(test.t - t)).toBeLessThanOrEqual(1e-8 * Math.max(1, Math.abs(t)));
    expect(Math.abs(test.p - p)).toBeLessThanOrEqual(1e-8 * p);
  }
  for (const { t, degrees, p } of cdf) near(studentCdf(t, degrees), p);
});

it("is symmetric, and sure of what has no spread", () => {
  for (const t of [0.2, 1.7, 12]) expect(studentCdf(t, 4) + studentCdf(-t, 4)).toBeCloseTo(1, 14);
  expect([oneSidedTTest([2, 2, 2], 3).p, oneSidedTTest([2, 2, 2], 1).p, oneSidedTTest([2, 2, 2], 2).p]).toEqual([
    0,
    1,
    NaN,
  ]);
});

it("refuses what tells nothing", () => {
  expect(() => oneSidedTTest([1], 2)).toThrow(/at least 2 finite values and a finite target, got 1 values/);
  expect(() => oneSidedTTest([1, NaN], 2)).toThrow(/got NaN/);
});
