/** Element types, shapes, and tensors in host memory. */

export type DType = "f32" | "f16" | "bf16" | "i32" | "u32" | "bool";
export type FloatDType = "f32" | "f16" | "bf16";
export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export const bytesPerElement: { readonly [D in DType]: number } = { f32: 4, f16: 2, bf16: 2, i32: 4, u32: 4, bool: 1 };

export const isFloat = (dtype: DType): dtype is FloatDType => dtype === "f32" || dtype === "f16" || dtype === "bf16";

/** Number of elements. */
export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** A type as text, `f32[8, 128]`: every message and every print uses this form. */
export const showType = (x: TensorType): string => `${x.dtype}${showShape(x.shape)}`;

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** A tensor in host memory. f16 and bf16 hold their 16 raw bits. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Float32Array | Uint16Array | Int32Array | Uint32Array | Uint8Array;
}

export type HostTensors = Readonly<Record<string, HostTensor>>;

const arrays: { readonly [D in DType]: (length: number) => HostTensor["data"] } = {
  f32: (n) => new Float32Array(n),
  f16: (n) => new Uint16Array(n),
  bf16: (n) => new Uint16Array(n),
  i32: (n) => new Int32Array(n),
  u32: (n) => new Uint32Array(n),
  bool: (n) => new Uint8Array(n),
};

/** A zeroed host tensor. */
export function hostTensor(dtype: DType, shape: Shape): HostTensor {
  return { dtype, shape, data: arrays[dtype](sizeOf(shape)) };
}
