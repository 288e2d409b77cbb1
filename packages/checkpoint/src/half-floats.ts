/**
 * Conversions between f32 and the 16-bit floats f16 and bf16, over whole arrays.
 *
 *     f16  = 1 sign, 5 exponent, 10 fraction   (IEEE binary16: least subnormal 2^-24, largest 65504)
 *     bf16 = 1 sign, 8 exponent,  7 fraction   (the upper half of an f32)
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even. A number beyond the range becomes infinity, as in numpy
 * and torch. A NaN stays a NaN with its sign and its upper payload; narrowing makes it quiet.
 * Price: a few integer operations per element. Checked against numpy and torch in test/golden: all 65,536 f16 and bf16
 * values, and 8,192 f32 values at and between the edges.
 */

/** Bits of f16 -> f32. */
export function float16ToFloat32(half: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(half.length);
  for (let i = 0; i < half.length; i++) {
    const h = half[i] ?? 0;
    const sign = (h & 0x8000) << 16;
    const exponent = (h >>> 10) & 0x1f;
    const fraction = h & 0x3ff;
    if (exponent === 0x1f) bits[i] = sign | 0x7f800000 | (fraction << 13);
    else if (exponent !== 0)
      bits[i] = sign | ((exponent + 112) << 23) | (fraction << 13); // 112 = 127 - 15
    else if (fraction === 0) bits[i] = sign;
    else {
      const shift = Math.clz32(fraction) - 21; // subnormal f16 -> normal f32: its first 1 moves to the hidden bit
      bits[i] = sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
    }
  }
  return new Float32Array(bits.buffer);
}

/** f32 -> bits of f16, rounded to nearest, ties to even. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const half = new Uint16Array(values.length);
  for (let i = 0; i < half.length; i++) {
    const f = bits[i] ?? 0;
    const sign = (f >>> 16) & 0x8000;
    const magnitude = f & 0x7fffffff;
    if (magnitude > 0x7f800000) half[i] = sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
    else if (magnitude >= 0x47800000)
      half[i] = sign | 0x7c00; // 2^16 and more
    else if (magnitude >= 0x38800000)
      half[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    else if (magnitude < 0x33000000)
      half[i] = sign; // below 2^-25: nearest is 0
    else {
      const shift = 126 - (magnitude >>> 23);
      const fraction = (magnitude & 0x7fffff) | 0x800000; // with the hidden bit; 14 to 24 bits get lost
      const kept = fraction >>> shift;
      const rest = fraction & ((1 << shift) - 1);
      const tie = 1 << (shift - 1);
      half[i] = sign | (kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0));
    }
  }
  return half;
}

/** Bits of bf16 -> f32. */
export function bfloat16ToFloat32(half: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(half.length);
  for (let i = 0; i < half.length; i++) bits[i] = (half[i] ?? 0) << 16;
  return new Float32Array(bits.buffer);
}

/** f32 -> bits of bf16, rounded to nearest, ties to even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const half = new Uint16Array(values.length);
  for (let i = 0; i < half.length; i++) {
    const f = bits[i] ?? 0;
    half[i] = (f & 0x7fffffff) > 0x7f800000 ? (f >>> 16) | 0x40 : (f + 0x7fff + ((f >>> 16) & 1)) >>> 16;
  }
  return half;
}
