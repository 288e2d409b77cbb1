/**
 * What a new checkpoint is never made of: weights with NaN or infinities, and quantised weights, which are integers
 * under the name of a parameter and mean nothing without their scales.
 */
import { FormatError, UnsupportedError } from "@cloze/errors";
import type { SafetensorsDType } from "../dtype.ts";
import { toFloat32 } from "../float32.ts";
import { isFloat } from "./cast.ts";

/** The tensor, for errors. */
export interface TensorPlace {
  readonly file: string;
  readonly name: string;
}

const at = (name: string): string => `tensor ${JSON.stringify(name)}`;

/** Throws FormatError for the first number that is NaN or infinite. */
export function expectFiniteNumbers(values: ArrayLike<number>, { file, name }: TensorPlace): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new FormatError(
      file,
      at(name),
      `expected finite numbers, got ${values[i]} at element ${i}. The training that made it failed: take another ` +
        "checkpoint.",
    );
  }
}

/** The bytes of a tensor, as they are. Throws FormatError if it holds floats that are not finite. */
export function finiteBytes(dtype: SafetensorsDType, bytes: Uint8Array, place: TensorPlace): Uint8Array {
  if (isFloat(dtype)) expectFiniteNumbers(toFloat32(dtype, bytes), place);
  return bytes;
}

const PARAMETER = /(^|[./])(weight|bias|gamma|beta|kernel)$|\.(qweight|weight_packed)$/;

/** Throws UnsupportedError for integers under the name of a parameter. */
export function refuseQuantised(
  entries: ReadonlyMap<string, { readonly dtype: SafetensorsDType }>,
  file: string,
): void {
  for (const [name, { dtype }] of entries) {
    if (isFloat(dtype) || !PARAMETER.test(name)) continue;
    throw new UnsupportedError(
      `${file}, ${at(name)}: expected floats, got ${dtype}: quantised weights. Take the model that was quantised, or ` +
        "write the weights as floats in Python: model.dequantize(), then model.save_pretrained(DIR).",
    );
  }
}
