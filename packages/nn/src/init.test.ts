import { describe, expect, it } from "vitest";
import { initialize, initialValue, type Init } from "./init.ts";

const values = (init: Init, shape: readonly number[], name = "w", seed = 3): Float32Array =>
  initialValue(name, { shape, init }, seed).data as Float32Array;
const moment = (x: Float32Array, power: number): number => x.reduce((sum, v) => sum + v ** power, 0) / x.length;

describe("initialize", () => {
  it("is a function of seed, name and element, and of nothing else", () => {
    const init: Init = { kind: "normal", std: 1 };
    const a = { shape: [5, 3], init };
    const b = { shape: [7], init };
    const one = initialize(
      new Map([
        ["a", a],
        ["b", b],
      ]),
      11,
    );
    const two = initialize(
      new Map([
        ["b", b],
        ["a", a],
      ]),
      11,
    );
    expect(one.a).toEqual(two.a);
    expect(one.b).toEqual(two.b);
    expect(values(init, [15], "a", 11)).toEqual(one.a?.data);
    expect(values(init, [15], "a", 12)).not.toEqual(one.a?.data);
    expect(values(init, [15], "b", 11)).not.toEqual(one.a?.data);
    // A longer tensor with this name begins with the same values.
    expect(values(init, [16], "a", 11).slice(0, 15)).toEqual(one.a?.data);
  });

  it("takes values as they are, as many as there are elements", () => {
    expect(Array.from(values({ kind: "values", values: [1, 0.5, -2] }, [3]))).toEqual([1, 0.5, -2]);
    expect(() => values({ kind: "values", values: [1, 0] }, [3])).toThrow(
      "init values: expected 3 of them for [3], got 2",
    );
  });

  it("tells seeds apart that differ above 32 bits", () => {
    expect(values({ kind: "normal", std: 1 }, [8], "w", 5)).not.toEqual(
      values({ kind: "normal", std: 1 }, [8], "w", 5 + 2 ** 32),
    );
  });

  it("draws normals with the moments of normals", () => {
    const x = values({ kind: "normal", std: 1 }, [200_000]);
    expect(Math.abs(moment(x, 1))).toBeLessThan(0.01);
    expect(Math.abs(moment(x, 2) - 1)).toBeLessThan(0.015);
    expect(Math.abs(moment(x, 3))).toBeLessThan(0.03);
    expect(Math.abs(moment(x, 4) - 3)).toBeLessThan(0.1);
    // Neighbours, which share a Box-Muller pair, are uncorrelated.
    const pairs = Array.from({ length: 100_000 }, (_, i) => (x[2 * i] as number) * (x[2 * i + 1] as number));
    expect(Math.abs(pairs.reduce((s, v) => s + v, 0) / pairs.length)).toBeLessThan(0.01);
  });

  it("cuts truncated normals, without widening the rest", () => {
    const x = values({ kind: "truncatedNormal", std: 0.02, cut: 2 }, [50_000]);
    expect(Math.max(...x.map(Math.abs))).toBeLessThanOrEqual(0.04);
    // The variance of a standard normal cut at 2 is 1 - 2 * 2 pdf(2) / (2 cdf(2) - 1) = 0.7737.
    expect(Math.abs(moment(x, 2) / 0.0004 - 0.7737)).toBeLessThan(0.02);
  });

  it("draws uniforms within their bound", () => {
    const x = values({ kind: "uniform", bound: 0.5 }, [50_000]);
    expect(Math.max(...x.map(Math.abs))).toBeLessThanOrEqual(0.5);
    expect(Math.abs(moment(x, 2) - 0.25 / 3)).toBeLessThan(0.002);
  });

  it("fills constants, and the zero row of a table", () => {
    expect([...values({ kind: "zeros" }, [2])]).toEqual([0, 0]);
    expect([...values({ kind: "ones" }, [2])]).toEqual([1, 1]);
    expect([...values({ kind: "constant", value: 0.5 }, [])]).toEqual([0.5]);
    const table = values({ kind: "normal", std: 1, zeroRow: 1 }, [3, 4]);
    expect(Array.from(table.subarray(4, 8))).toEqual([0, 0, 0, 0]);
    expect(table.filter((v) => v === 0).length).toBe(4);
  });
});
