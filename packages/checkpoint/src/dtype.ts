/**
 * The element types of safetensors files that cloze reads and writes, and the byte sizes of tensors.
 *
 * Left out: floats of 8 bits and fewer (F8_E4M3, F4, …) and complex numbers. No model of this project stores them.
 * A file with such a type is refused, and the error names the type.
 */

export type SafetensorsDType =
  "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U64" | "U32" | "U16" | "U8" | "BOOL";

/**
 * Bytes of one element. The writer lays out dtypes in the order of these keys. The reference library uses the same
 * order: widest alignment first.
 */
export const dtypeBytes: { readonly [D in SafetensorsDType]: 1 | 2 | 4 | 8 } = {
  U64: 8,
  I64: 8,
  F64: 8,
  F32: 4,
  U32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** All element types, in the writer's order. */
export const dtypes: readonly SafetensorsDType[] = Object.keys(dtypeBytes) as SafetensorsDType[];

export function isSafetensorsDType(value: unknown): value is SafetensorsDType {
  return typeof value === "string" && Object.hasOwn(dtypeBytes, value);
}

/** A tensor's dtype, shape and place in its file. `byteOffset` counts from the start of the file, not of the data. */
export interface TensorEntry {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly byteOffset: number;
  readonly byteLength: number;
}

/**
 * Bytes of a dense tensor. Undefined where a size, or the number of bytes, is not a non-negative safe integer.
 * A scalar has the shape `[]` and one element. A tensor with a size of 0 has no bytes.
 */
export function tensorBytes(dtype: SafetensorsDType, shape: readonly number[]): number | undefined {
  let bytes: number = dtypeBytes[dtype];
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}
