// f16, bf16 and erf against values from other programs; host tensors; random bits and dropout masks.
import { describe, expect, it } from "vitest";
import { threefry2x32 } from "@cloze/random";
import { erf } from "./erf.ts";
import {
  bfloat16ToNumber,
  bytesPerElement,
  dropout,
  dropoutMask,
  float16ToNumber,
  fromNumbers,
  grad,
  Graph,
  hostTensor,
  interpret,
  numberToBfloat16,
  numberToFloat16,
  randomBits,
  rowBits,
  toNumbers,
  type DType,
  type Tensor,
} from "./index.ts";

/** The 16 bits by numpy: np.float64(x).astype(np.float16). */
const F16: readonly (readonly [number, number])[] = [
  [1, 0x3c00],
  [0.1, 0x2e66],
  [-0.3333, 0xb555],
  [65504, 0x7bff],
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [1e-7, 0x0002],
  [6e-8, 0x0001],
  [2.98e-8, 0x0000],
  [2 ** -25, 0x0000],
  [3e-8, 0x0001],
  [6.097555160522461e-5, 0x03ff],
  [6.1035e-5, 0x0400],
  [2049, 0x6800],
  [2051, 0x6802],
  [2050.0001, 0x6801],
  [1.0004882812500002, 0x3c01],
  [1.00048828125, 0x3c00],
  [1e-5, 0x00a8],
  [Math.PI, 0x4248],
  [-0, 0x8000],
  [5.960464477539063e-8, 0x0001],
  [33.55, 0x5032],
  [Infinity, 0x7c00],
  [-Infinity, 0xfc00],
  [NaN, 0x7e00],
  [0, 0],
];
/** Nearest 8-bit significand, ties to even, by exact fractions (Python's fractions). */
const BF16: readonly (readonly [number, number])[] = [
  [1, 0x3f80],
  [0.1, 0x3dcd],
  [-0.3333, 0xbeab],
  [3.3895313892515355e38, 0x7f7f],
  [3.4e38, 0x7f80],
  [1.00390625, 0x3f80],
  [1.00390625000001, 0x3f81],
  [1.01171875, 0x3f82],
  [1.0117187499999, 0x3f81],
  [257, 0x4380],
  [259, 0x4382],
  [1e-40, 0x0001],
  [9.2e-41, 0x0001],
  [4.6e-41, 0x0001],
  [-2.5, 0xc020],
  [Math.PI, 0x4049],
  [-0, 0x8000],
  [Infinity, 0x7f80],
  [-Infinity, 0xff80],
];

describe("16-bit floats", () => {
  it.each(F16)("f16 of %d", (value, bits) => expect(numberToFloat16(value)).toBe(bits));
  it.each(BF16)("bf16 of %d", (value, bits) => expect(numberToBfloat16(value)).toBe(bits));

  it("every pattern of bits comes back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      for (const [decode, encode] of [
        [float16ToNumber, numberToFloat16],
        [bfloat16ToNumber, numberToBfloat16],
      ] as const) {
        const value = decode(bits);
        if (value !== value) {
          if (!Number.isNaN(decode(encode(value)))) throw new Error(`NaN ${bits.toString(16)} is lost`);
        } else if (encode(value) !== bits)
          throw new Error(`${bits.toString(16)} came back as ${encode(value).toString(16)}`);
      }
    }
    expect([float16ToNumber(0x3555), float16ToNumber(1), float16ToNumber(0xfbff)]).toEqual([
      0.333251953125,
      2 ** -24,
      -65504,
    ]);
    expect([bfloat16ToNumber(0x3eab), bfloat16ToNumber(0x7f7f)]).toEqual([0.333984375, 3.3895313892515355e38]);
  });

  it("rounds to the nearest: no neighbour is nearer", () => {
    for (let i = 1; i < 4000; i++) {
      const x = Math.sin(i) * 2 ** ((i % 38) - 22);
      for (const [decode, encode] of [
        [float16ToNumber, numberToFloat16],
        [bfloat16ToNumber, numberToBfloat16],
      ] as const) {
        const bits = encode(x);
        const off = Math.abs(decode(bits) - x);
        for (const next of [bits - 1, bits + 1])
          if (Math.abs(decode(next & 0xffff) - x) < off)
            throw new Error(`${x}: ${next.toString(16)} is nearer than ${bits.toString(16)}`);
      }
    }
  });
});

/** Values by mpmath 1.3 with 40 digits. */
const ERF: readonly (readonly [number, number])[] = [
  [1e-300, 1.1283791670955126e-300],
  [1e-8, 1.1283791670955126e-8],
  [0.1, 0.1124629160182849],
  [0.25, 0.27632639016823696],
  [0.5, 0.5204998778130465],
  [0.75, 0.7111556336535151],
  [1, 0.8427007929497149],
  [1.5, 0.9661051464753108],
  [2, 0.9953222650189527],
  [2.4, 0.999311486103355],
  [2.4999, 0.9995928300996666],
  [2.5, 0.999593047982555],
  [2.6, 0.9997639655834707],
  [3, 0.9999779095030014],
  [3.5, 0.9999992569016276],
  [4, 0.9999999845827421],
  [4.5, 0.9999999998033839],
  [5, 0.9999999999984626],
  [5.5, 0.9999999999999927],
  [5.9, 0.9999999999999999],
  [6, 1],
];

it.each(ERF)("erf of %d", (x, want) => {
  expect(Math.abs(erf(x) - want) / want).toBeLessThan(1e-15);
  expect(erf(-x)).toBe(-erf(x));
});

describe("host tensors", () => {
  const all = Object.keys(bytesPerElement) as DType[];
  it.each(all)("%s: zeros, and numbers there and back", (dtype) => {
    const zeros = hostTensor(dtype, [2, 3]);
    const numbers = dtype === "bool" ? [1, 0, 1] : dtype === "u32" ? [0, 7, 4294967295] : [-2, 0, 5];
    expect(zeros.data.length).toBe(6);
    expect(zeros.data.BYTES_PER_ELEMENT).toBe(bytesPerElement[dtype]);
    expect(Array.from(toNumbers(fromNumbers(dtype, [3], numbers)))).toEqual(numbers);
  });

  it("rounds and counts", () => {
    expect(Array.from(toNumbers(fromNumbers("f16", [2], [0.1, 1e6])))).toEqual([0.0999755859375, Infinity]);
    expect(fromNumbers("bool", [3], [0.5, NaN, -1]).data).toEqual(new Uint8Array([1, 0, 1]));
    expect(() => fromNumbers("f32", [2], [1])).toThrow("expected 2 numbers for f32[2], got 1");
  });
});

describe("random bits", () => {
  it("are threefry blocks: first words first, then second words", () => {
    const bits = randomBits([7, 11], 3, 5, 32);
    const block = (i: number): readonly number[] => threefry2x32([7, 11], [i, 3]);
    expect(Array.from(bits)).toEqual([block(0)[0], block(1)[0], block(2)[0], block(0)[1], block(1)[1]]);
    expect(Array.from(randomBits([7, 11], 3, 5, 8))).toEqual(Array.from(bits, (b) => b >>> 24));
    expect(randomBits([7, 11], 3, 0, 32).length).toBe(0);
  });

  it("by row are the words of blocks under the row's key, middle indices with the first axis fastest", () => {
    const keys = [7, 11, 4_000_000_000, 13];
    const bits = rowBits(keys, 9, [2, 2, 3, 5], 32);
    const want: number[] = [];
    for (let row = 0; row < 2; row++)
      for (let a = 0; a < 2; a++)
        for (let b = 0; b < 3; b++)
          for (let j = 0; j < 5; j++)
            want.push(
              threefry2x32(
                [((keys[2 * row] as number) ^ 9) >>> 0, keys[2 * row + 1] as number],
                [Math.floor(j / 2), a + 2 * b],
              )[j % 2] as number,
            );
    expect(Array.from(bits)).toEqual(want);
    expect(Array.from(rowBits([0, 0], 0, [1], 8))).toEqual([0x6b]);
  });

  it("by row do not depend on the other rows, nor on the sizes of the last two axes", () => {
    const keys = [1, 2, 3, 4, 5, 6];
    const at = (bits: Uint32Array, shape: readonly number[], index: readonly number[]): number =>
      bits[index.reduce((n, i, axis) => n * (shape[axis] as number) + i, 0)] as number;
    const small = [2, 4, 3, 5];
    const large = [3, 4, 6, 9];
    const [few, many] = [rowBits(keys.slice(2), 8, small, 24), rowBits(keys, 8, large, 24)];
    for (let row = 0; row < 2; row++)
      for (let h = 0; h < 4; h++)
        for (let i = 0; i < 3; i++)
          for (let j = 0; j < 5; j++) expect(at(few, small, [row, h, i, j])).toBe(at(many, large, [row + 1, h, i, j]));
  });

  it("differ by seed, step and stream", () => {
    const first = (key: readonly [number, number], stream: number): string =>
      Array.from(randomBits(key, stream, 4, 32)).join();
    expect(new Set([first([1, 1], 1), first([2, 1], 1), first([1, 2], 1), first([1, 1], 2)]).size).toBe(4);
  });

  it.each([
    ["with one key", randomBits([42, 0], 9, 100_000, 24)],
    [
      "by row",
      rowBits(
        Array.from({ length: 200 }, (_, i) => i),
        9,
        [100, 10, 100],
        24,
      ),
    ],
  ])("are uniform %s: mean, variance, each bit, neighbours", (_name, bits) => {
    const n = 100_000;
    const u = Array.from(bits, (b) => b / 2 ** 24);
    const mean = u.reduce((a, b) => a + b, 0) / n;
    const variance = u.reduce((a, b) => a + (b - 0.5) ** 2, 0) / n;
    // Five standard deviations of each statistic.
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n));
    for (let bit = 0; bit < 24; bit++)
      expect(Math.abs(bits.reduce((sum, b) => sum + ((b >>> bit) & 1), 0) / n - 0.5)).toBeLessThan(
        5 * Math.sqrt(0.25 / n),
      );
    const correlation = u.slice(1).reduce((sum, x, i) => sum + (x - 0.5) * ((u[i] as number) - 0.5), 0) / n;
    expect(Math.abs(correlation)).toBeLessThan(5 / 12 / Math.sqrt(n));
  });
});

describe("dropout", () => {
  const g = new Graph();
  const key = g.input("key", "u32", [2]);
  const n = 40_000;
  const x = g.input("x", "f32", [200, 200]);
  const data = Float32Array.from({ length: n }, (_, i) => 1 + (i % 7));

  it.each([0.1, 0.5, 0.9])("keeps 1 - %d of the elements and their mean", (rate) => {
    const [mask] = interpret([dropoutMask([200, 200], key, rate, 4)], { key: [3, 5] });
    const kept = Array.from(mask?.data as ArrayLike<number>);
    expect(new Set(kept)).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
    expect(Math.abs(kept.filter((k) => k > 0).length / n - (1 - rate))).toBeLessThan(
      5 * Math.sqrt((rate * (1 - rate)) / n),
    );
  });

  it("draws the same mask forward and backward, another at the next step and in another layer", () => {
    const y = dropout(x, { rate: 0.3, stream: 1, key });
    const [d] = grad(y.sum(), [x]) as [Tensor];
    const other = dropout(x, { rate: 0.3, stream: 2, key });
    const at = (step: number): number[][] =>
      interpret([y, d, other], { x: data, key: [9, step] }).map((v) => Array.from(v.data));
    const [y1, d1, o1] = at(1) as [number[], number[], number[]];
    const [y2] = at(2) as [number[]];
    expect(y1.every((v, i) => (v === 0) === (d1[i] === 0))).toBe(true);
    expect(y1).toEqual(Array.from(data, (v, i) => Math.fround(v * (d1[i] as number))));
    const agree = (a: number[], b: number[]): number => a.filter((v, i) => (v === 0) === (b[i] === 0)).length / n;
    // Independent masks agree in 0.3^2 + 0.7^2 = 0.58 of the places.
    expect(Math.abs(agree(y1, y2) - 0.58)).toBeLessThan(0.02);
    expect(Math.abs(agree(y1, o1) - 0.58)).toBeLessThan(0.02);
  });

  it("of rate 0 is the identity", () => expect(dropout(x, { rate: 0, stream: 1, key }) === x).toBe(true));
});
