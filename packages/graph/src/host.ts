/** Host tensors as plain numbers and back. f16 and bf16 are decoded from their 16 bits and rounded to their 16 bits. */
import { hostTensor, type DType, type HostTensor, type Shape } from "./dtype.ts";
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float16.ts";

/** Row-major numbers of a host tensor. For dtypes other than f16 and bf16 this is the tensor's own array. */
export function toNumbers({ dtype, data }: HostTensor): ArrayLike<number> {
  if (dtype !== "f16" && dtype !== "bf16") return data;
  const decode = dtype === "f16" ? float16ToNumber : bfloat16ToNumber;
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = decode(data[i] as number);
  return out;
}

const encoders: Partial<Record<DType, (value: number) => number>> = {
  f16: numberToFloat16,
  bf16: numberToBfloat16,
  bool: (value) => (value ? 1 : 0),
};

/** A host tensor of `numbers`, rounded to its dtype. */
export function fromNumbers(dtype: DType, shape: Shape, numbers: ArrayLike<number>): HostTensor {
  const { data, ...type } = hostTensor(dtype, shape);
  if (numbers.length !== data.length)
    throw new RangeError(
      `fromNumbers: expected ${data.length} numbers for ${dtype}[${shape.join(", ")}], got ${numbers.length}`,
    );
  const encode = encoders[dtype];
  for (let i = 0; i < data.length; i++)
    data[i] = encode === undefined ? (numbers[i] as number) : encode(numbers[i] as number);
  return { ...type, data };
}
