/**
 * f16 and bf16 as bits and as rounding of numbers: to nearest, ties to even. Subnormals, infinities and NaN are kept.
 */
import type { DType } from "./dtype.ts";

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Value of 16 bfloat16 bits: the upper half of an f32. */
export function bfloat16ToNumber(bits: number): number {
  u32[0] = bits << 16;
  return f32[0] as number;
}

export function numberToBfloat16(value: number): number {
  f32[0] = value;
  let bits = u32[0] as number;
  if (value !== value) return (bits >>> 16) | 0x40;
  // The rounding to f32 above must not make or break a tie. Where f32 rounding moved the value onto a midpoint, the
  // bits go back to the side of the exact value.
  const near = Math.abs(f32[0] as number);
  const exact = Math.abs(value);
  if ((bits & 0xffff) === 0x8000 && near !== exact) bits += near < exact ? 1 : -1;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function numberToFloat16(value: number): number {
  if (value !== value) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  // Math.log2 may be off by one next to a power of two: the rounding below then carries into the exponent.
  const step = 2 ** (exponent - 10);
  const units = roundHalfEven(magnitude / step);
  const value16 = units * step;
  if (value16 >= 65536) return sign | 0x7c00;
  const e = value16 < 2 ** -14 ? -14 : Math.floor(Math.log2(value16));
  const mantissa = value16 / 2 ** (e - 10);
  return sign | (mantissa < 1024 ? mantissa : ((e + 15) << 10) + (mantissa - 1024));
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** The value that a number has after storage in `dtype`. */
export const roundTo: { readonly [D in DType]: (value: number) => number } = {
  f32: Math.fround,
  f16: (value) => float16ToNumber(numberToFloat16(value)),
  bf16: (value) => bfloat16ToNumber(numberToBfloat16(value)),
  i32: (value) => value | 0,
  u32: (value) => value >>> 0,
  bool: (value) => (value ? 1 : 0),
};
