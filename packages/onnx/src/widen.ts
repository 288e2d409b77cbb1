/** Host tensors of 16-bit floats as the f32 that holds them, and back. Both directions are exact for rounded values. */
import {
  bfloat16ToNumber,
  float16ToNumber,
  numberToBfloat16,
  numberToFloat16,
  type DType,
  type HostTensor,
} from "@cloze/graph";

/** f16 and bf16 as f32. Other tensors are unchanged. */
export function widen(x: HostTensor): HostTensor {
  if (x.dtype !== "f16" && x.dtype !== "bf16") return x;
  return {
    ...x,
    dtype: "f32",
    data: Float32Array.from(x.data, x.dtype === "f16" ? float16ToNumber : bfloat16ToNumber),
  };
}

/** The inverse of `widen`. `dtype` is the dtype before `widen`. */
export function narrow(x: HostTensor, dtype: DType): HostTensor {
  if (dtype !== "f16" && dtype !== "bf16") return x;
  return { ...x, dtype, data: Uint16Array.from(x.data, dtype === "f16" ? numberToFloat16 : numberToBfloat16) };
}
