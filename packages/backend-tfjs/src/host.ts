/** The conversion between host tensors and the three number types of TensorFlow.js. */
import { invariant } from "@cloze/errors";
import type { DType, HostTensor, TensorType } from "@cloze/graph";
import type { DeviceTensor, Engine, HostValues, TfDType } from "./tfjs.ts";

export const DTYPES: readonly DType[] = ["f32", "i32", "u32", "bool"];

const types: { readonly [D in DType]: TfDType | undefined } = {
  f32: "float32",
  i32: "int32",
  u32: "int32",
  bool: "bool",
  f16: undefined,
  bf16: undefined,
};

export function tfTypeOf(dtype: DType): TfDType {
  const type = types[dtype];
  invariant(type !== undefined, `TensorFlow.js has no ${dtype}`);
  return type;
}

/** A copy of a tensor on the device, so that later changes of the caller's array have no effect. */
export function upload(engine: Engine, { dtype, shape, data }: HostTensor): DeviceTensor {
  return engine.makeTensor(bitsOf(data), [...shape], tfTypeOf(dtype));
}

function bitsOf(data: HostTensor["data"]): HostValues {
  if (data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array) return data.slice();
  invariant(data instanceof Uint32Array, "a host tensor of 16-bit floats");
  return new Int32Array(data.slice().buffer);
}

/** A copy of a tensor on the host, with the type that the program gives it. */
export async function download(tensor: DeviceTensor, { dtype, shape }: TensorType): Promise<HostTensor> {
  const values = await tensor.data();
  switch (dtype) {
    case "f32":
      return { dtype, shape, data: Float32Array.from(values) };
    case "i32":
      return { dtype, shape, data: Int32Array.from(values) };
    case "u32":
      return { dtype, shape, data: new Uint32Array(Int32Array.from(values).buffer) };
    case "bool":
      return { dtype, shape, data: Uint8Array.from(values) };
    default:
      throw new TypeError(`TensorFlow.js has no ${dtype}`);
  }
}
