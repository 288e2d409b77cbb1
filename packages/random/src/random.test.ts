import { describe, expect, it } from "vitest";
import { RandomStream, hashString, permute, threefry2x32 } from "./index.ts";

describe("threefry2x32", () => {
  // Known answers of Random123 (kat_vectors, threefry2x32 20).
  it.each([
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ] as const)("key %j counter %j", (key, counter, expected) => {
    expect(threefry2x32(key, counter)).toEqual(expected);
  });
});

describe("RandomStream", () => {
  it("is a function of its address", () => {
    const a = new RandomStream(7).split("mask").split(3);
    const b = new RandomStream(7).split("mask").split(3);
    expect(a.bits(41)).toBe(b.bits(41));
    expect(a.bits(41)).not.toBe(a.bits(42));
    expect(a.bits(41)).not.toBe(new RandomStream(7).split("crop").split(3).bits(41));
    expect(hashString("a")).not.toBe(hashString("b"));
  });

  it("has uniform moments", () => {
    const stream = new RandomStream(1);
    const draws = Array.from({ length: 20_000 }, (_, i) => stream.uniform(i));
    const mean = draws.reduce((s, x) => s + x, 0) / draws.length;
    const variance = draws.reduce((s, x) => s + (x - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.003);
  });
});

describe("permute", () => {
  it.each([1, 2, 3, 7, 100, 4097])("is a bijection on %i", (size) => {
    const stream = new RandomStream(5).split("shuffle");
    const image = new Set(Array.from({ length: size }, (_, i) => permute(stream, size, i)));
    expect(image.size).toBe(size);
    expect(Math.max(...image)).toBe(size - 1);
  });

  it("moves most elements, differently for another stream", () => {
    const size = 1000;
    const one = new RandomStream(5).split(0);
    const two = new RandomStream(5).split(1);
    const fixed = Array.from({ length: size }, (_, i) => i).filter((i) => permute(one, size, i) === i);
    const same = Array.from({ length: size }, (_, i) => i).filter(
      (i) => permute(one, size, i) === permute(two, size, i),
    );
    expect(fixed.length).toBeLessThan(15);
    expect(same.length).toBeLessThan(15);
  });
});
