/**
 * Conversions between a tensor's bytes and f32 numbers.
 *
 * Reading always copies, so the result never aliases a file's buffer. A number that f32 cannot hold is an error: an
 * integer that needs more than 24 significant bits, or a finite f64 beyond the range of f32. An f64 within the range of
 * f32 rounds to nearest, because the caller asked for f32.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import { dtypeBytes, type SafetensorsDType } from "./dtype.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half-floats.ts";

type Reader = (buffer: ArrayBuffer) => Float32Array<ArrayBuffer>;

const readers: { readonly [D in SafetensorsDType]: Reader } = {
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => float16ToFloat32(new Uint16Array(buffer)),
  BF16: (buffer) => bfloat16ToFloat32(new Uint16Array(buffer)),
  F64: (buffer) => exactly("F64", new Float64Array(buffer), (x, y) => Number.isFinite(y) || !Number.isFinite(x)),
  I64: (buffer) => wide("I64", new BigInt64Array(buffer)),
  U64: (buffer) => wide("U64", new BigUint64Array(buffer)),
  I32: (buffer) => exactly("I32", new Int32Array(buffer), (x, y) => x === y),
  U32: (buffer) => exactly("U32", new Uint32Array(buffer), (x, y) => x === y),
  I16: (buffer) => Float32Array.from(new Int16Array(buffer)),
  U16: (buffer) => Float32Array.from(new Uint16Array(buffer)),
  I8: (buffer) => Float32Array.from(new Int8Array(buffer)),
  U8: (buffer) => Float32Array.from(new Uint8Array(buffer)),
  BOOL: (buffer) => new Float32Array(new Uint8Array(buffer).map((x) => (x === 0 ? 0 : 1))),
};

/**
 * The numbers of a tensor as f32.
 * Throws: ConfigError where `bytes` does not hold a whole number of elements; UnsupportedError for a number that f32
 * cannot hold, and on a big-endian machine.
 *
 * @example
 * toFloat32("BF16", new Uint8Array([0x80, 0x3f, 0x00, 0xc0]))  // => [1, -2]
 */
export function toFloat32(dtype: SafetensorsDType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  if (bytes.length % dtypeBytes[dtype] !== 0) {
    throw new ConfigError(
      `toFloat32: expected a multiple of ${dtypeBytes[dtype]} bytes for ${dtype}, got ${bytes.length}. Pass all ` +
        "that read(name) gave.",
    );
  }
  needLittleEndian();
  return readers[dtype](copyOf(bytes));
}

/** The bytes of f32 numbers in a floating dtype, rounded to nearest. The inverse of `toFloat32`, for writing. */
export function fromFloat32(dtype: "F32" | "F16" | "BF16", values: Float32Array): Uint8Array<ArrayBuffer> {
  needLittleEndian();
  if (dtype === "F32")
    return new Uint8Array(copyOf(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
  return new Uint8Array((dtype === "F16" ? float32ToFloat16(values) : float32ToBfloat16(values)).buffer);
}

function copyOf(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.length); // not slice(): slice() of a Node Buffer is a view
  copy.set(bytes);
  return copy.buffer;
}

function exactly(
  dtype: SafetensorsDType,
  values: Float64Array | Int32Array | Uint32Array,
  holds: (from: number, to: number) => boolean,
): Float32Array<ArrayBuffer> {
  const result = Float32Array.from(values);
  for (let i = 0; i < values.length; i++) if (!holds(values[i] ?? 0, result[i] ?? 0)) refuse(dtype, i, values[i]);
  return result;
}

function wide(dtype: SafetensorsDType, values: BigInt64Array | BigUint64Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0n;
    const rounded = Math.fround(Number(value));
    if (BigInt(rounded) !== value) refuse(dtype, i, value);
    result[i] = rounded;
  }
  return result;
}

function refuse(dtype: SafetensorsDType, index: number, value: number | bigint | undefined): never {
  throw new UnsupportedError(
    `toFloat32: expected ${dtype} values that f32 holds, got ${value} at element ${index}. Read the bytes as ` +
      `${dtype} (${dtypeBytes[dtype]} each) instead.`,
  );
}

/**
 * Typed arrays have the byte order of the machine; files are little endian. Of the machines that run Node today, only
 * s390x is big endian.
 */
function needLittleEndian(): void {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
    throw new UnsupportedError(
      "toFloat32: expected a little-endian machine, got a big-endian one. Convert on another machine, or read " +
        "the bytes with a DataView.",
    );
  }
}
