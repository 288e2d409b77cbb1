/**
 * The conversion between host tensors and device bytes. A bool is a byte on the host and a u32 on the device; 16-bit
 * floats are raw bits on both.
 */
import { UnsupportedError } from "@cloze/errors";
import { sizeOf, type DType, type HostTensor, type TensorType } from "@cloze/graph";
import { elementBytes, type Element } from "../kernel.ts";
import { roundUp } from "./place.ts";

const ELEMENTS: { readonly [D in DType]: Element | undefined } = {
  f32: "f32",
  f16: "f16",
  bf16: undefined,
  i32: "i32",
  u32: "u32",
  bool: "u32",
};

/** The element type of a dtype on the device. `what` names the tensor in the error, for example "state \"w\"". */
export function elementOf(what: string, dtype: DType, f16: boolean): Element {
  const element = ELEMENTS[dtype];
  if (element === undefined)
    throw new UnsupportedError(
      `backend webgpu: ${what}: ${dtype} is not a type of WGSL. Use f32, or f16 where the device has it.`,
    );
  if (element === "f16" && !f16)
    throw new UnsupportedError(
      `backend webgpu: ${what}: this device has no 16-bit floats, or they are off. Use f32. See: cloze doctor`,
    );
  return element;
}

/** Bytes on the device, in whole words of 4 bytes, because copies need whole words. */
export const deviceBytes = (element: Element, size: number): number =>
  roundUp(Math.max(size * elementBytes[element], 4), 4);

/** Writes a tensor's bytes at an offset that is a multiple of 4. */
export function encodeInto(target: Uint8Array, offset: number, { dtype, data }: HostTensor): void {
  if (dtype === "bool")
    new Uint32Array(target.buffer, target.byteOffset + offset, data.length).set(
      Uint8Array.from(data, (x) => (x === 0 ? 0 : 1)),
    );
  else target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
}

/** A copy of a tensor's bytes, in whole words. */
export function encode(tensor: HostTensor, element: Element): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(deviceBytes(element, tensor.data.length));
  encodeInto(bytes, 0, tensor);
  return bytes;
}

type Make = (bytes: ArrayBuffer, length: number) => HostTensor["data"];

const ARRAYS: { readonly [D in DType]: Make } = {
  f32: (bytes, n) => new Float32Array(bytes, 0, n),
  f16: (bytes, n) => new Uint16Array(bytes, 0, n),
  bf16: (bytes, n) => new Uint16Array(bytes, 0, n),
  i32: (bytes, n) => new Int32Array(bytes, 0, n),
  u32: (bytes, n) => new Uint32Array(bytes, 0, n),
  bool: (bytes, n) => Uint8Array.from(new Uint32Array(bytes, 0, n), (x) => (x === 0 ? 0 : 1)),
};

/** A tensor over `bytes`. The tensor owns them. */
export const decode = ({ dtype, shape }: TensorType, bytes: ArrayBuffer): HostTensor => ({
  dtype,
  shape: [...shape],
  data: ARRAYS[dtype](bytes, sizeOf(shape)),
});
