import { expect, test } from "vitest";
import { formatBytes, formatCount, formatDuration, formatFlops, formatInteger, formatValue } from "./human-format.ts";

test.each([
  [0, "0.0s"],
  [0.44, "0.4s"],
  [9.94, "9.9s"],
  [9.96, "10s"],
  [42, "42s"],
  [59.6, "1m 00s"],
  [192, "3m 12s"],
  [3599.6, "1h 00m"],
  [7500, "2h 05m"],
  [86_399, "1d 00h"],
  [273_600, "3d 04h"],
  [Infinity, "?"],
  [NaN, "?"],
  [-1, "?"],
])("duration %d", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test.each([
  [0, "0"],
  [950, "950"],
  [12.345, "12.3"],
  [999.7, "1.00k"],
  [1000, "1.00k"],
  [12_345, "12.3k"],
  [999_499, "999k"],
  [999_600, "1.00M"],
  [1_200_000, "1.20M"],
  [3.4e9, "3.40B"],
  [1.5e13, "15.0T"],
  [2e18, "2000000T"],
  [-1500, "-1.50k"],
  [NaN, "NaN"],
])("count %d", (count, text) => expect(formatCount(count)).toBe(text));

test.each([
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [1_234_567, "1,234,567"],
  [-12_345, "-12,345"],
  [NaN, "NaN"],
])("integer %d", (value, text) => expect(formatInteger(value)).toBe(text));

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.00 KiB"],
  [1536, "1.50 KiB"],
  [1024 ** 2 - 1, "1.00 MiB"],
  [12 * 1024 ** 3, "12.0 GiB"],
  [Infinity, "Infinity"],
])("bytes %d", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0, "0"],
  [2.41267, "2.413"],
  [0.05, "0.05000"],
  [123.456, "123.5"],
  [0.0003, "3.000e-4"],
  [54_321.6, "54,322"],
  [2e7, "2.000e+7"],
  [-Infinity, "-Infinity"],
])("value %d", (value, text) => expect(formatValue(value)).toBe(text));

test.each([
  [0, "0 FLOPs"],
  [900e6, "900 MFLOPs"],
  [999.7e6, "1.00 GFLOPs"],
  [4.37e11, "437 GFLOPs"],
  [5.61e16, "56.1 PFLOPs"],
  [3e24, "3000 ZFLOPs"],
  [NaN, "NaN FLOPs"],
])("FLOPs %d", (flops, text) => expect(formatFlops(flops)).toBe(text));
